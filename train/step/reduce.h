// Gradient reduction: fixed buckets of the flat gradient, each reduced over the replicas as soon as
// the backward pass has finished with it (the flat layout is in forward order, so gradients become
// final from its end to its start), overlapping the rest of the backward pass. Where states are
// sharded in equal parts a bucket is reduce-scattered, else all-reduced.
//
// Where gradients are shared out (dist.zero 2 and 3) only two neighbouring segments of them are
// there at a time (train/model/params.h): once a segment is final its buckets leave, and it is
// there anew for the segment after the next one when they have arrived. So every micro-batch's
// gradients are reduced, and added up where they are kept.
//
// Where the replicas are cut into groups (dist.shard) a bucket's part is then summed over the
// groups, once a step.
//
// Weights that ranks of tp share have gradients of each rank's rows or heads alone; these are
// summed over tp just before their buckets start.
#ifndef TRAIN_REDUCE_H
#define TRAIN_REDUCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "train/model/axes.h"
#include "train/step/ordered.h"
#include "train/step/state.h"

typedef struct train_reduce train_reduce;

// Local. Reduces state->weights.grad (into state->own_grad where that is sharded) in buckets of
// bucket_bytes, over steps of so many micro-batches; borrows all. With
// `ordered` sums are made by it, instead of by the transport.
orr_code train_reduce_create(train_axes *axes, train_state *state, int64_t bucket_bytes,
                             int64_t micros, train_ordered *ordered, train_reduce **out);
void train_reduce_destroy(train_reduce *r); // takes NULL
// Local. False: no bucket starts before finish, for a comparison. True at first.
void train_reduce_overlap(train_reduce *r, bool overlap);
// Local. From the next step on *local (=), in device memory, the fingerprint of the gradients as
// this rank brings them to its replicas; NULL: none is taken. Not written where there is one
// replica.
void train_reduce_fingerprint(train_reduce *r, uint64_t *local);
// Local. Takes its buffers; once counting, once committed.
orr_code train_reduce_place(train_reduce *r, orr_arena *arena);
// Local. Before micro-batch `micro` of a step: clears what its backward pass adds to.
orr_code train_reduce_begin(train_reduce *r, int64_t micro, bool last);
// Local. Whether a micro-batch's gradients have to be told of by `ready`: the last one's, or, where
// they are shared out, all.
bool train_reduce_wants(const train_reduce *r);
// Collective over tp and replicas. Gradients at and after `first` are final: starts their buckets
// and gives the ones under way a push. The signature is train_grad_ready_fn's.
orr_code train_reduce_ready(void *reduce, int64_t first);
// Collective over tp and replicas. After a micro-batch that was told of: starts what is left and
// waits for all.
orr_code train_reduce_finish(train_reduce *r);

#endif
