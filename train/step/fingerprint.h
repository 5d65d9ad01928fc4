// What a rank's step can be told by, to the bit, in the order in which things follow from each
// other: the first that differs says where a repeated step went another way.
#ifndef TRAIN_FINGERPRINT_H
#define TRAIN_FINGERPRINT_H

#include <stdint.h>

#include "data/clips/clip_batch.h"
#include "train/step/step.h"

typedef enum {
  TRAIN_PRINT_BATCH,     // what the rank read
  TRAIN_PRINT_LOCAL,     // its gradients, before replicas add theirs
  TRAIN_PRINT_GRADIENTS, // reduced
  TRAIN_PRINT_LOSS,      // bits of the float64
  TRAIN_PRINT_NORM,      // of the gradient, likewise
  TRAIN_PRINT_WEIGHTS,   // behind the update
  TRAIN_PRINTS
} train_fingerprint_part;

typedef struct {
  uint64_t v[TRAIN_PRINTS];
} train_fingerprint;

const char *train_fingerprint_part_name(train_fingerprint_part p); // "batch", "local", ...

// Local. XXH3-64 over everything in the batch that training reads.
uint64_t train_fingerprint_batch(const data_clip_batch *b);
// Local. Of a step that took fingerprints; `batch` by the function above.
train_fingerprint train_fingerprint_of(uint64_t batch, const train_step_result *x);

#endif
