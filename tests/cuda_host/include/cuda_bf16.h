// bfloat16 as CUDA has it, by the conversions of kernels/bf16.h.
#ifndef TESTS_CUDA_HOST_CUDA_BF16_H
#define TESTS_CUDA_HOST_CUDA_BF16_H

#include "tests/cuda_host/include/cuda_runtime.h"
#include "kernels/bf16.h"

struct __nv_bfloat16 {
  uint16_t bits;
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

static inline float __bfloat162float(__nv_bfloat16 b) {
  return kern_bf16_to_f32(b.bits);
}
static inline __nv_bfloat16 __float2bfloat16_rn(float f) {
  return {kern_f32_to_bf16(f)};
}
static inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return {__float2bfloat16_rn(x), __float2bfloat16_rn(y)};
}

#endif
