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

// For kernels of independent elements in rows: x runs along a row, y over rows, and a kernel steps
// by gridDim.y * blockDim.y rows where there are more than a grid can have.
static inline dim3 cuda_rows_block(int64_t packs) {
  const int64_t x = packs < 256 ? cuda_ceil_div(packs, CUDA_WARP) * CUDA_WARP : 256;
  return dim3((unsigned)x, (unsigned)(256 / x));
}
static inline dim3 cuda_rows_grid(int64_t rows, int64_t packs, dim3 block) {
  const int64_t y = cuda_ceil_div(rows, block.y);
  return dim3((unsigned)cuda_ceil_div(packs, block.x), (unsigned)(y < 65535 ? y : 65535));
}
#define CUDA_ROW_PACK() ((int)(blockIdx.x * blockDim.x + threadIdx.x))
#define CUDA_FOR_ROWS(m, rows)                                                                     \
  for (int64_t m = (int64_t)blockIdx.y * blockDim.y + threadIdx.y; m < (rows);                     \
       m += (int64_t)gridDim.y * blockDim.y)

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
