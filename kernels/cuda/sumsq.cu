// Sums of squares of flat ranges, in float64.
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/partials.cuh"
#include "kernels/cuda/reduce.cuh"

enum { THREADS = 256, AHEAD = 4 }; // packs that a thread has under way

template <int N>
static __global__ void __launch_bounds__(THREADS)
    sumsq_kernel(const float *x, int64_t n, double *partial) {
  const int64_t packs = n / N, step = (int64_t)gridDim.x * THREADS;
  double sum = 0;
  for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < packs; i += AHEAD * step) {
    float v[AHEAD][N] = {};
#pragma unroll
    for (int j = 0; j < AHEAD; j++)
      if (i + j * step < packs) cuda_load_f32(x, i + j * step, v[j]);
#pragma unroll
    for (int j = 0; j < AHEAD; j++)
#pragma unroll
      for (int e = 0; e < N; e++) sum += (double)v[j][e] * (double)v[j][e];
  }
  if (blockIdx.x == 0 && threadIdx.x == 0)
    for (int64_t i = packs * N; i < n; i++) sum += (double)x[i] * (double)x[i];
  sum = cuda_row_sum(sum, cuda_shared_as<double>());
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

extern "C" orr_code cuda_sumsq(kern *k, const kern_sumsq_args *a) {
  const int64_t blocks = a->n ? cuda_partials_of(cuda_ceil_div(a->n, 16 * THREADS)) : 1;
  void *partial;
  ORR_TRY(cuda_workspace(k, (size_t)blocks * sizeof(double), &partial));
  if (k->planning) return ORR_OK;
  const dim3 block(THREADS);
  ORR_TRY(cuda_start(k, "start sumsq", cuda_aligned(a->x) ? sumsq_kernel<4> : sumsq_kernel<1>,
                     dim3((unsigned)blocks), block, cuda_row_scratch(block) * sizeof(double), a->x,
                     a->n, static_cast<double *>(partial)));
  return cuda_partials_sum_f64(k, "start sumsq's sum", static_cast<double *>(partial), blocks,
                               a->sum, !a->accumulate);
}
