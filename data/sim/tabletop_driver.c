#include "data/sim/tabletop_driver.h"

#include <math.h>

#include "base/rng.h"

// Positions of the counter below this belong to the start states.
#define FIRST_DRAW (UINT64_C(1) << 32)
#define NEAR_WALL  0.8 // m from the middle: a heading turns back from here

static double draw(data_tabletop_driver *d, double lowest, double highest) {
  double u = orr_rng_uniform(d->seed, ORR_STREAM_SCENE, d->episode, FIRST_DRAW + d->draws++);
  return lowest + (highest - lowest) * u;
}

static int64_t draw_whole(data_tabletop_driver *d, int64_t lowest, int64_t highest) {
  return lowest + (int64_t)floor(draw(d, 0, (double)(highest - lowest + 1)));
}

static double bearing(const float *from, double x, double y) {
  return atan2(y - from[1], x - from[0]);
}

void data_tabletop_driver_start(data_tabletop_driver *d, uint64_t seed, uint64_t episode) {
  *d = (data_tabletop_driver){.seed = seed, .episode = episode};
}

// Of two drawn objects the one nearer the middle: what lies at a wall moves little.
static data_tabletop_object draw_object(data_tabletop_driver *d, const float *state) {
  int64_t a = draw_whole(d, DATA_TABLETOP_BOX, DATA_TABLETOP_SPHERE);
  int64_t b = draw_whole(d, DATA_TABLETOP_BOX, DATA_TABLETOP_SPHERE);
  double out_a = fmax(fabs(state[4 * a]), fabs(state[4 * a + 1]));
  double out_b = fmax(fabs(state[4 * b]), fabs(state[4 * b + 1]));
  return (data_tabletop_object)(out_a < out_b ? a : b);
}

// What to do next, and for how long.
static void choose(data_tabletop_driver *d, const float *state) {
  double u = draw(d, 0, 1);
  d->mode = u < 0.25   ? DATA_DRIVE_HEADING
            : u < 0.5  ? DATA_DRIVE_CHASE
            : u < 0.93 ? DATA_DRIVE_HERD
                       : DATA_DRIVE_REST;
  d->insists = false;
  d->speed = draw(d, 0.7, 1);
  d->object = draw_object(d, state);
  d->left = d->mode == DATA_DRIVE_REST ? draw_whole(d, 2, 4) : draw_whole(d, 5, 14);
  // For a heading its direction, for a chase how far beside the object it aims.
  d->angle = d->mode == DATA_DRIVE_HEADING ? draw(d, -M_PI, M_PI) : draw(d, -0.3, 0.3);
  for (int i = 0; i < 2; i++) d->goal[i] = draw(d, -0.6, 0.6);
}

// Back to the open table when something between puck and wall will not yield.
static void back_off(data_tabletop_driver *d, const float *state) {
  double slow = 0.3 * d->speed * DATA_TABLETOP_PUCK_SPEED;
  bool moves = d->insists || d->mode == DATA_DRIVE_REST || hypot(state[2], state[3]) > slow;
  d->stuck = moves ? 0 : d->stuck + 1;
  if (d->stuck < 3) return;
  d->stuck = 0;
  d->mode = DATA_DRIVE_HEADING;
  d->angle = bearing(state, draw(d, -0.5, 0.5), draw(d, -0.5, 0.5));
  d->left = draw_whole(d, 3, 6);
}

static double heading_angle(const data_tabletop_driver *d, const float *state) {
  double x = cos(d->angle), y = sin(d->angle);
  if (!d->insists && fabs(state[0]) > NEAR_WALL && x * state[0] > 0) x = -x;
  if (!d->insists && fabs(state[1]) > NEAR_WALL && y * state[1] > 0) y = -y;
  return atan2(y, x);
}

// Towards the far side of the object seen from its goal, then through it.
static double herd_angle(const data_tabletop_driver *d, const float *state) {
  const float *object = state + 4 * d->object;
  double push = bearing(object, d->goal[0], d->goal[1]);
  double ahead = bearing(state, object[0], object[1]);
  if (cos(ahead - push) > 0.75) return ahead + d->angle * 0.3;
  return bearing(state, object[0] - 0.42 * cos(push), object[1] - 0.42 * sin(push));
}

static double drive_angle(const data_tabletop_driver *d, const float *state) {
  const float *object = state + 4 * d->object;
  if (d->mode == DATA_DRIVE_CHASE) return bearing(state, object[0], object[1]) + d->angle;
  if (d->mode == DATA_DRIVE_HERD) return herd_angle(d, state);
  return heading_angle(d, state);
}

void data_tabletop_driver_act(data_tabletop_driver *d, const float *state, float *action) {
  back_off(d, state);
  if (d->left == 0) choose(d, state);
  d->left--;
  if (d->mode == DATA_DRIVE_HEADING) d->angle = heading_angle(d, state); // a turn at a wall lasts
  double angle = drive_angle(d, state);
  double speed = d->mode == DATA_DRIVE_REST ? 0 : d->speed;
  action[0] = (float)(speed * cos(angle));
  action[1] = (float)(speed * sin(angle));
}

void data_tabletop_driver_fork(data_tabletop_driver *d, uint64_t episode, bool opposed,
                               const float *state) {
  // Both futures draw the same numbers here, from the draws that they shared: half of the pairs
  // part at an object, so that one future moves it and the other does not.
  bool at_object = draw(d, 0, 1) < 0.5;
  data_tabletop_object object = draw_object(d, state);
  double anywhere = draw(d, -M_PI, M_PI), turn = draw(d, 2 * M_PI / 3, 4 * M_PI / 3);
  double angle = at_object ? bearing(state, state[4 * object], state[4 * object + 1]) : anywhere;
  d->mode = DATA_DRIVE_HEADING;
  d->left = draw_whole(d, 4, 10);
  d->insists = true; // at a wall both would turn to the same side
  d->speed = draw(d, 0.85, 1);
  d->angle = opposed ? angle + turn : angle;
  d->episode = episode;
}
