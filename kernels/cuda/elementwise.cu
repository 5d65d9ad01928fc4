// Loops over one flat range: conversion between types, and a x + b y.
#include "kernels/cuda/flat.cuh"

template <typename From, typename To, int N>
__device__ __forceinline__ void cast_pack(const kern_cast_args &a, int64_t i) {
  const cuda_pack<From, N> x = cuda_load<From, N>(static_cast<const From *>(a.x), i);
  float y[N];
#pragma unroll
  for (int e = 0; e < N; e++) y[e] = x.at(e);
  cuda_store(static_cast<To *>(a.y), i, y);
}

template <typename From, typename To>
static __global__ void __launch_bounds__(256)
    cast_kernel(const kern_cast_args a, const cuda_flat f) {
  cuda_flat_step<4>(
      f, [&](int64_t i) { cast_pack<From, To, 4>(a, i); },
      [&](int64_t i) { cast_pack<From, To, 1>(a, i); });
}

extern "C" orr_code cuda_cast(kern *k, const kern_cast_args *a) {
  if (k->planning || a->n == 0) return ORR_OK;
  if (a->from == a->to)
    return cuda_check(cudaMemcpyAsync(a->y, a->x, (size_t)a->n * kern_dtype_size(a->to),
                                      cudaMemcpyDeviceToDevice, cuda_impl_of(k)->stream),
                      "copy in cast");
  const cuda_flat f = cuda_flat_of(a->n, 4, cuda_aligned(a->x, a->y));
  return cuda_start(k, "start cast",
                    a->to == KERN_BF16 ? cast_kernel<float, cuda_bf16>
                                       : cast_kernel<cuda_bf16, float>,
                    cuda_flat_grid(&f, 4), dim3(256), 0, *a, f);
}

// y may be x.
template <typename T, int N>
__device__ __forceinline__ void axpby_pack(const kern_axpby_args &a, int64_t i) {
  const cuda_pack<T, N> x = cuda_load<T, N>(static_cast<const T *>(a.x), i);
  float out[N];
#pragma unroll
  for (int e = 0; e < N; e++) out[e] = a.a * x.at(e);
  if (a.b != 0.0f) {
    const cuda_pack<T, N> y = cuda_load<T, N>(static_cast<const T *>(a.y), i);
#pragma unroll
    for (int e = 0; e < N; e++) out[e] += a.b * y.at(e);
  }
  cuda_store(static_cast<T *>(a.y), i, out);
}

template <typename T>
static __global__ void __launch_bounds__(256)
    axpby_kernel(const kern_axpby_args a, const cuda_flat f) {
  cuda_flat_step<cuda_wide<T>()>(
      f, [&](int64_t i) { axpby_pack<T, cuda_wide<T>()>(a, i); },
      [&](int64_t i) { axpby_pack<T, 1>(a, i); });
}

extern "C" orr_code cuda_axpby(kern *k, const kern_axpby_args *a) {
  if (k->planning || a->n == 0) return ORR_OK;
  const int n = cuda_wide_of(a->type);
  const cuda_flat f = cuda_flat_of(a->n, n, cuda_aligned(a->x, a->y));
  return cuda_start(k, "start axpby",
                    a->type == KERN_BF16 ? axpby_kernel<cuda_bf16> : axpby_kernel<float>,
                    cuda_flat_grid(&f, n), dim3(256), 0, *a, f);
}
