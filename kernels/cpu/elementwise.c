// Loops over one flat range: conversion between types, and a x + b y.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"

enum { STRIP = 4096 }; // elements of one task

CPU_INLINE void cast_strip(const kern_cast_args *a, int64_t first, int64_t n, kern_dtype from,
                           kern_dtype to) {
  const void *restrict x = cpu_lane_row(a->x, first, 1, from);
  void *restrict y = cpu_lane_row_mut(a->y, first, 1, to);
#pragma omp simd
  for (int64_t i = 0; i < n; i++) cpu_lane_set(y, i, cpu_lane_get(x, i, from), to);
}

static void cast_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_cast_args *a = ctx;
  const int64_t n = end - first;
  if (a->from == a->to)
    memcpy(cpu_lane_row_mut(a->y, first, 1, a->to), cpu_lane_row(a->x, first, 1, a->from),
           (size_t)n * kern_dtype_size(a->to));
  else if (a->to == KERN_BF16)
    cast_strip(a, first, n, KERN_F32, KERN_BF16);
  else
    cast_strip(a, first, n, KERN_BF16, KERN_F32);
}

orr_code CPU_FN(cast)(kern *k, const kern_cast_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->n, STRIP, cast_part, a);
  return ORR_OK;
}

// y may be x.
CPU_INLINE void axpby_strip(const kern_axpby_args *a, int64_t first, int64_t n, kern_dtype type) {
  const void *x = cpu_lane_row(a->x, first, 1, type);
  void *y = cpu_lane_row_mut(a->y, first, 1, type);
  const float p = a->a, q = a->b;
  if (q == 0.0f) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) cpu_lane_set(y, i, p * cpu_lane_get(x, i, type), type);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
      cpu_lane_set(y, i, p * cpu_lane_get(x, i, type) + q * cpu_lane_get(y, i, type), type);
  }
}

static void axpby_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_axpby_args *a = ctx;
  if (a->type == KERN_BF16)
    axpby_strip(a, first, end - first, KERN_BF16);
  else
    axpby_strip(a, first, end - first, KERN_F32);
}

orr_code CPU_FN(axpby)(kern *k, const kern_axpby_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->n, STRIP, axpby_part, a);
  return ORR_OK;
}
