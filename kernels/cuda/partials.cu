#include "kernels/cuda/partials.cuh"

#include "kernels/cuda/reduce.cuh"

// A block: 32 columns, and SLICES threads for each, which add every SLICES-th partial.
enum { SLICES = 16 };

static __global__ void __launch_bounds__(CUDA_WARP *SLICES)
    sum_kernel(const float *partial, int count, int64_t stride, int64_t width, float *out,
               bool overwrite) {
  float *slices = cuda_shared_as<float>();
  const int64_t c = (int64_t)blockIdx.x * CUDA_WARP + threadIdx.x;
  float sum = 0.0f;
  if (c < width) {
#pragma unroll 8
    for (int i = (int)threadIdx.y; i < count; i += SLICES) sum += partial[i * stride + c];
  }
  slices[threadIdx.y * CUDA_WARP + threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || c >= width) return;
  for (int s = 1; s < SLICES; s++) sum += slices[s * CUDA_WARP + threadIdx.x];
  out[c] = overwrite ? sum : out[c] + sum;
}

orr_code cuda_partials_sum(kern *k, const char *what, const float *partial, int64_t count,
                           int64_t stride, int64_t width, float *out, bool overwrite) {
  return cuda_start(k, what, sum_kernel, dim3((unsigned)cuda_ceil_div(width, CUDA_WARP)),
                    dim3(CUDA_WARP, SLICES), CUDA_WARP * SLICES * sizeof(float), partial,
                    (int)count, stride, width, out, overwrite);
}

static __global__ void __launch_bounds__(256)
    sum_f64_kernel(const double *partial, int64_t count, double *out, bool overwrite) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) sum += partial[i];
  sum = cuda_row_sum(sum, cuda_shared_as<double>());
  if (threadIdx.x == 0) *out = overwrite ? sum : *out + sum;
}

orr_code cuda_partials_sum_f64(kern *k, const char *what, const double *partial, int64_t count,
                               double *out, bool overwrite) {
  const dim3 block(256);
  return cuda_start(k, what, sum_f64_kernel, dim3(1), block,
                    cuda_row_scratch(block) * sizeof(double), partial, count, out, overwrite);
}
