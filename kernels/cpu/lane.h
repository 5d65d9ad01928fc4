// One element of a tensor of either type, as float32, for loops that the compiler vectorises.
//
// `type` has to be a constant where a function is used, so that the branch disappears: an op
// writes its loop once as a CPU_INLINE function of `type` and calls it in two branches.
#ifndef KERNELS_CPU_LANE_H
#define KERNELS_CPU_LANE_H

#include "kernels/kern.h"

#define CPU_INLINE static inline __attribute__((always_inline))

CPU_INLINE float cpu_lane_get(const void *p, int64_t i, kern_dtype type) {
  if (type == KERN_F32) return ((const float *)p)[i];
  union {
    uint32_t u;
    float f;
  } v = {.u = (uint32_t)((const uint16_t *)p)[i] << 16};
  return v.f;
}

// kern_f32_to_bf16 without a branch, which would keep the loop around it scalar.
CPU_INLINE uint16_t cpu_lane_bf16(float f) {
  union {
    float f;
    uint32_t u;
  } v = {.f = f};
  uint32_t rounded = (v.u + 0x7fffu + ((v.u >> 16) & 1u)) >> 16;
  uint32_t quiet = (v.u >> 16) | 0x40u;
  return (uint16_t)(f != f ? quiet : rounded);
}

CPU_INLINE void cpu_lane_set(void *p, int64_t i, float f, kern_dtype type) {
  if (type == KERN_F32)
    ((float *)p)[i] = f;
  else
    ((uint16_t *)p)[i] = cpu_lane_bf16(f);
}

// Row `row` of a matrix with rows of `width` elements.
CPU_INLINE const void *cpu_lane_row(const void *p, int64_t row, int64_t width, kern_dtype type) {
  return (const char *)p + (size_t)(row * width) * kern_dtype_size(type);
}
CPU_INLINE void *cpu_lane_row_mut(void *p, int64_t row, int64_t width, kern_dtype type) {
  return (char *)p + (size_t)(row * width) * kern_dtype_size(type);
}

// Asks for `bytes` of a stream of rows 4 KiB before their use. Several streams of short rows outrun
// the hardware's prefetcher: SwiGLU in bfloat16, 8704 x 768, took twice as long without.
// The address may lie past the tensor's end: a prefetch never faults.
CPU_INLINE void cpu_lane_prefetch(const void *row, size_t bytes) {
  const uintptr_t ahead = (uintptr_t)row + 4096;
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch((const void *)(ahead + i));
}

#endif
