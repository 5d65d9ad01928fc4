// Weights that replicas share out (dist.zero 3), on their way to where the products read them: the
// segment that a pass works on is there, the next one on its way, and all others are with those who
// keep parts of them (train/step/state.h). What no product reads (norms, tables of embeddings,
// biases) is everywhere in float32 and does not travel here.
#ifndef TRAIN_FETCH_H
#define TRAIN_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "train/model/axes.h"
#include "train/step/state.h"

typedef struct train_fetch train_fetch;

// Local. Borrows both; after train_state_share. Where weights are shared out the state's weights
// ask it from now on. ORR_ENOMEM.
orr_code train_fetch_create(train_axes *axes, train_state *state, train_fetch **out);
void train_fetch_destroy(train_fetch *f); // takes NULL
// Local. False: a segment starts on its way when it is needed, for a comparison. True at first.
void train_fetch_overlap(train_fetch *f, bool overlap);
// Collective over those that share. The weights change or have changed: none are there.
orr_code train_fetch_forget(train_fetch *f);

#endif
