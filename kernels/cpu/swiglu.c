// SwiGLU (Shazeer 2020): h = silu(g) u with gu = (g, u) side by side in each row.
//
//   s = 1 / (1 + e^-g)      h (=) g s u
//                           dg (=) dh u s (1 + g (1 - s))      du (=) dh g s
//
// Saved: gu.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/vec.h"

CPU_INLINE void fwd_row(const kern_swiglu_fwd_args *a, int64_t m, cpu_vec_kind kind) {
  const kern_dtype type = cpu_vec_type(kind);
  const int64_t F = a->F;
  const void *g = cpu_lane_row(a->gu, 2 * m, F, type);
  const void *u = cpu_lane_row(a->gu, 2 * m + 1, F, type);
  void *h = cpu_lane_row_mut(a->h, m, F, type);
  cpu_lane_prefetch(g, (size_t)(2 * F) * kern_dtype_size(type));
  for (int64_t i = 0; i < F; i += CPU_LANES) {
    const int64_t left = F - i;
    const cpu_vf gi = cpu_vec_get(g, i, left, kind), ui = cpu_vec_get(u, i, left, kind);
    cpu_vec_set(h, i, left, gi * cpu_vec_sigmoid(gi) * ui, kind);
  }
}

typedef struct {
  const kern_swiglu_fwd_args *a;
  cpu_vec_kind kind;
} fwd_ctx;

static void fwd_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const fwd_ctx *c = ctx;
  for (int64_t m = first; m < end; m++) CPU_VEC_CALL(c->kind, fwd_row, c->a, m);
}

orr_code CPU_FN(swiglu_fwd)(kern *k, const kern_swiglu_fwd_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, cpu_grain(k, a->M, 2 * a->F), fwd_part,
          &(fwd_ctx){a, cpu_vec_kind_of(k, a->type)});
  return ORR_OK;
}

// dgu may be gu itself: an element is read before it is written.
CPU_INLINE void bwd_row(const kern_swiglu_bwd_args *a, int64_t m, cpu_vec_kind kind) {
  const kern_dtype type = cpu_vec_type(kind);
  const int64_t F = a->F;
  const void *g = cpu_lane_row(a->gu, 2 * m, F, type);
  const void *u = cpu_lane_row(a->gu, 2 * m + 1, F, type);
  const void *dh = cpu_lane_row(a->dh, m, F, type);
  void *dg = cpu_lane_row_mut(a->dgu, 2 * m, F, type);
  void *du = cpu_lane_row_mut(a->dgu, 2 * m + 1, F, type);
  cpu_lane_prefetch(g, (size_t)(2 * F) * kern_dtype_size(type));
  cpu_lane_prefetch(dh, (size_t)F * kern_dtype_size(type));
  for (int64_t i = 0; i < F; i += CPU_LANES) {
    const int64_t left = F - i;
    const cpu_vf gi = cpu_vec_get(g, i, left, kind), ui = cpu_vec_get(u, i, left, kind);
    const cpu_vf s = cpu_vec_sigmoid(gi), dhs = cpu_vec_get(dh, i, left, kind) * s;
    cpu_vec_set(dg, i, left, dhs * ui * (1.0f + gi * (1.0f - s)), kind);
    cpu_vec_set(du, i, left, dhs * gi, kind);
  }
}

typedef struct {
  const kern_swiglu_bwd_args *a;
  cpu_vec_kind kind;
} bwd_ctx;

static void bwd_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const bwd_ctx *c = ctx;
  for (int64_t m = first; m < end; m++) CPU_VEC_CALL(c->kind, bwd_row, c->a, m);
}

orr_code CPU_FN(swiglu_bwd)(kern *k, const kern_swiglu_bwd_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, cpu_grain(k, a->M, 2 * a->F), bwd_part,
          &(bwd_ctx){a, cpu_vec_kind_of(k, a->type)});
  return ORR_OK;
}
