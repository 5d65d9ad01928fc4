// The weights of a whole model on rank 0's host, from wherever they lie: shared out over replicas,
// split over tp. For what looks at a model while it is trained.
#ifndef TRAIN_WHOLE_H
#define TRAIN_WHOLE_H

#include "configs/config.h"
#include "train/model/axes.h"
#include "train/step/state.h"

typedef struct train_whole train_whole;

// Local. Takes all memory that it will need. Borrows all; `s` is what the model runs on.
// ORR_ENOMEM.
orr_code train_whole_create(const cfg *c, train_state *s, train_axes *axes, train_whole **out);
void train_whole_destroy(train_whole *w); // takes NULL
// Collective over tp and replicas, between two steps. *flat (=) on rank 0 the moving average, or
// where there is none the weights, in the flat layout that one rank alone has; NULL elsewhere. Uses
// up the gradients where states are shared out.
orr_code train_whole_take(train_whole *w, const float **flat);

#endif
