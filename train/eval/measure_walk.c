// Whether whoever walks through a film of the rooms scene goes as the actions say: turning and
// walking recovered from two frames in a row, against where the simulator says that one stood.
#include "train/eval/measure.h"

#include <math.h>

#include "base/json.h"
#include "data/sim/rooms.h"
#include "train/eval/arithmetic.h"
#include "train/eval/flow.h"

// What counts as none of a movement, as one, and how a picture tells them apart: shares of what
// action 1 does in a frame.
#define NONE 0.15
#define SOME 0.45

static const char *lacks(const train_eval_set *s) {
  return s->rooms ? NULL : "the data set has no state of the rooms scene";
}

typedef enum { LITTLE_TOLD = -2 } doubt; // neither none nor one: not asked

// -1, 0, 1, or LITTLE_TOLD.
static int sign_of(double share) {
  if (fabs(share) < NONE) return 0;
  if (fabs(share) < SOME) return LITTLE_TOLD;
  return share > 0 ? 1 : -1;
}

static double turned(double from, double to) {
  const double a = to - from;
  return a - 2 * M_PI * floor((a + M_PI) / (2 * M_PI));
}

// What one frame should show of turning and walking: shares of a full action. dt_s a frame.
static void truth(const float *was, const float *is, double dt_s, int *turn, int *walk) {
  const double dx = is[0] - was[0], dy = is[1] - was[1];
  const double angle = turned(was[DATA_ROOMS_YAW], is[DATA_ROOMS_YAW]);
  const double heading = was[DATA_ROOMS_YAW] + angle / 2;
  const double ahead = dx * cos(heading) + dy * sin(heading);
  *turn = sign_of(angle / (data_rooms_action_most[DATA_ROOMS_TURN] * dt_s));
  *walk = sign_of(ahead / (data_rooms_action_most[DATA_ROOMS_FORWARD] * dt_s));
}

static int seen_sign(double value, double least) {
  return value > least ? 1 : value < -least ? -1 : 0;
}

typedef struct {
  train_measure_mean turn, walk;
} score;

static void add(const train_films *f, int64_t clip, int64_t t, const uint8_t *before,
                const uint8_t *after, score *all) {
  const train_eval_set *s = f->set;
  const float *was = s->state + (clip * s->T + t - 1) * s->Q;
  const double dt_s = s->dt_s;
  int turn, walk;
  truth(was, was + s->Q, dt_s, &turn, &walk);
  const train_flow flow = train_flow_between(before, after, s->height, s->width);
  // to the left: what is seen moves to the right; pixels of a small angle in the middle
  const double pixels = 0.5 * (double)s->height / tan(DATA_ROOMS_LENS / 2);
  const double step = pixels * data_rooms_action_most[DATA_ROOMS_TURN] * dt_s;
  if (turn != LITTLE_TOLD)
    train_measure_mean_add(&all->turn, seen_sign(flow.right, 0.3 * step) == turn);
  // a turn stretches what is seen as well: walking is asked about where there is none
  if (walk != LITTLE_TOLD && turn == 0)
    train_measure_mean_add(&all->walk, seen_sign(flow.nearer, 0.005) == walk);
}

static double accuracy(const score *s) {
  const double n = (double)(s->turn.count + s->walk.count);
  return n > 0 ? (s->turn.sum + s->walk.sum) / n : NAN;
}

static orr_code take(const train_films *f, json_t *out) {
  score predicted = {0}, real = {0};
  for (int64_t i = 0; i < f->set->E; i++)
    for (int64_t k = 1; k < f->horizon; k++) {
      const uint8_t *film = f->predicted + (i * f->horizon + k) * f->bytes;
      const int64_t t = f->set->prompt + k;
      add(f, i, t, film - f->bytes, film, &predicted);
      add(f, i, t, train_films_real(f, i, t - 1), train_films_real(f, i, t), &real);
    }
  json_object_set_new(out, "action_accuracy", orr_json_number(accuracy(&predicted)));
  json_object_set_new(out, "turn_accuracy",
                      orr_json_number(train_measure_mean_of(&predicted.turn)));
  json_object_set_new(out, "walk_accuracy",
                      orr_json_number(train_measure_mean_of(&predicted.walk)));
  json_object_set_new(out, "real_action_accuracy", orr_json_number(accuracy(&real)));
  json_object_set_new(out, "real_turn_accuracy",
                      orr_json_number(train_measure_mean_of(&real.turn)));
  json_object_set_new(out, "real_walk_accuracy",
                      orr_json_number(train_measure_mean_of(&real.walk)));
  return ORR_OK;
}

const train_measure train_measure_walk = {
    .figures = "action_accuracy", .lacks = lacks, .take = take};
