// Whether the actions of the data have a size that a model can learn from: -1 to 1, or not far
// beyond.
#ifndef TRAIN_ACTION_SCALE_H
#define TRAIN_ACTION_SCALE_H

#include <stdbool.h>
#include <stdint.h>

#include "data/clips/clip_batch.h"

#define TRAIN_ACTION_FAR 10.0f // an action beyond this is told

// The largest action of what this process has seen so far.
typedef struct {
  int64_t batches;
  bool told;
} train_action_scale;

// Local. Looks at a batch, of the first ones of this process. True once, at the first action far
// beyond 1: *value, of the layout's component *component.
bool train_action_scale_look(train_action_scale *s, const data_clip_batch *b, float *value,
                             int64_t *component);

#endif
