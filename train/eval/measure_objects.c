// How far from their places the objects of the tabletop scene are in a rollout.
#include "train/eval/measure.h"

#include "base/json.h"
#include "data/sim/tabletop.h"
#include "train/eval/arithmetic.h"

// Where an object that cannot be found counts as being: half a table away, in metres.
static const double MISSED_AT = 1.0;

static const char *lacks(const train_eval_set *s) {
  return s->tabletop ? NULL : "the data set has no state of the tabletop scene";
}

static void locate_objects(const train_films *f, int64_t clip, int64_t k,
                           train_measure_position *all) {
  const train_eval_set *s = f->set;
  const uint8_t *rgb = f->predicted + (clip * f->horizon + k) * f->bytes;
  const float *state = s->state + (clip * s->T + s->prompt + k) * s->Q;
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++) {
    double x = 0.0, y = 0.0, area = 0.0;
    data_tabletop_locate(rgb, s->height, s->width, (data_tabletop_object)o, &x, &y, &area);
    train_measure_position_add(area > 0.0, x, y, state[4 * o], state[4 * o + 1], MISSED_AT, all);
  }
}

// How many objects a frame shows, by colour.
static int objects_in(const train_eval_set *s, const uint8_t *rgb) {
  int found = 0;
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++) {
    double x, y, area = 0.0;
    data_tabletop_locate(rgb, s->height, s->width, (data_tabletop_object)o, &x, &y, &area);
    found += area > 0.0;
  }
  return found;
}

static orr_code take(const train_films *f, json_t *out) {
  json_t *errors = json_array(), *kept = json_array();
  int64_t missed = 0;
  for (int64_t k = 0; k < f->horizon; k++) {
    train_measure_position all = {0};
    train_measure_mean same = {0};
    for (int64_t i = 0; i < f->set->E; i++) {
      locate_objects(f, i, k, &all);
      const int real = objects_in(f->set, train_films_real(f, i, f->set->prompt + k));
      train_measure_mean_add(
          &same, objects_in(f->set, f->predicted + (i * f->horizon + k) * f->bytes) == real);
    }
    json_array_append_new(kept, orr_json_number(train_measure_mean_of(&same)));
    json_array_append_new(errors, orr_json_number(train_measure_mean_of(&all.error)));
    missed += all.missed;
  }
  json_object_set_new(out, "position_error", errors);
  json_object_set_new(out, "objects_kept", kept);
  json_object_set_new(out, "objects_missed", json_integer((json_int_t)missed));
  return ORR_OK;
}

const train_measure train_measure_objects = {
    .figures = "position_error", .lacks = lacks, .take = take};
