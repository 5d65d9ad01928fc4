// How kernels are started, and their shared memory. The .cu files use nothing but what
// <cuda_runtime.h> and <cuda_bf16.h> declare, so that the tests compile them as host C++ too:
// launches by cudaLaunchKernelEx, shared memory only dynamic, so that its size is known.
#ifndef KERNELS_CUDA_LAUNCH_CUH
#define KERNELS_CUDA_LAUNCH_CUH

#include <cuda_runtime.h>

#include "kernels/cuda/cuda.h"

#define CUDA_ALL_LANES 0xffffffffu

enum { CUDA_WARP = 32 };

// The block's dynamic shared memory, 16-byte aligned.
extern __shared__ uint4 cuda_shared[];
template <typename T> __device__ __forceinline__ T *cuda_shared_as(size_t byte_offset = 0) {
  return reinterpret_cast<T *>(reinterpret_cast<char *>(cuda_shared) + byte_offset);
}

static inline int64_t cuda_ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// Local. Starts kernel(arguments...) on k's stream; `what` names the op in an error.
template <typename... Expected, typename... Actual>
static orr_code cuda_start(kern *k, const char *what, void (*kernel)(Expected...), dim3 grid,
                           dim3 block, size_t shared_bytes, const Actual &...arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = cuda_impl_of(k)->stream;
  return cuda_check(cudaLaunchKernelEx(&config, kernel, arguments...), what);
}

#endif
