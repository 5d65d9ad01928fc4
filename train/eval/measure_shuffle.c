// Do actions matter to the loss: with each clip's own, and with those of another clip.
#include "train/eval/measure.h"

#include <math.h>

#include "base/json.h"
#include "train/eval/shuffle.h"

static orr_code take(const train_films *f, json_t *out) {
  double loss = 0.0, other = 0.0;
  ORR_TRY(train_eval_loss(f->dynamics, f->set, f->seed, f->own_actions, &loss));
  ORR_TRY(train_eval_loss(f->dynamics, f->set, f->seed, f->other_actions, &other));
  json_object_set_new(out, "loss", orr_json_number(loss));
  json_object_set_new(out, "action_shuffle_ratio",
                      orr_json_number(loss > 0.0 ? other / loss : NAN));
  return ORR_OK;
}

const train_measure train_measure_shuffle = {.figures = "action_shuffle_ratio", .take = take};
