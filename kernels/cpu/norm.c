// RMSNorm (Zhang & Sennrich 2019), forward and backward.
//
//   rstd = 1 / sqrt(mean(x^2) + eps)      y = x rstd w
//   g = dy w                              dx (=) rstd (g - x rstd^2 mean(g x)) + add
//                                         dw (+=) sum over rows of dy x rstd
//
// Saved: x, rstd. Statistics are float32. Each row is read twice, the second time from L1.
#include <math.h>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"

CPU_INLINE void fwd_row(const kern_rmsnorm_fwd_args *a, int64_t m, kern_dtype type) {
  const int64_t D = a->D;
  const void *restrict x = cpu_lane_row(a->x, m, D, type);
  void *restrict y = cpu_lane_row_mut(a->y, m, D, type);
  const float *restrict w = a->w;
  float squares = 0;
  cpu_lane_prefetch(x, (size_t)D * kern_dtype_size(type));
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < D; i++) {
    float v = cpu_lane_get(x, i, type);
    squares += v * v;
  }
  const float rstd = 1.0f / sqrtf(squares / (float)D + KERN_RMS_EPS);
#pragma omp simd
  for (int64_t i = 0; i < D; i++) cpu_lane_set(y, i, cpu_lane_get(x, i, type) * rstd * w[i], type);
  a->rstd[m] = rstd;
}

orr_code CPU_FN(rmsnorm_fwd)(kern *k, const kern_rmsnorm_fwd_args *a) {
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

// dw: this block's share [D]. add may be dx itself, so they are not restrict.
CPU_INLINE void bwd_row(const kern_rmsnorm_bwd_args *a, int64_t m, float *restrict dw,
                        kern_dtype type) {
  const int64_t D = a->D;
  const void *restrict x = cpu_lane_row(a->x, m, D, type);
  const void *restrict dy = cpu_lane_row(a->dy, m, D, type);
  const float *restrict w = a->w;
  const float rstd = a->rstd[m];
  float dot = 0;
  cpu_lane_prefetch(x, (size_t)D * kern_dtype_size(type));
  cpu_lane_prefetch(dy, (size_t)D * kern_dtype_size(type));
#pragma omp simd reduction(+ : dot)
  for (int64_t i = 0; i < D; i++) {
    float product = cpu_lane_get(dy, i, type) * cpu_lane_get(x, i, type);
    dot += product * w[i];
    dw[i] += product * rstd;
  }
  const float pull = dot / (float)D * rstd * rstd * rstd;
  void *dx = cpu_lane_row_mut(a->dx, m, D, type);
  if (!a->add) {
#pragma omp simd
    for (int64_t i = 0; i < D; i++) {
      float g = cpu_lane_get(dy, i, type) * w[i] * rstd;
      cpu_lane_set(dx, i, g - cpu_lane_get(x, i, type) * pull, type);
    }
    return;
  }
  const void *add = cpu_lane_row(a->add, m, D, type);
#pragma omp simd
  for (int64_t i = 0; i < D; i++) {
    float g = cpu_lane_get(dy, i, type) * w[i] * rstd;
    cpu_lane_set(dx, i, g - cpu_lane_get(x, i, type) * pull + cpu_lane_get(add, i, type), type);
  }
}

orr_code CPU_FN(rmsnorm_bwd)(kern *k, const kern_rmsnorm_bwd_args *a) {
  const cpu_blocks blocks = cpu_blocks_of(a->M);
  const int64_t D = a->D;
  void *workspace;
  ORR_TRY(cpu_workspace(k, (size_t)(blocks.count * D) * sizeof(float), &workspace));
  if (k->planning) return ORR_OK;
  float *partial = workspace;
#pragma omp parallel num_threads(k->threads)
  {
#pragma omp for schedule(static)
    for (int64_t b = 0; b < blocks.count; b++) {
      float *dw = partial + b * D;
      memset(dw, 0, (size_t)D * sizeof *dw);
      for (int64_t m = cpu_blocks_first(&blocks, b); m < cpu_blocks_end(&blocks, b); m++) {
        if (a->type == KERN_BF16)
          bwd_row(a, m, dw, KERN_BF16);
        else
          bwd_row(a, m, dw, KERN_F32);
      }
    }
#pragma omp for schedule(static)
    for (int64_t d = 0; d < D; d += 64)
      cpu_blocks_sum(&blocks, partial, D, d, d + 64 < D ? d + 64 : D, a->dw);
  }
  return ORR_OK;
}
