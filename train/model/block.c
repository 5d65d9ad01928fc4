#include "train/model/block.h"

#include <math.h>

#include "train/model/attention.h"
#include "train/model/exact.h"

typedef struct {
  train_part q, kv, f; // in heads, heads and hidden units
} block_parts;

static block_parts parts_of(const train_block_dims *d) {
  const int tp = train_axes_size(d->axes, DIST_AXIS_TP), i = train_axes_rank(d->axes, DIST_AXIS_TP);
  return (block_parts){.q = train_part_of(d->H, tp, i),
                       .kv = train_part_heads(d->G, tp, i),
                       .f = train_part_of(d->F, tp, i)};
}

void train_block_dims_split(train_block_dims *d, train_axes *axes) {
  d->axes = axes;
  const block_parts p = parts_of(d);
  d->here.H = p.q.count;
  d->here.G = p.kv.count;
  d->here.F = p.f.count;
}

static train_part in_elements(train_part heads, int64_t K) {
  return (train_part){heads.first * K, heads.count * K, heads.capacity * K};
}

// The spec of a matrix [rows,cols] of which `part` of dimension `dim` lies here.
static train_param_spec matrix(int64_t rows, int64_t cols, float std, int dim,
                               const train_part *part) {
  return (train_param_spec){.ndim = 2,
                            .shape = {rows, cols},
                            .init = TRAIN_INIT_NORMAL,
                            .std = std,
                            .decay = true,
                            .of_block = true,
                            .dim = dim,
                            .part = part};
}

// A norm's weight: whole on every rank, with gradients of that rank's rows or heads alone.
static orr_code add_norm(train_params *p, const train_block_dims *d, int64_t n, const char *prefix,
                         const char *name, int64_t *at) {
  const train_param_spec s = {.ndim = 1,
                              .shape = {n},
                              .init = TRAIN_INIT_ONES,
                              .counted_elsewhere = train_axes_rank(d->axes, DIST_AXIS_TP) > 0,
                              .grad_partial = train_axes_size(d->axes, DIST_AXIS_TP) > 1 &&
                                              !train_exact(d->axes)};
  return train_params_add(p, &s, at, "%s.%s.weight", prefix, name);
}

static orr_code add_qkv(train_params *p, const train_block_dims *d, float std, const char *prefix,
                        int64_t *at) {
  const int tp = train_axes_size(d->axes, DIST_AXIS_TP), i = train_axes_rank(d->axes, DIST_AXIS_TP);
  const block_parts b = parts_of(d);
  const train_part q = in_elements(b.q, d->K), kv = in_elements(b.kv, d->K);
  const train_param_spec q_spec = matrix(d->H * d->K, d->D, std, 0, &q);
  train_param_spec kv_spec = matrix(d->G * d->K, d->D, std, 0, &kv);
  kv_spec.adjoins_previous = true;
  if (d->G < tp) { // one head, shared by neighbours, each with gradients of its own query heads
    kv_spec.grad_partial = true;
    kv_spec.counted_elsewhere = i % (tp / d->G) > 0;
  }
  ORR_TRY(train_params_add(p, &q_spec, at, "%s.attn.q.weight", prefix));
  ORR_TRY(train_params_add(p, &kv_spec, NULL, "%s.attn.k.weight", prefix));
  return train_params_add(p, &kv_spec, NULL, "%s.attn.v.weight", prefix);
}

orr_code train_block_add(train_params *p, const train_block_dims *d, int layers, const char *prefix,
                         train_block_params *out) {
  const float std = 0.02f, back = 0.02f / sqrtf(2.0f * (float)layers);
  const block_parts b = parts_of(d);
  const train_part q = in_elements(b.q, d->K);
  const train_param_spec o = matrix(d->D, d->H * d->K, back, 1, &q),
                         gate = matrix(d->F, d->D, std, 0, &b.f),
                         down = matrix(d->D, d->F, back, 1, &b.f);
  train_param_spec up = gate;
  up.adjoins_previous = true;
  ORR_TRY(add_norm(p, d, d->D, prefix, "norm1", &out->norm1));
  ORR_TRY(add_qkv(p, d, std, prefix, &out->qkv));
  ORR_TRY(train_params_add(p, &o, &out->o, "%s.attn.o.weight", prefix));
  ORR_TRY(add_norm(p, d, d->K, prefix, "attn.q_norm", &out->q_norm));
  ORR_TRY(add_norm(p, d, d->K, prefix, "attn.k_norm", &out->k_norm));
  ORR_TRY(add_norm(p, d, d->D, prefix, "norm2", &out->norm2));
  ORR_TRY(train_params_add(p, &gate, &out->gu, "%s.mlp.gate.weight", prefix));
  ORR_TRY(train_params_add(p, &up, NULL, "%s.mlp.up.weight", prefix));
  return train_params_add(p, &down, &out->down, "%s.mlp.down.weight", prefix);
}

train_keep train_block_keep(const cfg *c) {
  static const train_keep keeps[] = {[CFG_RECOMPUTE_NONE] = TRAIN_KEEP_ALL,
                                     [CFG_RECOMPUTE_CHEAP] = TRAIN_RECOMPUTE_CHEAP,
                                     [CFG_RECOMPUTE_ALL] = TRAIN_RECOMPUTE};
  return keeps[c->train.recompute];
}

void train_block_cheap_take(train_block_acts *a, const train_block_dims *d, int64_t M,
                            orr_arena *arena) {
  const size_t e = kern_dtype_size(d->act), rows = (size_t)train_rows_part(d->axes, M),
               D = (size_t)d->D, K = (size_t)d->K;
  *a = (train_block_acts){.y1 = orr_arena_take(arena, rows * D * e),
                          .y2 = orr_arena_take(arena, rows * D * e)};
  a->qk = orr_arena_take(arena, (size_t)M * (size_t)(d->here.H + d->here.G) * K * e);
  a->h = orr_arena_take(arena, (size_t)(M * d->here.F) * e);
}

void train_block_acts_take(train_block_acts *a, const train_block_dims *d,
                           const train_block_shape *s, const train_block_acts *cheap,
                           orr_arena *arena) {
  const train_exchange *x = s->exchange;
  const size_t e = kern_dtype_size(d->act), M = (size_t)s->M, H = (size_t)d->here.H,
               F = (size_t)d->here.F;
  const size_t D = (size_t)d->D, HK = H * (size_t)d->K, GK = (size_t)(d->here.G * d->K);
  const size_t rows = (size_t)train_rows_part(d->axes, s->M), M_time = x ? (size_t)x->M_time : 0;
  a->again = cheap != NULL;
  a->y1 = cheap ? cheap->y1 : orr_arena_take(arena, rows * D * e);
  a->rstd1 = orr_arena_take(arena, rows * sizeof(float));
  a->qkv = orr_arena_take(arena, M * (HK + 2 * GK) * e);
  a->qk = x ? x->qk : cheap ? cheap->qk : orr_arena_take(arena, M * (HK + GK) * e);
  a->rstd_qk = orr_arena_take(arena, M * (H + (size_t)d->here.G) * sizeof(float));
  a->o = orr_arena_take(arena, M * HK * e);
  a->lse = orr_arena_take(arena, (M_time > M ? M_time : M) * H * sizeof(float));
  a->time_qkv = x ? orr_arena_take(arena, M_time * (HK + 2 * GK) * e) : NULL;
  a->time_o = x ? orr_arena_take(arena, M_time * HK * e) : NULL;
  a->mid = orr_arena_take(arena, rows * D * e);
  a->y2 = cheap ? cheap->y2 : orr_arena_take(arena, rows * D * e);
  a->rstd2 = orr_arena_take(arena, rows * sizeof(float));
  a->gu = orr_arena_take(arena, M * 2 * F * e);
  a->h = cheap ? cheap->h : orr_arena_take(arena, M * F * e);
}

// Sums of what tp splits, frame by frame: rows of the norms, and heads.
static void take_units(train_block_scratch *s, const train_block_dims *d,
                       const train_block_shape *shape, orr_arena *arena) {
  const int64_t tp = train_axes_size(d->axes, DIST_AXIS_TP), rows = shape->frames * d->D,
                heads = (d->here.H + d->here.G) * d->K, leaf = shape->leaves * heads;
  s->units = orr_arena_take(arena, (size_t)(shape->frames * (heads > d->D ? heads : d->D)) *
                                       sizeof *s->units);
  s->all_units =
      orr_arena_take(arena, (size_t)(rows > tp * leaf ? rows : tp * leaf) * sizeof *s->all_units);
  s->leaf_units = orr_arena_take(arena, (size_t)leaf * sizeof *s->leaf_units);
}

void train_block_scratch_take(train_block_scratch *s, const train_block_dims *d,
                              const train_block_shape *shape, orr_arena *arena) {
  const int64_t M = shape->M;
  if (shape->leaves) take_units(s, d, shape, arena);
  const size_t e = kern_dtype_size(d->act), rows = (size_t)M;
  const size_t HK = (size_t)(d->here.H * d->K), GK = (size_t)(d->here.G * d->K);
  s->dy = orr_arena_take(arena, (size_t)train_rows_part(d->axes, M) * (size_t)d->D * e);
  s->dqkv = orr_arena_take(arena, rows * (HK + 2 * GK) * e);
  s->dqk = orr_arena_take(arena, rows * (HK + GK) * e);
  s->d_o = orr_arena_take(arena, rows * HK * e);
  s->dh = orr_arena_take(arena, rows * (size_t)d->here.F * e);
}

static train_rows rows_of(const train_block_dims *d, const train_block_shape *s) {
  return (train_rows){.axes = d->axes,
                      .M = s->M,
                      .rows = train_rows_part(d->axes, s->M),
                      .full = s->full,
                      .leaves = s->leaves,
                      .partial = s->partial,
                      .parts = s->parts};
}

// The four products, as they lie on this rank.
static train_linear qkv_of(const train_block *b) {
  const train_block_dims *d = b->d;
  const int64_t HK = d->here.H * d->K, GK = d->here.G * d->K;
  return (train_linear){
      .w = b->p->qkv, .N = HK + 2 * GK, .K = d->D, .segments = 3, .width = {HK, GK, GK}};
}

static train_linear o_of(const train_block *b) {
  const train_block_dims *d = b->d;
  const int64_t HK = d->here.H * d->K;
  return (train_linear){.w = b->p->o, .N = d->D, .K = HK, .segments = 1, .width = {HK}};
}

static train_linear gu_of(const train_block *b) {
  const train_block_dims *d = b->d;
  const int64_t F = d->here.F;
  return (train_linear){.w = b->p->gu, .N = 2 * F, .K = d->D, .segments = 2, .width = {F, F}};
}

static train_linear down_of(const train_block *b) {
  const train_block_dims *d = b->d;
  const int64_t F = d->here.F;
  return (train_linear){.w = b->p->down, .N = d->D, .K = F, .segments = 1, .width = {F}};
}

static orr_code norm(const train_block *b, const train_rows *r, int64_t at, const void *x, void *y,
                     float *rstd) {
  return kern_rmsnorm_fwd(b->k, &(kern_rmsnorm_fwd_args){.type = b->d->act,
                                                         .M = r->rows,
                                                         .D = b->d->D,
                                                         .x = x,
                                                         .w = train_plain(b->w, at),
                                                         .y = y,
                                                         .rstd = rstd});
}

// q and k, normed and turned.
static orr_code turn(const train_block *b, const train_block_shape *s, train_block_acts *a) {
  kern *k = b->k;
  const train_block_dims *d = b->d;
  const train_block_params *p = b->p;
  const train_weights *w = b->w;
  return kern_qknorm_rope_fwd(k, &(kern_qknorm_rope_fwd_args){.type = d->act,
                                                              .M = s->M,
                                                              .H = d->here.H,
                                                              .G = d->here.G,
                                                              .K = d->K,
                                                              .qkv = a->qkv,
                                                              .q_w = train_plain(w, p->q_norm),
                                                              .k_w = train_plain(w, p->k_norm),
                                                              .cos = s->cos,
                                                              .sin = s->sin,
                                                              .pos_div = s->pos_div,
                                                              .pos_mod = s->pos_mod,
                                                              .qk = a->qk,
                                                              .rstd = a->rstd_qk});
}

orr_code train_block_before(const train_block *b, const train_block_shape *s, train_block_acts *a) {
  const train_rows r = rows_of(b->d, s);
  const train_linear qkv = qkv_of(b);
  ORR_TRY(norm(b, &r, b->p->norm1, a->x, a->y1, a->rstd1));
  ORR_TRY(train_linear_columns(b->k, &qkv, b->w, &r, a->y1, a->qkv));
  return turn(b, s, a);
}

static orr_code gate(const train_block *b, const train_block_shape *s, train_block_acts *a) {
  const train_block_dims *d = b->d;
  return kern_swiglu_fwd(
      b->k,
      &(kern_swiglu_fwd_args){.type = d->act, .M = s->M, .F = d->here.F, .gu = a->gu, .h = a->h});
}

orr_code train_block_after(const train_block *b, const train_block_shape *s, train_block_acts *a,
                           void *x_out) {
  kern *k = b->k;
  const train_block_dims *d = b->d;
  const train_block_params *p = b->p;
  const train_weights *w = b->w;
  const train_rows r = rows_of(d, s);
  const train_linear o = o_of(b), gu = gu_of(b), down = down_of(b);
  ORR_TRY(train_linear_sums(k, &o, w, &r, a->o, a->x, a->mid));
  ORR_TRY(norm(b, &r, p->norm2, a->mid, a->y2, a->rstd2));
  ORR_TRY(train_linear_columns(k, &gu, w, &r, a->y2, a->gu));
  ORR_TRY(gate(b, s, a));
  return train_linear_sums(k, &down, w, &r, a->h, a->mid, x_out);
}

orr_code train_block_forward(const train_block *b, const train_block_shape *s, train_block_acts *a,
                             void *x_out) {
  train_profile *profile = train_axes_profile(b->d->axes);
  train_profile_enter(profile, TRAIN_PHASE_FORWARD, s->seq.causal ? "time block" : "space block",
                      -1);
  ORR_TRY(train_block_before(b, s, a));
  ORR_TRY(train_attention_fwd(b, s, a));
  ORR_TRY(train_block_after(b, s, a, x_out));
  train_profile_leave(profile);
  return ORR_OK;
}

// dw of a norm from its frames' sums on all ranks of tp.
static orr_code add_units(const train_block *b, const train_block_shape *s,
                          const train_block_scratch *t, int64_t at) {
  const int64_t D = b->d->D, tp = train_axes_size(b->d->axes, DIST_AXIS_TP),
                frames = s->frames / s->leaves;
  const float *all = tp > 1 ? t->all_units : t->units;
  if (tp > 1)
    ORR_TRY(train_axes_all_gather(b->d->axes, DIST_AXIS_TP, t->units, t->all_units,
                                  s->frames / tp * D, DIST_F32));
  for (int64_t i = 0; i < s->leaves; i++)
    ORR_TRY(
        train_exact_rows(b->k, frames, D, all + i * frames * D, i > 0, train_gradient(b->w, at)));
  return ORR_OK;
}

// dx (=) gradient of the norm's input: that of its output, t->dy, through the norm, + dx.
static orr_code norm_bwd(const train_block *b, const train_block_shape *s, const train_rows *r,
                         int64_t at, const void *x, const float *rstd, const train_block_scratch *t,
                         void *dx) {
  ORR_TRY(kern_rmsnorm_bwd(b->k, &(kern_rmsnorm_bwd_args){.type = b->d->act,
                                                          .M = r->rows,
                                                          .D = b->d->D,
                                                          .dy = t->dy,
                                                          .x = x,
                                                          .w = train_plain(b->w, at),
                                                          .rstd = rstd,
                                                          .add = dx,
                                                          .dx = dx,
                                                          .dw = train_gradient(b->w, at),
                                                          .unit = s->leaves ? s->M / s->frames : 0,
                                                          .dw_units = t->units}));
  return s->leaves ? add_units(b, s, t, at) : ORR_OK;
}

// dw of one of the two norms of heads: over `heads` here, which begin at `first`.
static orr_code add_heads(const train_block *b, const train_block_shape *s, const float *all,
                          int64_t first, int64_t heads, int64_t at) {
  const train_block_dims *d = b->d;
  const int64_t width = (d->here.H + d->here.G) * d->K, tp = train_axes_size(d->axes, DIST_AXIS_TP);
  for (int64_t i = 0; i < s->leaves; i++)
    ORR_TRY(kern_tree_sum(b->k, &(kern_tree_sum_args){.type = KERN_F32,
                                                      .n = d->K,
                                                      .count = tp * heads,
                                                      .x = all + i * width + first * d->K,
                                                      .inner = heads,
                                                      .inner_stride = d->K,
                                                      .outer_stride = s->leaves * width,
                                                      .y = train_gradient(b->w, at),
                                                      .accumulate = i > 0}));
  return ORR_OK;
}

// From the sums of every frame and head: over the frames of each leaf, then over all ranks' heads.
static orr_code add_head_units(const train_block *b, const train_block_shape *s,
                               const train_block_scratch *t) {
  const train_block_dims *d = b->d;
  const int64_t width = (d->here.H + d->here.G) * d->K, frames = s->frames / s->leaves;
  const bool split = train_axes_size(d->axes, DIST_AXIS_TP) > 1;
  for (int64_t i = 0; i < s->leaves; i++)
    ORR_TRY(train_exact_rows(b->k, frames, width, t->units + i * frames * width, false,
                             t->leaf_units + i * width));
  if (split)
    ORR_TRY(train_axes_all_gather(d->axes, DIST_AXIS_TP, t->leaf_units, t->all_units,
                                  s->leaves * width, DIST_F32));
  const float *all = split ? t->all_units : t->leaf_units;
  ORR_TRY(add_heads(b, s, all, 0, d->here.H, b->p->q_norm));
  return add_heads(b, s, all, d->here.H, d->here.G, b->p->k_norm);
}

// The MLP's half: dx is the gradient of the block's output, then that of mid.
static orr_code backward_mlp(const train_block *b, const train_block_shape *s, train_block_acts *a,
                             const train_block_scratch *t, void *dx) {
  kern *k = b->k;
  const train_block_dims *d = b->d;
  const train_block_params *p = b->p;
  const train_weights *w = b->w;
  const train_rows r = rows_of(d, s);
  const train_linear gu = gu_of(b), down = down_of(b);
  if (a->again) {
    ORR_TRY(gate(b, s, a));
    ORR_TRY(norm(b, &r, p->norm2, a->mid, a->y2, a->rstd2));
  }
  ORR_TRY(train_linear_sums_bwd(k, &down, w, &r, dx, a->h, t->dh));
  ORR_TRY(kern_swiglu_bwd(
      k, &(kern_swiglu_bwd_args){
             .type = d->act, .M = s->M, .F = d->here.F, .gu = a->gu, .dh = t->dh, .dgu = a->gu}));
  ORR_TRY(train_linear_columns_bwd(k, &gu, w, &r, a->gu, a->y2, t->dy));
  return norm_bwd(b, s, &r, p->norm2, a->mid, a->rstd2, t, dx);
}

// The attention's half: dx is the gradient of mid, then that of the block's input.
static orr_code backward_attention(const train_block *b, const train_block_shape *s,
                                   train_block_acts *a, const train_block_scratch *t, void *dx) {
  kern *k = b->k;
  const train_block_dims *d = b->d;
  const train_block_params *p = b->p;
  const train_weights *w = b->w;
  const train_rows r = rows_of(d, s);
  const train_linear qkv = qkv_of(b), o = o_of(b);
  if (a->again) {
    ORR_TRY(norm(b, &r, p->norm1, a->x, a->y1, a->rstd1));
    if (!s->exchange) ORR_TRY(turn(b, s, a)); // else the attention has them exchanged
  }
  ORR_TRY(train_linear_sums_bwd(k, &o, w, &r, dx, a->o, t->d_o));
  ORR_TRY(train_attention_bwd(b, s, a, t));
  ORR_TRY(
      kern_qknorm_rope_bwd(k, &(kern_qknorm_rope_bwd_args){.type = d->act,
                                                           .M = s->M,
                                                           .H = d->here.H,
                                                           .G = d->here.G,
                                                           .K = d->K,
                                                           .qkv = a->qkv,
                                                           .q_w = train_plain(w, p->q_norm),
                                                           .k_w = train_plain(w, p->k_norm),
                                                           .cos = s->cos,
                                                           .sin = s->sin,
                                                           .rstd = a->rstd_qk,
                                                           .pos_div = s->pos_div,
                                                           .pos_mod = s->pos_mod,
                                                           .dqk = t->dqk,
                                                           .dqkv = t->dqkv,
                                                           .dq_w = train_gradient(w, p->q_norm),
                                                           .dk_w = train_gradient(w, p->k_norm),
                                                           .unit = s->leaves ? s->M / s->frames : 0,
                                                           .dw_units = t->units}));
  if (s->leaves) ORR_TRY(add_head_units(b, s, t));
  ORR_TRY(train_linear_columns_bwd(k, &qkv, w, &r, t->dqkv, a->y1, t->dy));
  return norm_bwd(b, s, &r, p->norm1, a->x, a->rstd1, t, dx);
}

orr_code train_block_backward(const train_block *b, const train_block_shape *s, train_block_acts *a,
                              const train_block_scratch *t, void *dx) {
  train_profile *profile = train_axes_profile(b->d->axes);
  train_profile_enter(profile, TRAIN_PHASE_BACKWARD,
                      s->seq.causal ? "time block, backward" : "space block, backward", -1);
  ORR_TRY(backward_mlp(b, s, a, t, dx));
  ORR_TRY(backward_attention(b, s, a, t, dx));
  train_profile_leave(profile);
  return ORR_OK;
}
