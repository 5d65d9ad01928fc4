// Whether a model's surprise at its own first frames says that a rollout will go wrong. Wrong is a
// rollout that is farther from the truth at horizon AT than the last prompt frame, as the tokenizer
// gives it back: one had better have held that.
#include <math.h>

#include "base/auroc.h"
#include "base/json.h"
#include "base/mem.h"
#include "train/eval/arithmetic.h"
#include "train/eval/measure.h"

enum { FIRST = 4, AT = 16 };

static const char *lacks(const train_eval_set *s) {
  return s->T - s->prompt >= AT ? NULL : "rollouts are shorter than 16 frames (--horizon)";
}

static bool is_wrong(const train_films *f, int64_t clip) {
  const uint8_t *real = train_films_real(f, clip, f->set->prompt + AT - 1);
  return train_measure_mse(real, f->predicted + (clip * f->horizon + AT - 1) * f->bytes, f->bytes) >
         train_measure_mse(real, f->given + clip * f->bytes, f->bytes);
}

static orr_code take(const train_films *f, json_t *out) {
  const int64_t E = f->set->E;
  int64_t wrong = 0;
  orr_judged *all = orr_malloc((size_t)E * sizeof *all);
  ORR_CHECK(all, ORR_ENOMEM, "evaluation: out of memory");
  for (int64_t i = 0; i < E; i++) {
    all[i] = (orr_judged){.is = is_wrong(f, i)};
    for (int64_t k = 0; k < FIRST; k++) all[i].score += f->nats[i * f->horizon + k] / FIRST;
    wrong += all[i].is;
  }
  json_object_set_new(out, "foresight_auroc", orr_json_number(orr_auroc(all, E)));
  json_object_set_new(out, "wrong_at_16", orr_json_number((double)wrong / (double)E));
  orr_free(all);
  return ORR_OK;
}

const train_measure train_measure_foresight = {
    .figures = "foresight_auroc", .lacks = lacks, .take = take};
