// The files of this folder that hold ops are compiled once for each instruction set, into one
// library (see kernels.cmake): CPU_FN(rmsnorm_fwd) is then rmsnorm_fwd_v2, _v3 and _v4 (or _plain
// away from x86-64). Functions of an op file that are not in the table are static.
//
// The vectors are GCC vector extensions of the set's register width, so that one source serves all.
#ifndef KERNELS_CPU_ISA_H
#define KERNELS_CPU_ISA_H

#include <stdint.h>
#include <string.h>

#ifndef CPU_ISA
#define CPU_ISA plain
#endif
#define CPU_PASTE2(name, isa) name##_##isa
#define CPU_PASTE(name, isa)  CPU_PASTE2(name, isa)
#define CPU_FN(name)          CPU_PASTE(name, CPU_ISA)

#if defined(__AVX512F__)
#define CPU_LANES 16
#elif defined(__AVX__)
#define CPU_LANES 8
#else
#define CPU_LANES 4
#endif

typedef float cpu_vf __attribute__((vector_size(4 * CPU_LANES)));
typedef int32_t cpu_vi __attribute__((vector_size(4 * CPU_LANES)));
typedef uint32_t cpu_vu __attribute__((vector_size(4 * CPU_LANES)));
typedef uint16_t cpu_vh __attribute__((vector_size(2 * CPU_LANES)));

static inline cpu_vf cpu_vf_set(float x) {
  return x - (cpu_vf){0};
}

static inline cpu_vf cpu_vf_load(const float *p) {
  cpu_vf v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline void cpu_vf_store(float *p, cpu_vf v) {
  memcpy(p, &v, sizeof v);
}

// CPU_LANES bfloat16 values, widened.
static inline cpu_vf cpu_vf_load_bf16(const uint16_t *p) {
  cpu_vh h;
  memcpy(&h, p, sizeof h);
  return (cpu_vf)(__builtin_convertvector(h, cpu_vu) << 16);
}

// Round to nearest even; a NaN stays a NaN. The same bits as kern_f32_to_bf16.
static inline void cpu_vf_store_bf16(uint16_t *p, cpu_vf v) {
  cpu_vu u = (cpu_vu)v;
  cpu_vu rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  cpu_vu quiet = (u >> 16) | 0x40u;
  cpu_vu nan = (cpu_vu)((u & 0x7fffffffu) > 0x7f800000u);
  cpu_vh h = __builtin_convertvector((rounded & ~nan) | (quiet & nan), cpu_vh);
  memcpy(p, &h, sizeof h);
}

#endif
