// SwiGLU (Shazeer 2020): h = silu(g) u with gu = (g, u) side by side in each row.
//
//   s = 1 / (1 + e^-g)      h (=) g s u
//                           dg (=) dh u s (1 + g (1 - s))      du (=) dh g s
//
// Saved: gu.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"
#include "kernels/cpu/vmath.h"

CPU_INLINE void fwd_row(const kern_swiglu_fwd_args *a, int64_t m, kern_dtype type) {
  const int64_t F = a->F;
  const void *restrict g = cpu_lane_row(a->gu, 2 * m, F, type);
  const void *restrict u = cpu_lane_row(a->gu, 2 * m + 1, F, type);
  void *restrict h = cpu_lane_row_mut(a->h, m, F, type);
  cpu_lane_prefetch(g, (size_t)(2 * F) * kern_dtype_size(type));
#pragma omp simd
  for (int64_t i = 0; i < F; i++) {
    float gi = cpu_lane_get(g, i, type);
    cpu_lane_set(h, i, gi * cpu_sigmoid(gi) * cpu_lane_get(u, i, type), type);
  }
}

orr_code CPU_FN(swiglu_fwd)(kern *k, const kern_swiglu_fwd_args *a) {
  if (k->planning) return ORR_OK;
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t m = 0; m < a->M; m++) {
    if (a->type == KERN_BF16)
      fwd_row(a, m, KERN_BF16);
    else
      fwd_row(a, m, KERN_F32);
  }
  return ORR_OK;
}

// dgu may be gu itself: every element is read before it is written, none is restrict.
CPU_INLINE void bwd_row(const kern_swiglu_bwd_args *a, int64_t m, kern_dtype type) {
  const int64_t F = a->F;
  const void *g = cpu_lane_row(a->gu, 2 * m, F, type);
  const void *u = cpu_lane_row(a->gu, 2 * m + 1, F, type);
  const void *dh = cpu_lane_row(a->dh, m, F, type);
  void *dg = cpu_lane_row_mut(a->dgu, 2 * m, F, type);
  void *du = cpu_lane_row_mut(a->dgu, 2 * m + 1, F, type);
  cpu_lane_prefetch(g, (size_t)(2 * F) * kern_dtype_size(type));
  cpu_lane_prefetch(dh, (size_t)F * kern_dtype_size(type));
#pragma omp simd
  for (int64_t i = 0; i < F; i++) {
    float gi = cpu_lane_get(g, i, type), dhi = cpu_lane_get(dh, i, type);
    float s = cpu_sigmoid(gi), dhs = dhi * s;
    float dgi = dhs * cpu_lane_get(u, i, type) * (1.0f + gi * (1.0f - s));
    cpu_lane_set(dg, i, dgi, type);
    cpu_lane_set(du, i, dhs * gi, type);
  }
}

orr_code CPU_FN(swiglu_bwd)(kern *k, const kern_swiglu_bwd_args *a) {
  if (k->planning) return ORR_OK;
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t m = 0; m < a->M; m++) {
    if (a->type == KERN_BF16)
      bwd_row(a, m, KERN_BF16);
    else
      bwd_row(a, m, KERN_F32);
  }
  return ORR_OK;
}
