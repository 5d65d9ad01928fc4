// What a rank's step can be told by, to the bit, in the order in which things follow from each
// other: the first that differs says where a repeated step went another way.
#ifndef TRAIN_FINGERPRINT_H
#define TRAIN_FINGERPRINT_H

#include <stdint.h>

#include "base/hash.h"
#include "data/clips/clip_batch.h"
#include "train/step/step.h"

typedef enum {
  TRAIN_FINGERPRINT_BATCH,     // what the rank read
  TRAIN_FINGERPRINT_LOCAL,     // its gradients, before replicas add theirs
  TRAIN_FINGERPRINT_GRADIENTS, // reduced
  TRAIN_FINGERPRINT_LOSS,      // bits of the float64
  TRAIN_FINGERPRINT_NORM,      // of the gradient, likewise
  TRAIN_FINGERPRINT_WEIGHTS,   // after the update
  TRAIN_FINGERPRINT_PARTS
} train_fingerprint_part;

typedef struct {
  uint64_t v[TRAIN_FINGERPRINT_PARTS];
} train_fingerprint;

const char *train_fingerprint_part_name(train_fingerprint_part p); // "batch", "local", ...

// Local. XXH3-64 over everything in the batch that training reads. With run.exact the sum of its
// clips', 0 on ranks of tp and cp that others share them with: over all ranks that of the whole
// batch.
uint64_t train_fingerprint_batch(const data_clip_batch *b, const train_axes *ax);

// Of a step as all layouts have it, with run.exact: of the whole batch, gradient and weights.
// TRAIN_FINGERPRINT_LOCAL is 0.
// Local. From those of all ranks.
train_fingerprint train_fingerprint_whole(const train_fingerprint *ranks, int count);
// Local. The hash chain over recorded steps: of the chain up to the step before and this step.
orr_hash128 train_fingerprint_chain(orr_hash128 before, int64_t step,
                                    const train_fingerprint *whole);
// Local. Of a step that took fingerprints; `batch` by the function above.
train_fingerprint train_fingerprint_of(uint64_t batch, const train_step_result *x);

#endif
