// The CUDA backend: what its files share. C files hold the host side (context, matrix products,
// the choice of an attention); .cu files hold our own kernels and their entry points. Both are
// built wherever the toolkit is, and run where a driver and a device are.
//
// An entry point's shape, as on the CPU (kernels/cpu/cpu.h), but in the order of the stream:
//
//   extern "C" orr_code cuda_rmsnorm_fwd(kern *k, const kern_rmsnorm_fwd_args *a) {
//     void *scratch;
//     ORR_TRY(cuda_workspace(k, bytes, &scratch));
//     if (k->planning || a->M == 0) return ORR_OK;
//     return cuda_start(k, "start rmsnorm_fwd", kernel, grid, block, shared_bytes, *a);
//   }
//
// Nothing here waits for the device but the slots that say so. Errors of a kernel that has been
// started show at a later call: cuda_check says so.
#ifndef KERNELS_CUDA_CUDA_H
#define KERNELS_CUDA_CUDA_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "kernels/backend.h"

typedef struct cuda_products cuda_products; // kernels/cuda/product.h
typedef struct cuda_sdpa cuda_sdpa;         // kernels/cuda/sdpa.h

typedef struct {
  kern_backend backend; // first
  int device;           // the runtime's number
  int sm;               // compute capability, 90 for 9.0
  int sms;              // multiprocessors
  int shared_max;       // bytes of shared memory a block may ask for (cudaFuncSetAttribute)
  cudaStream_t stream;  // every op is issued here
  cudaEvent_t mark[KERN_MARKS];
  bool tune; // algorithms with the same bits are timed while planning
  bool capturing;
  cuda_products *products;
  bool library_causal; // it takes causal sequences, too
  cuda_sdpa *sdpa;     // NULL: this machine has no cuDNN that fits, or it is not wanted
} cuda_impl;

static inline cuda_impl *cuda_impl_of(const kern *k) {
  return (cuda_impl *)k->impl;
}

// Local. As cpu_workspace: while planning raises k->workspace_bytes to `bytes`, *out = NULL.
// Afterwards *out is device memory, 256-byte aligned, whose contents nothing keeps between ops. A
// need beyond the plan waits for the device, grows the workspace and counts a late plan.
// ORR_ENOMEM.
orr_code cuda_workspace(kern *k, size_t bytes, void **out);

// Local. ORR_OK for cudaSuccess; otherwise records "cannot <what>" with the runtime's words.
// ORR_ENOMEM for the lack of memory, else ORR_EUNSUPPORTED or ORR_EIO.
orr_code cuda_check(cudaError_t e, const char *what);

// The ops that table.c lists: the products (matmul.c), attention (attention.c), and our own (.cu).
#define CUDA_OP_DECLARE(op) orr_code cuda_##op(kern *k, const kern_##op##_args *a);
KERN_OPS(CUDA_OP_DECLARE)
#undef CUDA_OP_DECLARE

// Our own attention (attention_tiles.cu, attention_rows.cu): any type, masks and windows.
// attention.c calls it where cuDNN does not fit.
orr_code cuda_attention_own_fwd(kern *k, const kern_attention_fwd_args *a);
orr_code cuda_attention_own_bwd(kern *k, const kern_attention_bwd_args *a);

// y[M,N] (=) acc[M,N] + bias[N] + add[M,N], rounded once (bias.cu). `add` may be NULL.
typedef struct {
  kern_dtype type; // of add and y
  int64_t M, N;
  const float *acc, *bias; // acc dense
  const void *add;         // row stride ldy; may equal y
  void *y;
  int64_t ldy;
} cuda_bias_args;
orr_code cuda_bias_add(kern *k, const cuda_bias_args *a);

// dbias[N] (= or +=) the column sums of dy[M,N], in an order that the shape alone decides.
orr_code cuda_column_sums(kern *k, const kern_matmul_bwd_w_args *a);

// What a trial of algorithms (trial.h) does on the device (trial_data.cu). Random numbers of `type`
// with magnitudes in [0.5, 1) into x; bytes: a multiple of 4.
orr_code cuda_trial_fill(kern *k, void *x, size_t bytes, kern_dtype type, uint32_t seed);
// *differs (=) 1 where a and b differ in any bit; else it stays.
orr_code cuda_trial_compare(kern *k, const void *a, const void *b, size_t bytes, int32_t *differs);

#ifdef __cplusplus
}
#endif

#endif
