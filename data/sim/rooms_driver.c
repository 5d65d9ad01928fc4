#include "data/sim/rooms_driver.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

// Positions of the counter below this belong to the plans.
#define FIRST_DRAW (UINT64_C(1) << 32)
#define MARGIN     0.55 // m from a wall that goals keep

static double draw(data_rooms_driver *d, double lowest, double highest) {
  double u = orr_rng_uniform(d->seed, ORR_STREAM_SCENE, d->episode, FIRST_DRAW + d->draws++);
  return lowest + (highest - lowest) * u;
}

static double clamp(double v) {
  return fmax(-1, fmin(1, v));
}

static double angle_to(double from, double to) {
  const double a = to - from;
  return a - 2 * M_PI * floor((a + M_PI) / (2 * M_PI));
}

void data_rooms_driver_start(data_rooms_driver *d, const data_rooms_plan *plan, uint64_t seed,
                             uint64_t episode) {
  *d = (data_rooms_driver){.seed = seed, .episode = episode, .plan = plan};
  // by logarithm, so that short ways are as usual as long ones
  const double frames = exp(draw(d, log(DATA_ROOMS_BACK_LEAST), log(DATA_ROOMS_BACK_MOST)));
  d->comes_back = draw(d, 0, 1) < 0.5;
  d->turned_round = draw(d, 0, 1) < 0.35;
  d->turns_at = (int64_t)(frames / 2);
}

void data_rooms_driver_fork(data_rooms_driver *d, uint64_t episode) {
  d->episode = episode;
  d->comes_back = false;
  d->mode = DATA_ROOMS_WANDER;
  d->left = 0;
}

// -- wandering ------------------------------------------------------------------------------

// Before a door of this room, or after it.
static void to_door(data_rooms_driver *d, int room, int side, bool after) {
  const double out = side % 2 ? -1 : 1, u = d->plan->door[data_rooms_door_of(room, side)];
  const double far = DATA_ROOMS_SIZE / 2 + (after ? 0.55 : -0.45);
  double x, y;
  data_rooms_middle(room, &x, &y);
  d->goal[0] = side < 2 ? x + out * far : x + u;
  d->goal[1] = side < 2 ? y + u : y + out * far;
}

// A point in this room, or before one of its doors and then after it.
static void choose(data_rooms_driver *d, const float *s) {
  const int room = data_rooms_room_at(s[0], s[1]);
  const int side = (int)draw(d, 0, DATA_ROOMS_SIDES), door = data_rooms_door_of(room, side);
  const double within = DATA_ROOMS_SIZE / 2 - MARGIN,
               far = hypot(d->goal[0] - s[0], d->goal[1] - s[1]);
  d->left = (int64_t)draw(d, 12, 30);
  d->rest = draw(d, 0, 1) < 0.12 ? (int64_t)draw(d, 2, 6) : 0;
  d->gaze = draw(d, 0, 1) < 0.3 ? draw(d, -0.3, 0.3) : 0;
  const int next = d->through - 1;
  d->through = 0;
  if (next >= 0 && far < 0.2 && data_rooms_door_of(room, next) >= 0) {
    to_door(d, room, next, true);
  } else if (door >= 0 && d->plan->open[door] && draw(d, 0, 1) < 0.8) {
    to_door(d, room, side, false);
    d->through = side + 1;
    d->left += 10;
  } else {
    data_rooms_middle(room, &d->goal[0], &d->goal[1]);
    d->goal[0] += draw(d, -within, within);
    d->goal[1] += draw(d, -within, within);
  }
}

static void wander(data_rooms_driver *d, const float *s, float *a) {
  const double dx = d->goal[0] - s[0], dy = d->goal[1] - s[1], far = hypot(dx, dy);
  if (d->left <= 0 || far < 0.15) choose(d, s);
  d->left--;
  const double off = angle_to(s[DATA_ROOMS_YAW], atan2(d->goal[1] - s[1], d->goal[0] - s[0]));
  a[DATA_ROOMS_TURN] = (float)clamp(off / 0.2);
  a[DATA_ROOMS_FORWARD] = (float)(fabs(off) < 0.5 ? clamp(far / 0.2) : 0);
  a[DATA_ROOMS_STRAFE] = (float)(fabs(off) < 0.5 ? 0.5 * clamp(sin(off)) : 0);
  a[DATA_ROOMS_LOOK] = (float)clamp((d->gaze - s[DATA_ROOMS_PITCH]) / 0.15);
  if (d->rest > 0) {
    d->rest--;
    a[DATA_ROOMS_FORWARD] = a[DATA_ROOMS_STRAFE] = 0;
  }
}

// -- back -----------------------------------------------------------------------------------

// To a pose in one step, as near as a step comes.
static void to_pose(const float *pose, const float *s, double dt_s, float *a) {
  const double *most = data_rooms_action_most;
  const double dx = pose[0] - s[0], dy = pose[1] - s[1];
  const double turn = angle_to(s[DATA_ROOMS_YAW], pose[2]);
  const double heading = s[DATA_ROOMS_YAW] + turn / 2;
  a[0] = (float)clamp((dx * cos(heading) + dy * sin(heading)) / (most[0] * dt_s));
  a[1] = (float)clamp((dy * cos(heading) - dx * sin(heading)) / (most[1] * dt_s));
  a[2] = (float)clamp(turn / (most[2] * dt_s));
  a[3] = (float)clamp((pose[3] - s[DATA_ROOMS_PITCH]) / (most[3] * dt_s));
}

// Facing the next pose of the trail while it is far, then as that pose did.
static void turn_back(data_rooms_driver *d, const float *s, double dt_s, float *a) {
  while (d->trail > 0 && hypot(d->pose[d->trail][0] - s[0], d->pose[d->trail][1] - s[1]) < 0.2)
    d->trail--;
  const float *pose = d->pose[d->trail];
  const double dx = pose[0] - s[0], dy = pose[1] - s[1];
  if (d->trail == 0 && hypot(dx, dy) < 0.2) {
    to_pose(pose, s, dt_s, a);
    if (hypot(dx, dy) < 0.03 && fabs(angle_to(s[DATA_ROOMS_YAW], pose[2])) < 0.03)
      d->mode = DATA_ROOMS_WANDER;
    return;
  }
  const double off = angle_to(s[DATA_ROOMS_YAW], atan2(dy, dx));
  a[DATA_ROOMS_TURN] = (float)clamp(off / 0.15);
  a[DATA_ROOMS_FORWARD] = fabs(off) < 0.6 ? 1 : 0;
  a[DATA_ROOMS_STRAFE] = 0;
  a[DATA_ROOMS_LOOK] = (float)clamp(-s[DATA_ROOMS_PITCH] / 0.15);
}

void data_rooms_driver_act(data_rooms_driver *d, const float *s, double dt_s, float *a) {
  const int64_t t = d->frame++;
  memset(a, 0, DATA_ROOMS_ACTIONS * sizeof *a);
  if (d->mode == DATA_ROOMS_WANDER) {
    if (d->comes_back && t < DATA_ROOMS_BACK_MOST) memcpy(d->pose[t], s, sizeof d->pose[t]);
    if (d->comes_back && t == d->turns_at) {
      d->mode = d->turned_round ? DATA_ROOMS_RETURN : DATA_ROOMS_RETRACE;
      d->trail = t - 1;
      d->left = 0;
    }
  }
  if (d->mode == DATA_ROOMS_RETRACE && d->trail < 0) d->mode = DATA_ROOMS_WANDER;
  if (d->mode == DATA_ROOMS_RETRACE)
    to_pose(d->pose[d->trail--], s, dt_s, a);
  else if (d->mode == DATA_ROOMS_RETURN)
    turn_back(d, s, dt_s, a);
  else
    wander(d, s, a);
}
