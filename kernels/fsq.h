// The levels of finite scalar quantization (kernels/cpu/fsq.c has the equations), as every backend
// computes with them.
#ifndef KERNELS_FSQ_H
#define KERNELS_FSQ_H

#include <math.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels/ops.h"

typedef struct {
  float half, shift, offset; // of the bound, in float32 as the definition has them
  int32_t middle;            // L / 2
  int32_t levels, basis;
} kern_fsq_dim;

// Local. What of each level follows before any tensor is seen. ORR_EINVAL.
static inline orr_code kern_fsq_dims(int n, const int32_t *levels, kern_fsq_dim *dims) {
  ORR_CHECK(n >= 1 && n <= KERN_FSQ_MAX, ORR_EINVAL, "fsq: %d dimensions, wanted 1 to %d", n,
            KERN_FSQ_MAX);
  int64_t basis = 1;
  for (int i = 0; i < n; i++) {
    const int32_t L = levels[i];
    ORR_CHECK(L >= 2, ORR_EINVAL, "fsq: dimension %d has %d levels, wanted 2 or more", i, L);
    ORR_CHECK(basis * L <= INT32_MAX, ORR_EINVAL,
              "fsq: more than 2^31-1 codes; use fewer dimensions or levels");
    kern_fsq_dim *d = &dims[i];
    d->half = (float)(L - 1) * 1.001f / 2.0f;
    d->offset = L % 2 == 0 ? 0.5f : 0.0f;
    d->shift = atanhf(d->offset / d->half);
    d->middle = L / 2;
    d->levels = L;
    d->basis = (int32_t)basis;
    basis *= L;
  }
  return ORR_OK;
}

#endif
