// RMSNorm of every q and k head, then the rotary embedding (Su et al. 2021); pair j of a head is
// (x[j], x[j + K/2]), turned by the angle of the row's position.
//
//   n = x rstd w          y[j]       = n[j] cos - n[j+K/2] sin
//                         y[j+K/2]   = n[j+K/2] cos + n[j] sin
//   dn is dy turned back; g = dn w; dx (=) rstd (g - x rstd^2 mean(g x)); dw (+=) dn x rstd
//
// Saved: qkv, rstd. q and k weights share one loop: a row's heads are H of q, then G of k.
#include <math.h>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"

CPU_INLINE float fwd_head(const void *restrict x, const float *restrict w,
                          const float *restrict cos, const float *restrict sin, int64_t K,
                          void *restrict y, kern_dtype type) {
  const int64_t half = K / 2;
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t j = 0; j < K; j++) {
    float v = cpu_lane_get(x, j, type);
    squares += v * v;
  }
  const float rstd = 1.0f / sqrtf(squares / (float)K + KERN_RMS_EPS);
#pragma omp simd
  for (int64_t j = 0; j < half; j++) {
    float p = cpu_lane_get(x, j, type) * rstd * w[j];
    float q = cpu_lane_get(x, j + half, type) * rstd * w[j + half];
    cpu_lane_set(y, j, p * cos[j] - q * sin[j], type);
    cpu_lane_set(y, j + half, q * cos[j] + p * sin[j], type);
  }
  return rstd;
}

CPU_INLINE void fwd_row(const kern_qknorm_rope_fwd_args *a, int64_t m, kern_dtype type) {
  const int64_t K = a->K, heads = a->H + a->G, at = m / a->pos_div % a->pos_mod * (K / 2);
  const void *x = cpu_lane_row(a->qkv, m, (heads + a->G) * K, type);
  void *y = cpu_lane_row_mut(a->qk, m, heads * K, type);
  for (int64_t h = 0; h < heads; h++) {
    const float *w = h < a->H ? a->q_w : a->k_w;
    a->rstd[m * heads + h] = fwd_head(cpu_lane_row(x, h, K, type), w, a->cos + at, a->sin + at, K,
                                      cpu_lane_row_mut(y, h, K, type), type);
  }
}

orr_code CPU_FN(qknorm_rope_fwd)(kern *k, const kern_qknorm_rope_fwd_args *a) {
  ORR_CHECK(a->K % 2 == 0, ORR_EINVAL,
            "qknorm_rope: head width %lld is odd; rotary pairs need it even", (long long)a->K);
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

// dw: this block's share [K] for the weights of the head's kind.
CPU_INLINE void bwd_head(const void *restrict x, const void *restrict dy, const float *restrict w,
                         const float *restrict cos, const float *restrict sin, float rstd,
                         int64_t K, void *restrict dx, float *restrict dw, kern_dtype type) {
  const int64_t half = K / 2;
  float dot = 0;
#pragma omp simd reduction(+ : dot)
  for (int64_t j = 0; j < half; j++) {
    float dp = cpu_lane_get(dy, j, type), dq = cpu_lane_get(dy, j + half, type);
    float p = (dp * cos[j] + dq * sin[j]) * cpu_lane_get(x, j, type);
    float q = (dq * cos[j] - dp * sin[j]) * cpu_lane_get(x, j + half, type);
    dot += p * w[j] + q * w[j + half];
    dw[j] += p * rstd;
    dw[j + half] += q * rstd;
  }
  const float pull = dot / (float)K * rstd * rstd * rstd;
#pragma omp simd
  for (int64_t j = 0; j < half; j++) { // turning back once more is cheaper than keeping it
    float dp = cpu_lane_get(dy, j, type), dq = cpu_lane_get(dy, j + half, type);
    float p = (dp * cos[j] + dq * sin[j]) * w[j] * rstd;
    float q = (dq * cos[j] - dp * sin[j]) * w[j + half] * rstd;
    cpu_lane_set(dx, j, p - cpu_lane_get(x, j, type) * pull, type);
    cpu_lane_set(dx, j + half, q - cpu_lane_get(x, j + half, type) * pull, type);
  }
}

// dw [2,K]: q's share, then k's.
CPU_INLINE void bwd_row(const kern_qknorm_rope_bwd_args *a, int64_t m, float *dw, kern_dtype type) {
  const int64_t K = a->K, heads = a->H + a->G, at = m / a->pos_div % a->pos_mod * (K / 2);
  const void *x = cpu_lane_row(a->qkv, m, (heads + a->G) * K, type);
  const void *dy = cpu_lane_row(a->dqk, m, heads * K, type);
  void *dx = cpu_lane_row_mut(a->dqkv, m, (heads + a->G) * K, type);
  for (int64_t h = 0; h < heads; h++) {
    const int is_k = h >= a->H;
    bwd_head(cpu_lane_row(x, h, K, type), cpu_lane_row(dy, h, K, type), is_k ? a->k_w : a->q_w,
             a->cos + at, a->sin + at, a->rstd[m * heads + h], K, cpu_lane_row_mut(dx, h, K, type),
             dw + is_k * K, type);
  }
}

orr_code CPU_FN(qknorm_rope_bwd)(kern *k, const kern_qknorm_rope_bwd_args *a) {
  ORR_CHECK(a->K % 2 == 0, ORR_EINVAL,
            "qknorm_rope: head width %lld is odd; rotary pairs need it even", (long long)a->K);
  const cpu_blocks blocks = cpu_blocks_of(a->M);
  const int64_t width = 2 * a->K;
  void *workspace;
  ORR_TRY(cpu_workspace(k, (size_t)(blocks.count * width) * sizeof(float), &workspace));
  if (k->planning) return ORR_OK;
  float *partial = workspace;
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t b = 0; b < blocks.count; b++) {
    float *dw = partial + b * width;
    memset(dw, 0, (size_t)width * sizeof *dw);
    for (int64_t m = cpu_blocks_first(&blocks, b); m < cpu_blocks_end(&blocks, b); m++) {
      if (a->type == KERN_BF16)
        bwd_row(a, m, dw, KERN_BF16);
      else
        bwd_row(a, m, dw, KERN_F32);
    }
  }
  cpu_blocks_sum(&blocks, partial, width, 0, a->K, a->dq_w);
  cpu_blocks_sum(&blocks, partial + a->K, width, 0, a->K, a->dk_w);
  return ORR_OK;
}
