// Sums over the rows of a matrix, of all of them or of those that some per-row value chooses.
#ifndef KERNELS_CUDA_COLUMNS_CUH
#define KERNELS_CUDA_COLUMNS_CUH

#include "kernels/cuda/cuda.h"

// Sum z takes row m when zero is NULL or zero[m] is 0, and group is NULL or
// group[m / per % groups] is z.
typedef struct {
  const uint8_t *zero;
  const int32_t *group;
  int64_t per, groups;
} cuda_row_choice;

typedef struct {
  const char *what; // for errors
  kern_dtype type;
  int64_t M, width, ld; // of x, in elements
  const void *x;
  cuda_row_choice choice;
  int64_t sums;
  float *out;     // [sums, width]
  bool overwrite; // out (=), else (+=)
} cuda_columns;

// Local. In float32, in an order that the shape alone decides. Uses the workspace.
orr_code cuda_columns_sum(kern *k, const cuda_columns *c);

#endif
