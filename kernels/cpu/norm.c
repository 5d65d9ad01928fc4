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
#include "kernels/cpu/vec.h"

CPU_INLINE void fwd_row(const kern_rmsnorm_fwd_args *a, int64_t m, cpu_vec_kind kind) {
  const kern_dtype type = cpu_vec_type(kind);
  const int64_t D = a->D;
  const void *x = cpu_lane_row(a->x, m, D, type);
  void *y = cpu_lane_row_mut(a->y, m, D, type);
  cpu_lane_prefetch(x, (size_t)D * kern_dtype_size(type));
  cpu_vf squares = {0};
  for (int64_t i = 0; i < D; i += CPU_LANES) {
    const cpu_vf v = cpu_vec_get(x, i, D - i, kind);
    squares += v * v;
  }
  const float rstd = 1.0f / sqrtf(cpu_vec_sum(squares) / (float)D + KERN_RMS_EPS);
  for (int64_t i = 0; i < D; i += CPU_LANES) {
    const int64_t left = D - i;
    cpu_vec_set(y, i, left, cpu_vec_get(x, i, left, kind) * rstd * cpu_vec_f32(a->w, i, left),
                kind);
  }
  a->rstd[m] = rstd;
}

typedef struct {
  const kern_rmsnorm_fwd_args *a;
  cpu_vec_kind kind;
} fwd_ctx;

static void fwd_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const fwd_ctx *c = ctx;
  for (int64_t m = first; m < end; m++) CPU_VEC_CALL(c->kind, fwd_row, c->a, m);
}

orr_code CPU_FN(rmsnorm_fwd)(kern *k, const kern_rmsnorm_fwd_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, cpu_grain(k, a->M, a->D), fwd_part, &(fwd_ctx){a, cpu_vec_kind_of(k, a->type)});
  return ORR_OK;
}

// dw: this block's share [D]. add may be dx itself: an element is read before it is written.
CPU_INLINE void bwd_row(const kern_rmsnorm_bwd_args *a, int64_t m, float *dw, cpu_vec_kind kind) {
  const kern_dtype type = cpu_vec_type(kind);
  const int64_t D = a->D;
  const void *x = cpu_lane_row(a->x, m, D, type), *dy = cpu_lane_row(a->dy, m, D, type);
  const void *add = a->add ? cpu_lane_row(a->add, m, D, type) : NULL;
  void *dx = cpu_lane_row_mut(a->dx, m, D, type);
  const float rstd = a->rstd[m];
  cpu_lane_prefetch(x, (size_t)D * kern_dtype_size(type));
  cpu_lane_prefetch(dy, (size_t)D * kern_dtype_size(type));
  cpu_vf dot = {0};
  for (int64_t i = 0; i < D; i += CPU_LANES) {
    const int64_t left = D - i;
    const cpu_vf product = cpu_vec_get(dy, i, left, kind) * cpu_vec_get(x, i, left, kind);
    dot += product * cpu_vec_f32(a->w, i, left);
    cpu_vec_set(dw, i, left, cpu_vec_f32(dw, i, left) + product * rstd, CPU_VEC_F32);
  }
  const float pull = cpu_vec_sum(dot) / (float)D * rstd * rstd * rstd;
  for (int64_t i = 0; i < D; i += CPU_LANES) {
    const int64_t left = D - i;
    const cpu_vf g = cpu_vec_get(dy, i, left, kind) * rstd * cpu_vec_f32(a->w, i, left);
    const cpu_vf own = g - cpu_vec_get(x, i, left, kind) * pull;
    cpu_vec_set(dx, i, left, add ? own + cpu_vec_get(add, i, left, kind) : own, kind);
  }
}

typedef struct {
  const kern_rmsnorm_bwd_args *a;
  cpu_blocks blocks;
  cpu_vec_kind kind;
  float *partial; // of dw, [blocks][D]
} bwd_ctx;

static void bwd_blocks(const void *ctx, int64_t first, int64_t end, int thread) {
  const bwd_ctx *c = ctx;
  const int64_t D = c->a->D;
  for (int64_t b = first; b < end; b++) {
    float *dw = c->partial + b * D;
    memset(dw, 0, (size_t)D * sizeof *dw);
    for (int64_t m = cpu_blocks_first(&c->blocks, b); m < cpu_blocks_end(&c->blocks, b); m++)
      CPU_VEC_CALL(c->kind, bwd_row, c->a, m, dw);
  }
}

static void sum_columns(const void *ctx, int64_t first, int64_t end, int thread) {
  const bwd_ctx *c = ctx;
  cpu_blocks_sum(&c->blocks, c->partial, c->a->D, first, end, c->a->dw);
}

orr_code CPU_FN(rmsnorm_bwd)(kern *k, const kern_rmsnorm_bwd_args *a) {
  bwd_ctx c = {.a = a, .blocks = cpu_blocks_of(a->M), .kind = cpu_vec_kind_of(k, a->type)};
  void *workspace;
  if (a->unit) c.blocks = (cpu_blocks){a->M, a->unit, a->M / a->unit};
  ORR_TRY(cpu_workspace(k, (size_t)(c.blocks.count * a->D) * sizeof(float), &workspace));
  if (k->planning) return ORR_OK;
  c.partial = a->unit ? a->dw_units : workspace;
  cpu_run(k, c.blocks.count, 1, bwd_blocks, &c);
  if (a->unit) return ORR_OK;
  cpu_run(k, a->D, 256, sum_columns, &c);
  return ORR_OK;
}
