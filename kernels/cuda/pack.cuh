// Neighbouring elements of a row: loaded and stored in one access, computed with as float32.
//
// A kernel is made for N = cuda_wide<T>() elements (16 bytes) and for N = 1; the entry point takes
// the wide one where width, strides and addresses allow. bfloat16 is rounded to nearest even.
#ifndef KERNELS_CUDA_PACK_CUH
#define KERNELS_CUDA_PACK_CUH

#include <cuda_bf16.h>

#include "kernels/cuda/launch.cuh"

typedef __nv_bfloat16 cuda_bf16;

template <typename T> __host__ __device__ constexpr int cuda_wide() {
  return 16 / (int)sizeof(T);
}

template <typename T, int N> struct alignas(N * sizeof(T)) cuda_pack {
  T element[N];

  __device__ __forceinline__ float at(int i) const;
};
template <> __device__ __forceinline__ float cuda_pack<float, 4>::at(int i) const {
  return element[i];
}
template <> __device__ __forceinline__ float cuda_pack<float, 1>::at(int i) const {
  return element[i];
}
template <> __device__ __forceinline__ float cuda_pack<cuda_bf16, 8>::at(int i) const {
  return __bfloat162float(element[i]);
}
template <> __device__ __forceinline__ float cuda_pack<cuda_bf16, 4>::at(int i) const {
  return __bfloat162float(element[i]);
}
template <> __device__ __forceinline__ float cuda_pack<cuda_bf16, 1>::at(int i) const {
  return __bfloat162float(element[i]);
}

// Pack i of the row that begins at p.
template <typename T, int N>
__device__ __forceinline__ cuda_pack<T, N> cuda_load(const T *p, int64_t i) {
  return reinterpret_cast<const cuda_pack<T, N> *>(p)[i];
}

__device__ __forceinline__ float cuda_rounded(float v, float) {
  return v;
}
__device__ __forceinline__ cuda_bf16 cuda_rounded(float v, cuda_bf16) {
  return __float2bfloat16_rn(v);
}

template <typename T, int N>
__device__ __forceinline__ void cuda_store(T *p, int64_t i, const float (&v)[N]) {
  cuda_pack<T, N> out;
#pragma unroll
  for (int e = 0; e < N; e++) out.element[e] = cuda_rounded(v[e], T());
  reinterpret_cast<cuda_pack<T, N> *>(p)[i] = out;
}

// N floats from p + i * N, which is aligned like a pack of floats or, for N = 8, like two.
template <int N>
__device__ __forceinline__ void cuda_load_f32(const float *p, int64_t i, float (&v)[N]) {
  constexpr int M = N >= 4 ? 4 : 1;
#pragma unroll
  for (int j = 0; j < N / M; j++) {
    const cuda_pack<float, M> part = cuda_load<float, M>(p, i * (N / M) + j);
#pragma unroll
    for (int e = 0; e < M; e++) v[j * M + e] = part.element[e];
  }
}
template <int N>
__device__ __forceinline__ void cuda_store_f32(float *p, int64_t i, const float (&v)[N]) {
  constexpr int M = N >= 4 ? 4 : 1;
#pragma unroll
  for (int j = 0; j < N / M; j++) {
    cuda_pack<float, M> part;
#pragma unroll
    for (int e = 0; e < M; e++) part.element[e] = v[j * M + e];
    reinterpret_cast<cuda_pack<float, M> *>(p)[i * (N / M) + j] = part;
  }
}

// Whether rows of `width` elements (and their strides) divide into packs of n, and every address
// is a multiple of 16 bytes; NULL counts as one.
static inline bool cuda_divides(int64_t width, int n) {
  return width % n == 0;
}
template <typename... P> static inline bool cuda_aligned(const P *...pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) | ...) & 15) == 0;
}
static inline int cuda_wide_of(kern_dtype type) {
  return 16 / (int)kern_dtype_size(type);
}

#endif
