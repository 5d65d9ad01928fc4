// Sums over the threads of a warp or of a row of threads, always in the same order.
#ifndef KERNELS_CUDA_REDUCE_CUH
#define KERNELS_CUDA_REDUCE_CUH

#include "kernels/cuda/launch.cuh"

// The sum over groups of `lanes` neighbouring lanes (a power of two), in every lane.
template <typename V> __device__ __forceinline__ V cuda_lanes_sum(V v, int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2) v += __shfl_xor_sync(CUDA_ALL_LANES, v, step);
  return v;
}
template <typename V> __device__ __forceinline__ V cuda_warp_sum(V v) {
#pragma unroll
  for (int step = CUDA_WARP / 2; step > 0; step /= 2) v += __shfl_xor_sync(CUDA_ALL_LANES, v, step);
  return v;
}
__device__ __forceinline__ float cuda_warp_max(float v) {
#pragma unroll
  for (int step = CUDA_WARP / 2; step > 0; step /= 2)
    v = fmaxf(v, __shfl_xor_sync(CUDA_ALL_LANES, v, step));
  return v;
}

// The sum over the threads of one threadIdx.y, in all of them. blockDim.x is a multiple of 32; all
// threads of the block call. scratch: cuda_row_scratch() values of V, free for its next use only
// after a barrier: callers that sum in a loop hand in two by turns.
template <typename V> __device__ __forceinline__ V cuda_row_sum(V v, V *scratch) {
  v = cuda_warp_sum(v);
  const int warps = (int)blockDim.x / CUDA_WARP;
  if (warps == 1) return v;
  V *row = scratch + threadIdx.y * warps;
  if (threadIdx.x % CUDA_WARP == 0) row[threadIdx.x / CUDA_WARP] = v;
  __syncthreads();
  v = row[0];
  for (int i = 1; i < warps; i++) v += row[i];
  return v;
}
// The largest value likewise; NaN never wins.
__device__ __forceinline__ float cuda_row_max(float v, float *scratch) {
  v = cuda_warp_max(v);
  const int warps = (int)blockDim.x / CUDA_WARP;
  if (warps == 1) return v;
  float *row = scratch + threadIdx.y * warps;
  if (threadIdx.x % CUDA_WARP == 0) row[threadIdx.x / CUDA_WARP] = v;
  __syncthreads();
  v = row[0];
  for (int i = 1; i < warps; i++) v = fmaxf(v, row[i]);
  return v;
}
static inline int cuda_row_scratch(dim3 block) {
  return (int)(block.x * block.y) / CUDA_WARP;
}

#endif
