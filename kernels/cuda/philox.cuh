// Philox4x32-10 (Salmon et al. 2011) on the device: the first two words of what base/rng.c draws.
#ifndef KERNELS_CUDA_PHILOX_CUH
#define KERNELS_CUDA_PHILOX_CUH

#include <cuda_runtime.h>

#include "base/rng.h"

// Key and counter as base/rng.c has them.
__device__ __forceinline__ uint2 cuda_philox(uint32_t k0, uint32_t k1, uint64_t sample,
                                             uint64_t position) {
  uint32_t c0 = (uint32_t)sample, c1 = (uint32_t)(sample >> 32);
  uint32_t c2 = (uint32_t)position, c3 = (uint32_t)(position >> 32);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const uint32_t m0 = 0xD2511F53u, m1 = 0xCD9E8D57u;
    const uint32_t high0 = __umulhi(m0, c0), high1 = __umulhi(m1, c2);
    const uint32_t low0 = m0 * c0, low1 = m1 * c2;
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return uint2{c0, c1};
}

// orr_rng_uniform.
__device__ __forceinline__ double cuda_uniform(uint64_t seed, uint32_t stream, uint64_t sample,
                                               uint64_t position) {
  const uint2 r =
      cuda_philox((uint32_t)seed, stream ^ (uint32_t)(seed >> 32) * 0x9E3779B9u, sample, position);
  const uint64_t bits = (uint64_t)r.x << 32 | r.y;
  return (double)(bits >> 11) * 0x1p-53;
}

#endif
