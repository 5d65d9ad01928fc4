// Sums over rows in two stages: blocks write partial sums of their rows, a second kernel adds the
// partials in order. How rows are cut depends on the shape alone, so the bits do too.
#ifndef KERNELS_CUDA_PARTIALS_CUH
#define KERNELS_CUDA_PARTIALS_CUH

#include "kernels/cuda/cuda.h"

// How many partial sums, for work that could be cut into `most` pieces.
static inline int64_t cuda_partials_of(int64_t most) {
  return most < 512 ? most : 512;
}

// Local. out[c] (+=, or = when overwrite) the sum over i < count of partial[i * stride + c], for
// c < width. What: for errors.
orr_code cuda_partials_sum(kern *k, const char *what, const float *partial, int64_t count,
                           int64_t stride, int64_t width, float *out, bool overwrite);

#endif
