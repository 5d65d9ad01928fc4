// Tensors of either type read and written by whole vectors, for the few loops that the compiler
// does not vectorise well by itself. `kind` has to be a constant where a function is used.
//
// A loop runs i = 0, CPU_LANES, ... < n and hands n - i as `left`; past the end lanes read 0 and
// are not written.
#ifndef KERNELS_CPU_VEC_H
#define KERNELS_CPU_VEC_H

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/vmath.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

// The type of a tensor and how results are rounded to it. The native instruction gives the bits of
// cpu_vf_store_bf16, but for denormal results, which it makes 0; a quarter of SwiGLU's time.
typedef enum { CPU_VEC_F32, CPU_VEC_BF16, CPU_VEC_BF16_NATIVE } cpu_vec_kind;

static inline cpu_vec_kind cpu_vec_kind_of(const kern *k, kern_dtype type) {
  if (type == KERN_F32) return CPU_VEC_F32;
#if defined(__AVX512F__)
  if (cpu_impl_of(k)->level >= CPU_LEVEL_BF16) return CPU_VEC_BF16_NATIVE;
#endif
  return CPU_VEC_BF16;
}

// f(..., kind) with kind as a constant: one loop for each.
#define CPU_VEC_CALL(kind, f, ...)                                                                 \
  do {                                                                                             \
    if ((kind) == CPU_VEC_F32)                                                                     \
      f(__VA_ARGS__, CPU_VEC_F32);                                                                 \
    else if ((kind) == CPU_VEC_BF16)                                                               \
      f(__VA_ARGS__, CPU_VEC_BF16);                                                                \
    else                                                                                           \
      f(__VA_ARGS__, CPU_VEC_BF16_NATIVE);                                                         \
  } while (0)

CPU_INLINE kern_dtype cpu_vec_type(cpu_vec_kind kind) {
  return kind == CPU_VEC_F32 ? KERN_F32 : KERN_BF16;
}

CPU_INLINE cpu_vf cpu_vec_load(const void *p, cpu_vec_kind kind) {
  return kind == CPU_VEC_F32 ? cpu_vf_load(p) : cpu_vf_load_bf16(p);
}

CPU_INLINE cpu_vf cpu_vec_get(const void *p, int64_t i, int64_t left, cpu_vec_kind kind) {
  const size_t size = kern_dtype_size(cpu_vec_type(kind));
  const char *at = (const char *)p + (size_t)i * size;
  if (left >= CPU_LANES) return cpu_vec_load(at, kind);
  uint32_t part[CPU_LANES] = {0}; // of either type
  memcpy(part, at, (size_t)left * size);
  return cpu_vec_load(part, kind);
}

CPU_INLINE cpu_vf cpu_vec_f32(const float *p, int64_t i, int64_t left) {
  return cpu_vec_get(p, i, left, CPU_VEC_F32);
}

CPU_INLINE void cpu_vec_store_native(void *p, cpu_vf v) {
#if defined(__AVX512F__)
  cpu_vh h; // this build's flags do not cover the instruction's intrinsic
  __asm__("vcvtneps2bf16 %1, %0" : "=v"(h) : "v"(v));
  memcpy(p, &h, sizeof h);
#else
  cpu_vf_store_bf16(p, v);
#endif
}

CPU_INLINE void cpu_vec_store(void *p, cpu_vf v, cpu_vec_kind kind) {
  if (kind == CPU_VEC_F32)
    cpu_vf_store(p, v);
  else if (kind == CPU_VEC_BF16)
    cpu_vf_store_bf16(p, v);
  else
    cpu_vec_store_native(p, v);
}

CPU_INLINE void cpu_vec_set(void *p, int64_t i, int64_t left, cpu_vf v, cpu_vec_kind kind) {
  const size_t size = kern_dtype_size(cpu_vec_type(kind));
  char *at = (char *)p + (size_t)i * size;
  if (left >= CPU_LANES) {
    cpu_vec_store(at, v, kind);
    return;
  }
  uint32_t part[CPU_LANES];
  cpu_vec_store(part, v, kind);
  memcpy(at, part, (size_t)left * size);
}

// The sum of the lanes, by halves.
CPU_INLINE float cpu_vec_sum(cpu_vf v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)v);
#else
  float lane[CPU_LANES];
  memcpy(lane, &v, sizeof v);
  for (int width = CPU_LANES / 2; width; width /= 2)
    for (int i = 0; i < width; i++) lane[i] += lane[i + width];
  return lane[0];
#endif
}

// 1 / (1 + e^-x); beyond +-87 as at +-87. NaN gives some value in [0, 1].
// The bound is an integer minimum on the magnitude, so that no lane runs into denormal numbers and
// that GCC cannot carry constant ends through to the caller's products, where they would.
CPU_INLINE cpu_vf cpu_vec_sigmoid(cpu_vf x) {
  const cpu_vi most = (cpu_vi)cpu_vf_set(87.0f), sign = (cpu_vi){0} + INT32_MIN;
  const cpu_vi magnitude = (cpu_vi)x & ~sign, over = magnitude > most;
  const cpu_vi negated = (over & most) | (~over & magnitude) | (~(cpu_vi)x & sign);
  const float round = 12582912.0f; // as in cpu_exp_inside
  const cpu_vf t = (cpu_vf)negated * 1.44269504f + round, n = t - round;
  const cpu_vf r = ((cpu_vf)negated - n * 0.693145752f) - n * 1.42860677e-6f;
  const cpu_vf scale = (cpu_vf)(((cpu_vu)t + 127u) << 23);
  return 1.0f / (1.0f + CPU_EXP_POLYNOMIAL(r) * scale);
}

#endif
