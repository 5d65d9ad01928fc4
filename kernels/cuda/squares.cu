// Sums of squares as integers: the same bits as the CPU's (kernels/squares.h).
#include "kernels/cuda/partials.cuh"
#include "kernels/cuda/launch.cuh"

#define KERN_SQUARES_FN __host__ __device__ static __forceinline__
#include "kernels/squares.h"

// A thread has bins of its own, for there is no telling which window an element is of.
enum { THREADS = 64, BINS = KERN_SQUARES_WINDOWS + 1 };

static __global__ void __launch_bounds__(THREADS)
    squares_kernel(const uint32_t *x, int64_t n, int64_t *partial) {
  int64_t *own = cuda_shared_as<int64_t>(); // [BINS][THREADS]
  const int t = (int)threadIdx.x;
  for (int b = 0; b < BINS; b++) own[b * THREADS + t] = 0;
  for (int64_t i = (int64_t)blockIdx.x * THREADS + t; i < n; i += (int64_t)gridDim.x * THREADS) {
    const uint32_t bits = x[i];
    if (kern_squares_finite(bits))
      own[kern_squares_window(bits) * THREADS + t] += kern_squares_term(bits);
    else
      own[KERN_SQUARES_WINDOWS * THREADS + t] += 1;
  }
  __syncthreads();
  for (int b = t; b < BINS; b += THREADS) {
    int64_t sum = 0;
    for (int i = 0; i < THREADS; i++) sum += own[b * THREADS + i];
    partial[blockIdx.x * BINS + b] = sum;
  }
}

static __global__ void __launch_bounds__(THREADS)
    add_kernel(const int64_t *partial, int64_t blocks, int64_t *bins) {
  const int b = (int)threadIdx.x;
  if (b >= BINS) return;
  for (int64_t i = 0; i < blocks; i++) {
    const int64_t sum = partial[i * BINS + b];
    bins[2 * b] += b < KERN_SQUARES_WINDOWS ? sum & 0xffffffff : sum;
    if (b < KERN_SQUARES_WINDOWS) bins[2 * b + 1] += sum >> 32;
  }
}

extern "C" orr_code cuda_squares(kern *k, const kern_squares_args *a) {
  const int64_t blocks = a->n ? cuda_partials_of(cuda_ceil_div(a->n, 16 * THREADS)) : 1;
  void *workspace;
  ORR_TRY(cuda_workspace(k, (size_t)(blocks * BINS) * sizeof(int64_t), &workspace));
  if (k->planning) return ORR_OK;
  int64_t *partial = static_cast<int64_t *>(workspace);
  ORR_TRY(cuda_start(k, "start squares", squares_kernel, dim3((unsigned)blocks), dim3(THREADS),
                     BINS * THREADS * sizeof(int64_t), reinterpret_cast<const uint32_t *>(a->x),
                     a->n, partial));
  return cuda_start(k, "start squares' sums", add_kernel, dim3(1), dim3(THREADS), 0,
                    static_cast<const int64_t *>(partial), blocks, a->bins);
}

static __global__ void __launch_bounds__(THREADS) value_kernel(const kern_squares_sum_args a) {
  const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i < a.count) a.sum[i] = kern_squares_value(a.bins + i * KERN_SQUARES_BINS);
}

extern "C" orr_code cuda_squares_sum(kern *k, const kern_squares_sum_args *a) {
  if (k->planning || a->count == 0) return ORR_OK;
  return cuda_start(k, "start squares_sum", value_kernel,
                    dim3((unsigned)cuda_ceil_div(a->count, THREADS)), dim3(THREADS), 0, *a);
}
