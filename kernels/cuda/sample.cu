// Draws of codes by the Gumbel-max trick: what kernels/cpu/sample.c does, on the same counters. A
// block takes a row, which it reads once.
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/philox.cuh"
#include "kernels/cuda/reduce.cuh"

enum { THREADS = 256, NONE = 0x7fffffff };

__device__ __forceinline__ float gumbel(uint32_t bits) {
  // Exact in float32 and inside (0, 1).
  const float u = ((float)(int32_t)(bits >> 9) + 0.5f) * 0x1p-23f;
  return -logf(-logf(u));
}

// The smallest over the row of threads; as cuda_row_sum.
__device__ __forceinline__ int row_min(int v, int *scratch) {
  for (int step = CUDA_WARP / 2; step > 0; step /= 2) {
    const int other = __shfl_xor_sync(CUDA_ALL_LANES, v, step);
    v = other < v ? other : v;
  }
  if (threadIdx.x % CUDA_WARP == 0) scratch[threadIdx.x / CUDA_WARP] = v;
  __syncthreads();
  for (int i = 0; i < THREADS / CUDA_WARP; i++) v = scratch[i] < v ? scratch[i] : v;
  return v;
}

static __global__ void __launch_bounds__(THREADS) sample_kernel(const kern_sample_args a) {
  enum { W = THREADS / CUDA_WARP };
  const int64_t m = blockIdx.x;
  const float *row = a.logits + m * a.V;
  const int64_t b = m / a.rows_per_sample;
  const bool noisy = a.temperature[b] > 0.0f;
  const float inverse = noisy ? 1.0f / a.temperature[b] : 1.0f;
  const uint64_t seed = noisy ? a.seed[b] : 0, sample = noisy ? a.sample[b] : 0;
  const uint64_t draw = noisy ? a.draw[b] : 0;
  const uint32_t k0 = (uint32_t)seed;
  const uint32_t k1 = ORR_STREAM_DECODE ^ (uint32_t)(seed >> 32) * 0x9E3779B9u;
  const uint64_t position =
      (draw * (uint64_t)a.rows_per_sample + (uint64_t)(m % a.rows_per_sample)) * (uint64_t)a.V;
  float best = -INFINITY, own = -INFINITY, sum = 0.0f;
  int at = NONE;
  for (int64_t v = threadIdx.x; v < a.V; v += THREADS) {
    const float l = row[v], most = fmaxf(own, l);
    sum = (sum == 0.0f ? 0.0f : sum * expf(own - most)) + expf(l - most);
    own = most;
    const float value =
        noisy ? l * inverse + gumbel(cuda_philox(k0, k1, sample, position + (uint64_t)v).x) : l;
    if (value > best) best = value, at = (int)v;
  }
  float *scratch = cuda_shared_as<float>(); // four parts of W
  const float value = cuda_row_max(best, scratch), largest = cuda_row_max(own, scratch + W);
  sum = cuda_row_sum(sum == 0.0f ? 0.0f : sum * expf(own - largest), scratch + 2 * W);
  at = row_min(best == value ? at : NONE, reinterpret_cast<int *>(scratch + 3 * W));
  if (at == NONE) at = 0; // nothing above -inf
  if (threadIdx.x != 0) return;
  a.code[m] = at;
  a.log_prob[m] = row[at] - largest - logf(sum);
}

extern "C" orr_code cuda_sample(kern *k, const kern_sample_args *a) {
  if (k->planning || a->M == 0) return ORR_OK;
  return cuda_start(k, "start sample", sample_kernel, dim3((unsigned)a->M), dim3(THREADS),
                    4 * (THREADS / CUDA_WARP) * sizeof(float), *a);
}
