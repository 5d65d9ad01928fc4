// Matrix products of the linear layers, in float32 or with the CPU's bfloat16 instruction:
//   cpu_gemm_rows    y[M,N] (=) x[M,K] b[K,N] + bias[N] + add[M,N]
//   cpu_gemm_weight  dw[N,K] (= or +=) dy[M,N]^T x[M,K]
// bfloat16 operands are widened on CPUs without that instruction. An element is the sum over the
// depth in blocks that depend on the shape alone, in order, so its bits depend neither on the
// number of threads nor, in float32, on the instruction set (from FMA on).
//
// b, and in cpu_gemm_weight both operands, are packed into panels (kernels/cpu/gemm_pack.h) whose
// products are tiles that the vector registers hold (kernels/cpu/gemm_tile.h).
#ifndef KERNELS_CPU_GEMM_H
#define KERNELS_CPU_GEMM_H

#include "kernels/cpu/cpu.h"

typedef struct {
  kern_dtype type;   // of x and b
  kern_dtype y_type; // of y and add
  int64_t M, N, K;
  const void *x, *b;
  const void *packed; // b by pack_weight; NULL: it is packed here
  const float *bias;  // may be NULL
  const void *add;    // may be NULL, and may be y
  void *y;
  int64_t ldx, ldb, ldy;     // row strides; add has y's
  bool b_transposed;         // b is stored [N,K]
  const kern_slices *slices; // of K; NULL = blocks of the shape alone
} cpu_gemm_rows_args;

// Local. Both plan, too.
orr_code CPU_FN(cpu_gemm_rows)(kern *k, const cpu_gemm_rows_args *a);
// dw only, not dbias. Strides are filled in (no zeros), and M > 0.
orr_code CPU_FN(cpu_gemm_weight)(kern *k, const kern_matmul_bwd_w_args *a);

#endif
