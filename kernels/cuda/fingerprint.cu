// Fingerprints of flat ranges: partial sums of integers, then their sum. The same bits as the
// CPU's.
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/partials.cuh"
#include "kernels/cuda/reduce.cuh"

#define KERN_FINGERPRINT_FN __device__ static __forceinline__
#include "kernels/fingerprint.h"

enum { THREADS = 256 };

// Where element i belongs.
struct places {
  int64_t first, width, pitch, offset;

  __device__ __forceinline__ uint32_t of(int64_t i) const {
    if (width == 0) return (uint32_t)(first + i);
    const int64_t at = offset + i;
    return (uint32_t)(first + at / width * pitch + at % width);
  }
};

template <int N>
static __global__ void __launch_bounds__(THREADS)
    fingerprint_kernel(const uint32_t *x, int64_t n, const places p, uint64_t *partial) {
  const int64_t packs = n / N, step = (int64_t)gridDim.x * THREADS;
  uint64_t sum = 0;
#pragma unroll 4
  for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < packs; i += step) {
    const cuda_pack<uint32_t, N> words = cuda_load<uint32_t, N>(x, i);
#pragma unroll
    for (int e = 0; e < N; e++) sum += kern_fingerprint_term(words.element[e], p.of(i * N + e));
  }
  if (blockIdx.x == 0 && threadIdx.x == 0)
    for (int64_t i = packs * N; i < n; i++) sum += kern_fingerprint_term(x[i], p.of(i));
  sum = cuda_row_sum(sum, cuda_shared_as<uint64_t>());
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

static __global__ void __launch_bounds__(THREADS)
    fingerprint_sum_kernel(const uint64_t *partial, int64_t count, uint64_t *out, bool overwrite) {
  uint64_t sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += THREADS) sum += partial[i];
  sum = cuda_row_sum(sum, cuda_shared_as<uint64_t>());
  if (threadIdx.x == 0) *out = overwrite ? sum : *out + sum;
}

extern "C" orr_code cuda_fingerprint(kern *k, const kern_fingerprint_args *a) {
  const int64_t blocks = a->n ? cuda_partials_of(cuda_ceil_div(a->n, 16 * THREADS)) : 1;
  void *workspace;
  ORR_TRY(cuda_workspace(k, (size_t)blocks * sizeof(uint64_t), &workspace));
  if (k->planning) return ORR_OK;
  uint64_t *partial = static_cast<uint64_t *>(workspace);
  const dim3 block(THREADS);
  const size_t shared = cuda_row_scratch(block) * sizeof(uint64_t);
  ORR_TRY(cuda_start(
      k, "start fingerprint", cuda_aligned(a->x) ? fingerprint_kernel<4> : fingerprint_kernel<1>,
      dim3((unsigned)blocks), block, shared, reinterpret_cast<const uint32_t *>(a->x), a->n,
      places{a->first, a->width, a->pitch, a->offset}, partial));
  return cuda_start(k, "start fingerprint's sum", fingerprint_sum_kernel, dim3(1), block, shared,
                    static_cast<const uint64_t *>(partial), blocks, a->sum, !a->accumulate);
}
