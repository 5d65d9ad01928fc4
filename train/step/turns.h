// Gradients that leave after every pass (dist.zero 2 and 3), added in the order of the tree of
// groups (train/step/tree.h). Ranks of dp take the groups in turn: pass p of the first rank is
// group p * dp, of the second one group p * dp + 1. So all groups of a pass are neighbours in the
// tree, and what waits on a stack between two passes is few nodes: of own elements alone, as many
// as the number of groups has binary digits at most.
//
// A pass' bucket goes by parts, at once from all replicas, to who sums them: each keeps a part, or,
// where groups of replicas keep the same (dist.shard), divides it with its like, which after the
// last pass give each other what they have. Ranks of cp bring the two leaves of a group, which are
// the tree's lowest nodes.
#ifndef TRAIN_TURNS_H
#define TRAIN_TURNS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "train/model/axes.h"
#include "train/step/partition.h"
#include "train/step/state.h"

typedef struct train_turns train_turns;

// Local. For `passes` on each replica; borrows axes and state. Sets state->waiting before
// train_state_place. ORR_ENOMEM.
orr_code train_turns_create(train_axes *axes, train_state *state, int64_t passes,
                            train_turns **out);
void train_turns_destroy(train_turns *t); // takes NULL
// Local. Takes what parts arrive in; once counting, once committed.
orr_code train_turns_place(train_turns *t, const train_partition *buckets, orr_arena *arena);
// Local. Before the next pass.
void train_turns_begin(train_turns *t);
// Collective over the replicas. Bucket i of this pass is made, where train_gradient has it; buckets
// come from the end. In the last pass this rank's piece of state->own_grad becomes the step's.
orr_code train_turns_bucket(train_turns *t, const train_partition *buckets, int64_t i);

#endif
