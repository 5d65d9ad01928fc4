// What Muon (Jordan et al. 2024) does to a matrix element by element: its momentum, the division by
// the Frobenius norm, and the update with the weights' moving average and their bfloat16 copy. The
// products between them are the table's.
#include <math.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"

enum { STRIP = 1024 };

// As in AdamW: without a gradient a momentum decays into the denormal numbers.
CPU_INLINE float flushed(float x) {
  return fabsf(x) < 1e-36f ? 0.0f : x;
}

static void blend_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_muon_blend_args *a = ctx;
  const float keep = a->momentum, take = 1.0f - keep, scale = a->verdict->scale;
  float *restrict g = a->g + first, *restrict m = a->m + first;
#pragma omp simd
  for (int64_t i = 0; i < end - first; i++) {
    const float gi = take * (g[i] * scale), mi = flushed(keep * m[i] + gi);
    m[i] = mi;
    g[i] = flushed(keep * mi + gi);
  }
}

orr_code CPU_FN(muon_blend)(kern *k, const kern_muon_blend_args *a) {
  if (k->planning || a->verdict->skip) return ORR_OK;
  cpu_run(k, a->n, STRIP, blend_part, a);
  return ORR_OK;
}

CPU_INLINE void norm_strip(const kern_muon_norm_args *a, float by, int64_t first, int64_t n,
                           kern_dtype type) {
  const float *restrict g = a->g + first;
  void *restrict x = cpu_lane_row_mut(a->x, first, 1, type);
#pragma omp simd
  for (int64_t i = 0; i < n; i++) cpu_lane_set(x, i, g[i] * by, type);
}

static void norm_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_muon_norm_args *a = ctx;
  const float by = *a->sumsq > 0.0 ? (float)(1.0 / sqrt(*a->sumsq)) : 0.0f;
  if (a->type == KERN_BF16)
    norm_strip(a, by, first, end - first, KERN_BF16);
  else
    norm_strip(a, by, first, end - first, KERN_F32);
}

orr_code CPU_FN(muon_norm)(kern *k, const kern_muon_norm_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->n, STRIP, norm_part, a);
  return ORR_OK;
}

CPU_INLINE void apply_strip(const kern_muon_apply_args *a, int64_t first, int64_t n,
                            kern_dtype type) {
  const float keep = (float)(1.0 - (double)a->rates->lr * a->weight_decay),
              rate = a->rates->lr * a->gain;
  const void *restrict x = cpu_lane_row(a->x, first, 1, type);
  float *restrict w = a->w + first;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) w[i] = w[i] * keep - rate * cpu_lane_get(x, i, type);
  if (a->ema) {
    float *restrict ema = a->ema + first;
    const float old = a->ema_decay;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) ema[i] = old * ema[i] + (1.0f - old) * w[i];
  }
  if (a->w_bf16) {
    uint16_t *restrict copy = a->w_bf16 + first;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) copy[i] = cpu_lane_bf16(w[i]);
  }
}

static void apply_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_muon_apply_args *a = ctx;
  if (a->type == KERN_BF16)
    apply_strip(a, first, end - first, KERN_BF16);
  else
    apply_strip(a, first, end - first, KERN_F32);
}

orr_code CPU_FN(muon_apply)(kern *k, const kern_muon_apply_args *a) {
  if (k->planning || a->verdict->skip) return ORR_OK;
  cpu_run(k, a->n, STRIP, apply_part, a);
  return ORR_OK;
}
