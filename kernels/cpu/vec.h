// Tensors of either type read and written by whole vectors, for the few loops that the compiler
// does not vectorise well by itself. `type` has to be a constant where a function is used.
//
// A loop runs i = 0, CPU_LANES, ... < n and hands n - i as `left`; past the end lanes read 0 and
// are not written.
#ifndef KERNELS_CPU_VEC_H
#define KERNELS_CPU_VEC_H

#include "kernels/cpu/isa.h"
#include "kernels/cpu/lane.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

CPU_INLINE cpu_vf cpu_vec_get(const void *p, int64_t i, int64_t left, kern_dtype type) {
  const size_t size = kern_dtype_size(type);
  const char *at = (const char *)p + (size_t)i * size;
  uint32_t part[CPU_LANES] = {0}; // of either type
  if (left < CPU_LANES) {
    memcpy(part, at, (size_t)left * size);
    at = (const char *)part;
  }
  return type == KERN_BF16 ? cpu_vf_load_bf16((const void *)at) : cpu_vf_load((const void *)at);
}

CPU_INLINE void cpu_vec_set(void *p, int64_t i, int64_t left, cpu_vf v, kern_dtype type) {
  const size_t size = kern_dtype_size(type);
  char *at = (char *)p + (size_t)i * size;
  uint32_t part[CPU_LANES];
  void *to = left < CPU_LANES ? (void *)part : at;
  if (type == KERN_BF16)
    cpu_vf_store_bf16(to, v);
  else
    cpu_vf_store(to, v);
  if (left < CPU_LANES) memcpy(at, part, (size_t)left * size);
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

#endif
