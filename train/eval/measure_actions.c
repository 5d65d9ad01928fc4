// Two futures of one state: what the actions change, predicted against simulated.
#include "train/eval/measure.h"

#include "base/json.h"
#include "train/eval/arithmetic.h"

enum { CHANGED_AT = 24 }; // a pixel changed when a channel differs by more than this

static const char *lacks(const train_eval_set *s) {
  return s->forks ? NULL : "the data set has no forks (orrery data generate --forks)";
}

static orr_code take(const train_films *f, json_t *out) {
  train_measure_effect effect = {0};
  const int64_t h = f->horizon, bytes = f->bytes;
  for (int64_t i = 0; i + 1 < f->set->E; i += 2)
    for (int64_t k = 0; k < h; k++)
      train_measure_effect_add(
          f->predicted + (i * h + k) * bytes, f->predicted + ((i + 1) * h + k) * bytes,
          train_films_real(f, i, f->set->prompt + k),
          train_films_real(f, i + 1, f->set->prompt + k), f->set->pixels, CHANGED_AT, &effect);
  json_object_set_new(out, "effect_corr", orr_json_number(train_measure_effect_corr(&effect)));
  json_object_set_new(out, "changed_iou", orr_json_number(train_measure_effect_iou(&effect)));
  return ORR_OK;
}

const train_measure train_measure_actions = {
    .figures = "effect_corr and changed_iou", .lacks = lacks, .take = take};
