// Finite scalar quantization (Mentzer et al. 2023): the equations of kernels/cpu/fsq.c. A thread
// takes a code, at most 16 numbers, or one number of it.
#include "kernels/cuda/pack.cuh"
#include "kernels/fsq.h"

typedef struct {
  kern_fsq_dim dim[KERN_FSQ_MAX];
} fsq_dims;

template <typename T>
static __global__ void __launch_bounds__(256)
    fwd_kernel(const kern_fsq_fwd_args a, const fsq_dims dims) {
  const int64_t m = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (m >= a.M) return;
  int64_t index = 0;
  for (int i = 0; i < a.n; i++) {
    const kern_fsq_dim &d = dims.dim[i];
    const float z = a.z[m * a.n + i];
    // + 0 turns -0 into 0: a level has one representation.
    const float level = rintf(tanhf(z + d.shift) * d.half - d.offset) + 0.0f;
    const float code[1] = {level / (float)d.middle};
    cuda_store(static_cast<T *>(a.code), m * a.n + i, code);
    // A NaN shows in the code; its digit is the middle one.
    index += (int64_t)((level == level ? (int32_t)level : 0) + d.middle) * d.basis;
  }
  if (a.index) a.index[m] = (int32_t)index;
}

extern "C" orr_code cuda_fsq_fwd(kern *k, const kern_fsq_fwd_args *a) {
  fsq_dims dims = {};
  ORR_TRY(kern_fsq_dims(a->n, a->levels, dims.dim));
  if (k->planning || a->M == 0) return ORR_OK;
  return cuda_start(k, "start fsq_fwd",
                    a->type == KERN_BF16 ? fwd_kernel<cuda_bf16> : fwd_kernel<float>,
                    dim3((unsigned)cuda_ceil_div(a->M, 256)), dim3(256), 0, *a, dims);
}

template <typename T>
static __global__ void __launch_bounds__(256)
    bwd_kernel(const kern_fsq_bwd_args a, const fsq_dims dims) {
  const int64_t at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= a.M * a.n) return;
  const kern_fsq_dim &d = dims.dim[at % a.n];
  const float t = tanhf(a.z[at] + d.shift);
  const float dcode = cuda_load<T, 1>(static_cast<const T *>(a.dcode), at).at(0);
  a.dz[at] = dcode / (float)d.middle * d.half * (1.0f - t * t);
}

extern "C" orr_code cuda_fsq_bwd(kern *k, const kern_fsq_bwd_args *a) {
  fsq_dims dims = {};
  ORR_TRY(kern_fsq_dims(a->n, a->levels, dims.dim));
  if (k->planning || a->M == 0) return ORR_OK;
  return cuda_start(k, "start fsq_bwd",
                    a->type == KERN_BF16 ? bwd_kernel<cuda_bf16> : bwd_kernel<float>,
                    dim3((unsigned)cuda_ceil_div(a->M * a->n, 256)), dim3(256), 0, *a, dims);
}

template <typename T>
static __global__ void __launch_bounds__(256)
    lookup_kernel(const kern_fsq_lookup_args a, const fsq_dims dims) {
  const int64_t at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= a.M * a.n) return;
  const kern_fsq_dim &d = dims.dim[at % a.n];
  const int32_t level = a.index[at / a.n] / d.basis % d.levels - d.middle;
  const float code[1] = {(float)level / (float)d.middle};
  cuda_store(static_cast<T *>(a.code), at, code);
}

extern "C" orr_code cuda_fsq_lookup(kern *k, const kern_fsq_lookup_args *a) {
  fsq_dims dims = {};
  ORR_TRY(kern_fsq_dims(a->n, a->levels, dims.dim));
  if (k->planning || a->M == 0) return ORR_OK;
  return cuda_start(k, "start fsq_lookup",
                    a->type == KERN_BF16 ? lookup_kernel<cuda_bf16> : lookup_kernel<float>,
                    dim3((unsigned)cuda_ceil_div(a->M * a->n, 256)), dim3(256), 0, *a, dims);
}
