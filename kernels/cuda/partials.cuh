// Sums over rows in two stages: blocks write partial sums of their rows, a second kernel adds the
// partials in order. How rows are cut depends on the shape alone, so the bits do too.
#ifndef KERNELS_CUDA_PARTIALS_CUH
#define KERNELS_CUDA_PARTIALS_CUH

#include "kernels/cuda/cuda.h"

#ifndef CUDA_MOST_PARTIALS // tests take fewer, so that small shapes go round too
#define CUDA_MOST_PARTIALS 512
#endif

// How many partial sums, for work that could be cut into `most` pieces.
static inline int64_t cuda_partials_of(int64_t most) {
  return most < CUDA_MOST_PARTIALS ? most : CUDA_MOST_PARTIALS;
}

// Local. out[c] (+=, or = when overwrite) the sum over i < count of partial[i * stride + c], for
// c < width. What: for errors.
orr_code cuda_partials_sum(kern *k, const char *what, const float *partial, int64_t count,
                           int64_t stride, int64_t width, float *out, bool overwrite);

// Local. *out (+=, or = when overwrite) the sum of partial[0 .. count-1].
orr_code cuda_partials_sum_f64(kern *k, const char *what, const double *partial, int64_t count,
                               double *out, bool overwrite);

#endif
