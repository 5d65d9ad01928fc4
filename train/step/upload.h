// Arrays that the host makes or reads, on their way to device memory: piece by piece through a
// pinned buffer, so that no second copy of a model ever lies on the host.
#ifndef TRAIN_UPLOAD_H
#define TRAIN_UPLOAD_H

#include <stdint.h>

#include "kernels/kern.h"

// Writes elements [first, first+count) to `to`, which holds zeros.
typedef orr_code (*train_upload_fn)(void *ctx, int64_t first, int64_t count, float *to);

// Local. device [count] (=) what `give` writes, called with growing `first`. Has happened when it
// returns. ORR_ENOMEM, or what `give` returns.
orr_code train_upload(kern *k, float *device, int64_t count, train_upload_fn give, void *ctx);

#endif
