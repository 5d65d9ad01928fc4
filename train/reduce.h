// Gradient reduction over the data axis: fixed buckets of the flat gradient, each all-reduced as
// soon as the backward pass has finished with it (the flat layout is in forward order, so gradients
// become final from its end to its start), overlapping the rest of the backward pass.
#ifndef TRAIN_REDUCE_H
#define TRAIN_REDUCE_H

#include <stdint.h>

#include "base/status.h"
#include "dist/comm.h"

typedef struct train_reduce train_reduce;

// Local. `grad` [n] is borrowed. bucket_bytes: size of a bucket (the last one may be smaller).
orr_code train_reduce_create(dist_comm *comm, float *grad, int64_t n, int64_t bucket_bytes,
                             train_reduce **out);
void train_reduce_destroy(train_reduce *r); // takes NULL
// Collective over the comm. Gradients at and behind `first` are final: starts their buckets and
// gives the ones under way a push. The signature is train_grad_ready_fn's.
orr_code train_reduce_ready(void *reduce, int64_t first);
// Collective over the comm. Starts what is left and waits for all; adds the time spent waiting.
orr_code train_reduce_finish(train_reduce *r, double *wait_ms);

#endif
