// What trials of algorithms need on the device: random operands, and whether two results differ.
#include "kernels/cuda/launch.cuh"

enum { THREADS = 256 };

// A hash of the place (Steele et al. 2014, the finalizer of SplitMix): every bit depends on all.
__device__ __forceinline__ uint64_t mixed(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

// sign and mantissa are random, the exponent is that of 0.5; `keep` and `exponent` know the type.
static __global__ void __launch_bounds__(THREADS)
    fill_kernel(uint32_t *x, int64_t words, uint32_t seed, uint32_t keep, uint32_t exponent) {
  const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i < words) x[i] = ((uint32_t)mixed((uint64_t)seed << 40 | (uint64_t)i) & keep) | exponent;
}

extern "C" orr_code cuda_trial_fill(kern *k, void *x, size_t bytes, kern_dtype type,
                                    uint32_t seed) {
  const int64_t words = (int64_t)(bytes / sizeof(uint32_t));
  const bool pairs = type == KERN_BF16;
  if (words == 0) return ORR_OK;
  return cuda_start(k, "fill a trial", fill_kernel, dim3((unsigned)cuda_ceil_div(words, THREADS)),
                    dim3(THREADS), 0, static_cast<uint32_t *>(x), words, seed + 1,
                    pairs ? 0x807f807fu : 0x807fffffu, pairs ? 0x3f003f00u : 0x3f000000u);
}

// Whoever finds a difference writes the same 1.
static __global__ void __launch_bounds__(THREADS)
    compare_kernel(const uint32_t *a, const uint32_t *b, int64_t words, int32_t *differs) {
  const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i < words && a[i] != b[i]) *differs = 1;
}

extern "C" orr_code cuda_trial_compare(kern *k, const void *a, const void *b, size_t bytes,
                                       int32_t *differs) {
  const int64_t words = (int64_t)(bytes / sizeof(uint32_t));
  return cuda_start(k, "compare a trial", compare_kernel,
                    dim3((unsigned)cuda_ceil_div(words, THREADS)), dim3(THREADS), 0,
                    static_cast<const uint32_t *>(a), static_cast<const uint32_t *>(b), words,
                    differs);
}
