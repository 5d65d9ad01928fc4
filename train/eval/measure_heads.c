// What the heads on registers say of frames beyond the prompt, against what the data set knows: as
// they were recorded (given_*), and as the model predicted them under the same actions.
#include "train/eval/measure.h"

#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "train/eval/arithmetic.h"

// Sums over the frames of one kind whose truth is known.
typedef struct {
  train_measure_mean off, right; // |said - truth|; whether both are on one side of a half
  train_measure_series both;
} sums;

static void add(sums *s, double said, double truth) {
  train_measure_mean_add(&s->off, fabs(said - truth));
  train_measure_mean_add(&s->right, (said >= 0.5) == (truth >= 0.5));
  train_measure_series_add(said, truth, &s->both);
}

static double known(const train_measure_mean *m) {
  return m->count ? train_measure_mean_of(m) : NAN;
}

static void put(json_t *out, const char *kind, const char *head, const char *figure, double v) {
  char name[64];
  snprintf(name, sizeof name, "%s%s_%s", kind, head, figure);
  json_object_set_new(out, name, orr_json_number(v));
}

static void tell(const sums *s, train_outcome o, const char *kind, json_t *out) {
  const char *head = train_outcome_name(o);
  put(out, kind, head, "error", known(&s->off));
  if (o == TRAIN_DONE)
    put(out, kind, head, "accuracy", known(&s->right));
  else
    put(out, kind, head, "corr", train_measure_series_corr(&s->both));
}

static orr_code take(const train_films *f, json_t *out) {
  const train_eval_set *s = f->set;
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    sums given = {0}, predicted = {0};
    if (!f->dynamics->dynamics.outcome[o]) continue;
    for (int64_t i = 0; i < s->E * s->T; i++) {
      const double truth = (double)s->outcome[o][i];
      if (isnan(truth) || i % s->T < s->prompt) continue; // the same frames both times
      add(&given, f->given_said[o][i], truth);
      add(&predicted, f->said[o][i], truth);
    }
    tell(&given, (train_outcome)o, "given_", out);
    tell(&predicted, (train_outcome)o, "", out);
  }
  return ORR_OK;
}

const train_measure train_measure_heads = {.figures = "reward, done and progress", .take = take};
