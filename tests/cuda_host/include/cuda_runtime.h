// What nvcc knows by itself, for a host compiler: the words of the language, the built-in
// variables, vector types, launches, barriers and the operations of a warp.
#ifndef TESTS_CUDA_HOST_CUDA_RUNTIME_H
#define TESTS_CUDA_HOST_CUDA_RUNTIME_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <tuple>

#include "tests/cuda_host/include/cuda_runtime_api.h"

#define __global__
#define __device__
#define __host__
#define __shared__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__

typedef cuda_host_index uint3;
struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};

extern "C" cuda_host_index threadIdx, blockIdx, blockDim, gridDim;

// -- launches -------------------------------------------------------------------------------

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
  void *attrs;
  unsigned numAttrs;
};

template <typename... Expected, typename... Actual>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *c, void (*kernel)(Expected...),
                               Actual &&...actual) {
  struct call {
    void (*kernel)(Expected...);
    std::tuple<Expected...> arguments;
  } it = {kernel, std::tuple<Expected...>(actual...)};
  const cuda_host_shape shape = {{c->gridDim.x, c->gridDim.y, c->gridDim.z},
                                 {c->blockDim.x, c->blockDim.y, c->blockDim.z},
                                 c->dynamicSmemBytes,
                                 0};
  return cuda_host_launch(
      c->stream, reinterpret_cast<const void *>(kernel), shape,
      [](void *p) {
        std::apply(static_cast<call *>(p)->kernel, static_cast<call *>(p)->arguments);
      },
      &it, sizeof it);
}

template <typename... A>
cudaError_t cudaFuncSetAttribute(void (*kernel)(A...), cudaFuncAttribute what, int value) {
  if (what != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  return cuda_host_allow_shared(reinterpret_cast<const void *>(kernel), (size_t)value);
}

// -- threads that meet ----------------------------------------------------------------------

#define __expf(x) expf(x)

#define CUDA_HOST_TEXT_(x) #x
#define CUDA_HOST_TEXT(x)  CUDA_HOST_TEXT_(x)
#define CUDA_HOST_PLACE    __FILE__ ":" CUDA_HOST_TEXT(__LINE__)
#define CUDA_HOST_ALL      0xffffffffu

#define __syncthreads() cuda_host_barrier(CUDA_HOST_PLACE)
#define __syncwarp()    ((void)cuda_host_exchange(CUDA_HOST_PLACE, NULL, 0))

static inline int cuda_host_lane() {
  return (int)(((threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x) % 32);
}

template <typename T> T cuda_host_shuffle(const char *place, unsigned mask, T mine, int from) {
  static_assert(sizeof(T) % 4 == 0 && sizeof(T) <= 4 * CUDA_HOST_WORDS, "whole words");
  uint32_t words[CUDA_HOST_WORDS];
  memcpy(words, &mine, sizeof mine);
  const cuda_host_words *all =
      cuda_host_exchange(mask == CUDA_HOST_ALL ? place : "a partial mask", words, sizeof(T) / 4);
  T out;
  memcpy(&out, all[from & 31], sizeof out);
  return out;
}

#define __shfl_sync(mask, x, from) cuda_host_shuffle(CUDA_HOST_PLACE, mask, x, from)
#define __shfl_xor_sync(mask, x, lanes)                                                            \
  cuda_host_shuffle(CUDA_HOST_PLACE, mask, x, cuda_host_lane() ^ (lanes))

template <typename Test> unsigned cuda_host_vote(const char *place, uint32_t mine, Test agrees) {
  const cuda_host_words *all = cuda_host_exchange(place, &mine, 1);
  unsigned votes = 0;
  for (int i = 0; i < 32; i++) votes |= agrees(all[i][0]) ? 1u << i : 0u;
  return votes;
}

#define __ballot_sync(mask, x)                                                                     \
  cuda_host_vote(CUDA_HOST_PLACE, (uint32_t)((x) != 0), [](uint32_t other) { return other != 0; })
#define __any_sync(mask, x) (__ballot_sync(mask, x) != 0)
#define __match_any_sync(mask, x)                                                                  \
  cuda_host_vote(CUDA_HOST_PLACE, (uint32_t)(x),                                                   \
                 [mine_ = (uint32_t)(x)](uint32_t other) { return other == mine_; })

// -- single threads -------------------------------------------------------------------------

static inline uint32_t __float_as_uint(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return u;
}
static inline float __uint_as_float(uint32_t u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}
static inline int __popc(uint32_t x) {
  return __builtin_popcount(x);
}
static inline uint32_t __umulhi(uint32_t a, uint32_t b) {
  return (uint32_t)((uint64_t)a * b >> 32);
}
static inline float rsqrtf(float x) {
  return 1.0f / sqrtf(x);
}
template <typename T> static inline T __ldg(const T *p) {
  return *p;
}
// Bytes chosen from the eight of (b, a) by the four nibbles of the selector; no sign mode.
static inline uint32_t __byte_perm(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t both = (uint64_t)b << 32 | a;
  uint32_t out = 0;
  for (int i = 0; i < 4; i++)
    out |= (uint32_t)(both >> (8 * (selector >> (4 * i) & 7)) & 0xff) << (8 * i);
  return out;
}

#endif
