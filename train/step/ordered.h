// Gradients of groups of clips, added in the order of their tree (train/step/tree.h). Of a rank's
// own groups each pass makes one; they are added in arrays beside the gradients' own, which takes
// the last one's. What then is left are nodes of the tree, most often one. Every bucket of them
// goes to the replicas by parts: the one that a part belongs to has that part of all nodes of the
// step, adds them in the order of the tree, and sends the sum on unless it keeps it.
//
// Ranks of cp have parts of the same groups, the two leaves of each: their sum has one order, and
// is made before groups are added.
//
// Where gradients leave after every pass (dist.zero 2 and 3) train/step/turns.h adds them, in the
// order of the same tree.
#ifndef TRAIN_ORDERED_H
#define TRAIN_ORDERED_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "train/model/axes.h"
#include "train/step/state.h"

typedef struct train_ordered train_ordered;

// Local. For `groups` passes on each replica; borrows axes and state. Sets state->waiting before
// train_state_place. ORR_ENOMEM; ORR_ECONFIG: the tree of so many groups is too deep.
orr_code train_ordered_create(train_axes *axes, train_state *state, int64_t groups,
                              train_ordered **out);
void train_ordered_destroy(train_ordered *o); // takes NULL
// Local. Takes what parts arrive in, for buckets as they are cut in `buckets`; once counting, once
// committed.
orr_code train_ordered_place(train_ordered *o, const train_partition *buckets, orr_arena *arena);
// Local. The next pass' gradients: state->weights.grad (=) where they go.
void train_ordered_begin(train_ordered *o);
// Collective over cp. The pass, not the last one, has made all of its gradients.
orr_code train_ordered_end(train_ordered *o);
// Collective over the replicas. Of the last pass (dist.zero 2 and 3: of this one) bucket i of
// `buckets` is made. It becomes that of the step, in this rank's piece of state->own_grad, or,
// where `buckets` has one rank, in place on every replica.
orr_code train_ordered_bucket(train_ordered *o, const train_partition *buckets, int64_t i);
// Collective over the axis. x [count], of which this rank has its part (train_part_of), to all of
// it; `counts` [4, ranks] is scratch.
orr_code train_ordered_spread(train_axes *axes, dist_axis axis, float *x, int64_t count,
                              int64_t *counts);

#endif
