// What there is to achieve with the arm, and who can: both look at the state alone.
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "data/sim/arm.h"

#define REACHED 0.04  // m between finger tips and the point above the disc
#define ABOVE   0.03  // m, that point's height
#define PUSHED  0.035 // m between the middles of block and disc
#define LIFTED  0.07  // m that the block has risen
#define FAR     0.40  // m at which nothing has been achieved yet
#define CRUISE  0.11  // m, height at which nothing is in the way
#define BESIDE  0.075 // m from the block's middle where a push begins
#define STEP    0.04  // m of a frame at full speed: what is nearer is approached slowly

static double clamp(double v) {
  return fmax(-1, fmin(1, v));
}

static double distance(const float *s, double x, double y, double z) {
  return sqrt((s[0] - x) * (s[0] - x) + (s[1] - y) * (s[1] - y) + (s[2] - z) * (s[2] - z));
}

// 1 within `enough`, falling to 0 at FAR beyond.
static double nearness(double d, double enough) {
  return d <= enough ? 1 : fmax(0, 1 - (d - enough) / FAR);
}

static double progress(int task, const float *s) {
  const float *block = s + DATA_ARM_BLOCK, *disc = s + DATA_ARM_DISC;
  const double rise = block[2] - DATA_ARM_BLOCK_HALF;
  switch ((data_arm_task)task) {
  case DATA_ARM_REACH:
    return nearness(distance(s, disc[0], disc[1], ABOVE), REACHED);
  case DATA_ARM_PUSH:
    return nearness(hypot(block[0] - disc[0], block[1] - disc[1]), PUSHED);
  default:
    if (rise >= LIFTED) return 1;
    return 0.5 * nearness(distance(s, block[0], block[1], block[2]), REACHED) * 0.99 +
           0.5 * fmax(0, rise) / LIFTED;
  }
}

// -- the expert -----------------------------------------------------------------------------

// Towards a place with the hand upright, `grip` as given.
static void go(const float *s, double x, double y, double z, double yaw, double grip, float *a) {
  const double to[3] = {x, y, z};
  for (int i = 0; i < 3; i++) a[i] = (float)clamp((to[i] - s[i]) / STEP);
  a[DATA_ARM_ROLL] = (float)clamp(-s[DATA_ARM_ROLL] / 0.15);
  a[DATA_ARM_PITCH] = (float)clamp(-s[DATA_ARM_PITCH] / 0.15);
  a[DATA_ARM_YAW] = (float)clamp((yaw - s[DATA_ARM_YAW]) / 0.15);
  a[DATA_ARM_GRIP] = (float)grip;
}

// Round the block to its side away from the disc, down, and through it.
static void push(const float *s, float *a) {
  const float *block = s + DATA_ARM_BLOCK, *disc = s + DATA_ARM_DISC;
  const double dx = disc[0] - block[0], dy = disc[1] - block[1], far = hypot(dx, dy) + 1e-6;
  const double ux = dx / far, uy = dy / far;
  const double px = block[0] - s[0], py = block[1] - s[1];
  const double along = px * ux + py * uy, aside = fabs(px * uy - py * ux);
  const double x = block[0] - BESIDE * ux, y = block[1] - BESIDE * uy;
  if (far < 0.6 * PUSHED) {
    go(s, s[0], s[1], s[2], 0, 1, a); // done: what touches it no more cannot move it
  } else if (along > 0.03 && aside < 0.025 && s[2] < 0.05) {
    const double ahead = fmin(far, STEP); // slowly at the end
    go(s, s[0] + ux * ahead + 0.8 * (px - along * ux), s[1] + uy * ahead + 0.8 * (py - along * uy),
       0.022, 0, 1, a);
  } else if (hypot(x - s[0], y - s[1]) < 0.025) {
    go(s, x, y, 0.022, 0, 1, a);
  } else if (s[2] < CRUISE - 0.03 && hypot(px, py) < 0.13) {
    go(s, s[0], s[1], CRUISE + 0.03, 0, 1, a);
  } else {
    go(s, x, y, CRUISE, 0, 1, a);
  }
}

// Above the block with open fingers, down, close, up.
static void lift(const float *s, float *a) {
  const float *block = s + DATA_ARM_BLOCK;
  const double aside = hypot(block[0] - s[0], block[1] - s[1]), above = s[2] - block[2];
  const double yaw = s[DATA_ARM_BLOCK_YAW];
  const double low = fmax(0.014, block[2] - 0.012);
  if (aside < 0.025 && above < 0.004) {
    const int closed = s[DATA_ARM_OPENING] < 0.72F;
    go(s, s[0], s[1], closed ? 0.22 : low, yaw, 1, a);
  } else if (aside < 0.012 || (aside < 0.025 && above < 0.06)) {
    go(s, block[0], block[1], low, yaw, -1, a);
  } else {
    go(s, block[0], block[1], fmax(CRUISE, s[2] - 0.05), yaw, -1, a);
  }
}

static void expert(int task, const float *s, float *action) {
  const float *disc = s + DATA_ARM_DISC;
  switch ((data_arm_task)task) {
  case DATA_ARM_REACH:
    go(s, disc[0], disc[1], ABOVE, 0, -1, action);
    return;
  case DATA_ARM_PUSH:
    push(s, action);
    return;
  default:
    lift(s, action);
  }
}

static const char *const tasks[DATA_ARM_TASKS + 1] = {"reach", "push", "lift", NULL};

const data_goals data_arm_goals = {
    .tasks = tasks, .progress = progress, .expert = expert, .see = data_arm_see};
