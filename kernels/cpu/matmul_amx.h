// The products of a linear layer in bfloat16 on AMX tiles, for operands with enough whole tiles:
// packing, product and epilogue work out of the second-level cache, and the rows to come are
// fetched ahead, which a general library does not do for tall and narrow matrices.
#ifndef KERNELS_CPU_MATMUL_AMX_H
#define KERNELS_CPU_MATMUL_AMX_H

#include "kernels/cpu/cpu.h"

// y[M,N] (=) x[M,K] b[K,N] + bias[N] + add[M,N]; bfloat16 x and b, y and add of y_type.
typedef struct {
  kern_dtype y_type;
  int64_t M, N, K;
  const uint16_t *x, *b;
  const float *bias; // may be NULL
  const void *add;   // row stride ldy; may be NULL; may equal y
  void *y;
  int64_t ldx, ldb, ldy;
  bool b_transposed; // b is stored [N,K]
} matmul_amx_args;

static inline bool matmul_amx_fits(const kern *k, int64_t M, int64_t N, int64_t K) {
  if (cpu_impl_of(k)->level < CPU_LEVEL_AMX || K < 32 || K % 32 != 0) return false;
  return k->exact || (M >= 64 && N >= 32); // exact: whatever part of the rows and columns is here
}

// Whether dw has a few whole tiles for every thread.
static inline bool matmul_amx_fits_weight(const kern *k, const kern_matmul_bwd_w_args *a) {
  const int64_t wide = a->N > a->K ? a->N : a->K, narrow = a->N > a->K ? a->K : a->N;
  if (a->type != KERN_BF16 || cpu_impl_of(k)->level < CPU_LEVEL_AMX || a->M < 64) return false;
  return k->exact || (narrow >= 32 && wide >= 64 * k->threads);
}

// Strides are already filled in (no zeros). Both do the planning too.
orr_code matmul_amx_run(kern *k, const matmul_amx_args *a);
// dw only, not dbias. Strides are already filled in.
orr_code matmul_amx_weight(kern *k, const kern_matmul_bwd_w_args *a);

#endif
