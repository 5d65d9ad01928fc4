// What there is to achieve on the tabletop with the puck, and who can. The scene's own driver
// (tabletop_driver.h) achieves nothing: it is there to touch everything in every way.
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "data/sim/tabletop.h"

#define TOUCHED 0.42 // m between the middles of puck and box
#define MIDDLE  0.25 // m from the table's middle that the box is brought within
#define FAR     1.50 // m at which nothing has been achieved yet
#define BEHIND  0.42 // m from the box's middle where a push begins

enum { REACH, PUSH };
static const char *const tasks[] = {"reach", "push", NULL};

static const float *box_of(const float *s) {
  return s + 4 * DATA_TABLETOP_BOX;
}

static double progress(int task, const float *s) {
  const float *box = box_of(s);
  const double d = task == REACH ? hypot(box[0] - s[0], box[1] - s[1]) : hypot(box[0], box[1]);
  const double enough = task == REACH ? TOUCHED : MIDDLE;
  return d <= enough ? 1 : fmax(0, 1 - (d - enough) / FAR);
}

static void drive(double angle, double speed, float *action) {
  action[0] = (float)(speed * cos(angle));
  action[1] = (float)(speed * sin(angle));
}

// To the box's far side seen from the middle, round the box where it is in the way; then through.
static void push(const float *s, float *action) {
  const float *box = box_of(s);
  const double far = hypot(box[0], box[1]), out = atan2(box[1], box[0]);
  const double dx = box[0] - s[0], dy = box[1] - s[1], near = hypot(dx, dy);
  const double ahead = atan2(dy, dx), aligned = cos(ahead - (out + M_PI));
  if (far < 0.6 * MIDDLE) {
    drive(0, 0, action);
  } else if (aligned > 0.85) {
    drive(ahead, far < 0.5 ? 0.5 : 0.8, action);
  } else if (near < 0.45 && aligned < 0.3) {
    // round it: the shorter way
    const double turn = sin(ahead - (out + M_PI)) > 0 ? 1 : -1;
    drive(ahead + turn * 1.75, 0.8, action);
  } else {
    const double x = fmax(-0.84, fmin(0.84, box[0] + BEHIND * cos(out)));
    const double y = fmax(-0.84, fmin(0.84, box[1] + BEHIND * sin(out)));
    drive(atan2(y - s[1], x - s[0]), fmin(0.9, 4 * hypot(x - s[0], y - s[1])), action);
  }
}

static void expert(int task, const float *s, float *action) {
  const float *box = box_of(s);
  const double d = hypot(box[0] - s[0], box[1] - s[1]);
  if (task == PUSH)
    push(s, action);
  else
    drive(atan2(box[1] - s[1], box[0] - s[0]), d < 0.9 * TOUCHED ? 0 : 0.8, action);
}

// Places by colour; a thing that is hidden, and the box's angle, stay as they were.
static void see(const uint8_t *rgb, int64_t height, int64_t width, double fps, const float *action,
                float *s) {
  if (!action) memset(s, 0, DATA_TABLETOP_STATE * sizeof *s);
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++) {
    float *at = s + 4 * o;
    double x = at[0], y = at[1], area = 0;
    data_tabletop_locate(rgb, height, width, (data_tabletop_object)o, &x, &y, &area);
    at[2] = action ? (float)((x - at[0]) * fps) : 0;
    at[3] = action ? (float)((y - at[1]) * fps) : 0;
    at[0] = (float)x;
    at[1] = (float)y;
  }
}

const data_goals data_tabletop_goals = {
    .tasks = tasks, .progress = progress, .expert = expert, .see = see};
