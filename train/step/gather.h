// Parameters on their way back: where replicas share the optimizer's states out, each updates its
// part of every bucket, or buckets of its own, and these go to everyone while the next bucket is
// updated.
// The values are those of gathering it all at the end, to the bit.
#ifndef TRAIN_GATHER_H
#define TRAIN_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "train/model/axes.h"
#include "train/step/state.h"

typedef struct train_gather train_gather;

// Local. Borrows both; after train_state_share. ORR_ENOMEM.
orr_code train_gather_create(train_axes *axes, train_state *state, train_gather **out);
void train_gather_destroy(train_gather *g); // takes NULL
// Local. False: nothing starts before finish, for a comparison. True at first.
void train_gather_overlap(train_gather *g, bool overlap);
// Collective over replicas. This rank's part of `bucket` is updated: it starts on its way, and the
// ones under way get a push. The signature is train_updated_fn's.
orr_code train_gather_bucket(void *gather, int64_t bucket);
// Collective over replicas. Starts what is left and waits for all; then the float32 copies of what
// the products do not read.
orr_code train_gather_finish(train_gather *g);

#endif
