#include "train/run/action_scale.h"

#include <math.h>

#define BATCHES 50 // that are looked at: the clips come in a random order

bool train_action_scale_look(train_action_scale *s, const data_clip_batch *b, float *value,
                             int64_t *component) {
  if (s->told || s->batches >= BATCHES || !b->action) return false;
  s->batches++;
  *value = 0;
  for (int64_t i = 0; i < b->B * b->T * b->A; i++) {
    const float v = b->action[i];
    if (!isfinite(v) || fabsf(v) <= fabsf(*value)) continue;
    *value = v;
    *component = i % b->A;
  }
  s->told = fabsf(*value) > TRAIN_ACTION_FAR;
  return s->told;
}
