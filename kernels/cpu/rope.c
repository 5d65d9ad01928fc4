// RMSNorm of every q and k head, then the rotary embedding (Su et al. 2021); pair j of a head is
// (x[j], x[j + K/2]), turned by the angle of the row's position.
//
//   n = x rstd w          y[j]       = n[j] cos - n[j+K/2] sin
//                         y[j+K/2]   = n[j+K/2] cos + n[j] sin
//   dn is dy turned back; g = dn w; dx (=) rstd (g - x rstd^2 mean(g x)); dw (+=) dn x rstd
//
// Saved: qkv, rstd. q and k weights share one loop: a row's heads are H of q, then G of k.
#include <inttypes.h>
#include <math.h>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/vec.h"

// K is a constant 64 where that is the head width, so that the loops unroll: see the calls.
CPU_INLINE float fwd_head(const void *x, const float *w, const float *cos, const float *sin,
                          int64_t K, void *y, cpu_vec_kind kind) {
  const int64_t half = K / 2;
  cpu_vf squares = {0};
  for (int64_t j = 0; j < half; j += CPU_LANES) {
    const cpu_vf p = cpu_vec_get(x, j, half - j, kind);
    const cpu_vf q = cpu_vec_get(x, j + half, half - j, kind);
    squares += p * p + q * q;
  }
  const float rstd = 1.0f / sqrtf(cpu_vec_sum(squares) / (float)K + KERN_RMS_EPS);
  for (int64_t j = 0; j < half; j += CPU_LANES) {
    const int64_t left = half - j;
    const cpu_vf c = cpu_vec_f32(cos, j, left), s = cpu_vec_f32(sin, j, left);
    const cpu_vf p = cpu_vec_get(x, j, left, kind) * rstd * cpu_vec_f32(w, j, left);
    const cpu_vf q = cpu_vec_get(x, j + half, left, kind) * rstd * cpu_vec_f32(w, j + half, left);
    cpu_vec_set(y, j, left, p * c - q * s, kind);
    cpu_vec_set(y, j + half, left, q * c + p * s, kind);
  }
  return rstd;
}

CPU_INLINE void fwd_row(const kern_qknorm_rope_fwd_args *a, int64_t m, int64_t K,
                        cpu_vec_kind kind) {
  const kern_dtype type = cpu_vec_type(kind);
  const int64_t heads = a->H + a->G, at = m / a->pos_div % a->pos_mod * (K / 2);
  const void *x = cpu_lane_row(a->qkv, m, (heads + a->G) * K, type);
  void *y = cpu_lane_row_mut(a->qk, m, heads * K, type);
  cpu_lane_prefetch(x, (size_t)(heads * K) * kern_dtype_size(type));
  for (int64_t h = 0; h < heads; h++) {
    const float *w = h < a->H ? a->q_w : a->k_w;
    a->rstd[m * heads + h] = fwd_head(cpu_lane_row(x, h, K, type), w, a->cos + at, a->sin + at, K,
                                      cpu_lane_row_mut(y, h, K, type), kind);
  }
}

CPU_INLINE void fwd_row_by_kind(const kern_qknorm_rope_fwd_args *a, int64_t m, int64_t K,
                                cpu_vec_kind kind) {
  CPU_VEC_CALL(kind, fwd_row, a, m, K);
}

typedef struct {
  const kern_qknorm_rope_fwd_args *a;
  cpu_vec_kind kind;
} fwd_ctx;

static void fwd_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const fwd_ctx *c = ctx;
  for (int64_t m = first; m < end; m++) {
    if (c->a->K == 64)
      fwd_row_by_kind(c->a, m, 64, c->kind);
    else
      fwd_row_by_kind(c->a, m, c->a->K, c->kind);
  }
}

orr_code CPU_FN(qknorm_rope_fwd)(kern *k, const kern_qknorm_rope_fwd_args *a) {
  ORR_CHECK(a->K % 2 == 0, ORR_EINVAL,
            "qknorm_rope: head width %" PRId64 " is odd; rotary pairs need it even", a->K);
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, cpu_grain(k, a->M, (a->H + a->G) * a->K), fwd_part,
          &(fwd_ctx){a, cpu_vec_kind_of(k, a->type)});
  return ORR_OK;
}

// dw: this block's share [K] for the weights of the head's kind.
CPU_INLINE void bwd_head(const void *x, const void *dy, const float *w, const float *cos,
                         const float *sin, float rstd, int64_t K, void *dx, float *dw,
                         cpu_vec_kind kind) {
  const int64_t half = K / 2;
  cpu_vf dot = {0};
  for (int64_t j = 0; j < half; j += CPU_LANES) {
    const int64_t left = half - j;
    const cpu_vf c = cpu_vec_f32(cos, j, left), s = cpu_vec_f32(sin, j, left);
    const cpu_vf dp = cpu_vec_get(dy, j, left, kind), dq = cpu_vec_get(dy, j + half, left, kind);
    const cpu_vf p = (dp * c + dq * s) * cpu_vec_get(x, j, left, kind);
    const cpu_vf q = (dq * c - dp * s) * cpu_vec_get(x, j + half, left, kind);
    dot += p * cpu_vec_f32(w, j, left) + q * cpu_vec_f32(w, j + half, left);
    cpu_vec_set(dw, j, left, cpu_vec_f32(dw, j, left) + p * rstd, CPU_VEC_F32);
    cpu_vec_set(dw, j + half, left, cpu_vec_f32(dw, j + half, left) + q * rstd, CPU_VEC_F32);
  }
  const float pull = cpu_vec_sum(dot) / (float)K * rstd * rstd * rstd;
  for (int64_t j = 0; j < half; j += CPU_LANES) { // turning back again is cheaper than keeping it
    const int64_t left = half - j;
    const cpu_vf c = cpu_vec_f32(cos, j, left), s = cpu_vec_f32(sin, j, left);
    const cpu_vf dp = cpu_vec_get(dy, j, left, kind), dq = cpu_vec_get(dy, j + half, left, kind);
    const cpu_vf p = (dp * c + dq * s) * rstd * cpu_vec_f32(w, j, left);
    const cpu_vf q = (dq * c - dp * s) * rstd * cpu_vec_f32(w, j + half, left);
    cpu_vec_set(dx, j, left, p - cpu_vec_get(x, j, left, kind) * pull, kind);
    cpu_vec_set(dx, j + half, left, q - cpu_vec_get(x, j + half, left, kind) * pull, kind);
  }
}

// dw [2,K]: q's share, then k's; by units [H+G,K].
CPU_INLINE void bwd_row(const kern_qknorm_rope_bwd_args *a, int64_t m, float *dw, int64_t K,
                        cpu_vec_kind kind) {
  const kern_dtype type = cpu_vec_type(kind);
  const int64_t heads = a->H + a->G, at = m / a->pos_div % a->pos_mod * (K / 2);
  const void *x = cpu_lane_row(a->qkv, m, (heads + a->G) * K, type);
  const void *dy = cpu_lane_row(a->dqk, m, heads * K, type);
  void *dx = cpu_lane_row_mut(a->dqkv, m, (heads + a->G) * K, type);
  cpu_lane_prefetch(x, (size_t)(heads * K) * kern_dtype_size(type));
  cpu_lane_prefetch(dy, (size_t)(heads * K) * kern_dtype_size(type));
  for (int64_t h = 0; h < heads; h++) {
    const int is_k = h >= a->H;
    bwd_head(cpu_lane_row(x, h, K, type), cpu_lane_row(dy, h, K, type), is_k ? a->k_w : a->q_w,
             a->cos + at, a->sin + at, a->rstd[m * heads + h], K, cpu_lane_row_mut(dx, h, K, type),
             dw + (a->unit ? h : is_k) * K, kind);
  }
}

CPU_INLINE void bwd_row_by_kind(const kern_qknorm_rope_bwd_args *a, int64_t m, float *dw, int64_t K,
                                cpu_vec_kind kind) {
  CPU_VEC_CALL(kind, bwd_row, a, m, dw, K);
}

typedef struct {
  const kern_qknorm_rope_bwd_args *a;
  cpu_blocks blocks;
  cpu_vec_kind kind;
  float *partial; // of dq_w and dk_w, [blocks][width]
  int64_t width;
} bwd_ctx;

static void bwd_blocks(const void *ctx, int64_t first, int64_t end, int thread) {
  const bwd_ctx *c = ctx;
  const int64_t K = c->a->K;
  for (int64_t b = first; b < end; b++) {
    float *dw = c->partial + b * c->width;
    memset(dw, 0, (size_t)c->width * sizeof *dw);
    for (int64_t m = cpu_blocks_first(&c->blocks, b); m < cpu_blocks_end(&c->blocks, b); m++) {
      if (K == 64)
        bwd_row_by_kind(c->a, m, dw, 64, c->kind);
      else
        bwd_row_by_kind(c->a, m, dw, K, c->kind);
    }
  }
}

orr_code CPU_FN(qknorm_rope_bwd)(kern *k, const kern_qknorm_rope_bwd_args *a) {
  ORR_CHECK(a->K % 2 == 0, ORR_EINVAL,
            "qknorm_rope: head width %" PRId64 " is odd; rotary pairs need it even", a->K);
  bwd_ctx c = {.a = a, .blocks = cpu_blocks_of(a->M), .kind = cpu_vec_kind_of(k, a->type)};
  if (a->unit) c.blocks = (cpu_blocks){a->M, a->unit, a->M / a->unit};
  const int64_t width = c.width = (a->unit ? a->H + a->G : 2) * a->K;
  void *workspace;
  ORR_TRY(cpu_workspace(k, (size_t)(c.blocks.count * width) * sizeof(float), &workspace));
  if (k->planning) return ORR_OK;
  c.partial = a->unit ? a->dw_units : workspace;
  cpu_run(k, c.blocks.count, 1, bwd_blocks, &c);
  if (a->unit) return ORR_OK;
  cpu_blocks_sum(&c.blocks, c.partial, width, 0, a->K, a->dq_w);
  cpu_blocks_sum(&c.blocks, c.partial + a->K, width, 0, a->K, a->dk_w);
  return ORR_OK;
}
