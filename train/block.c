#include "train/block.h"

#include <math.h>

orr_code train_block_add(train_params *p, const train_block_dims *d, int layers, const char *prefix,
                         train_block_params *out) {
  const float std = 0.02f, back = 0.02f / sqrtf(2.0f * (float)layers);
  const train_param_spec norm_D = {.ndim = 1, .shape = {d->D}, .init = TRAIN_INIT_ONES};
  const train_param_spec norm_K = {.ndim = 1, .shape = {d->K}, .init = TRAIN_INIT_ONES};
#define MATRIX(rows, cols, s, join)                                                                \
  &(train_param_spec){.ndim = 2,                                                                   \
                      .shape = {(rows), (cols)},                                                   \
                      .init = TRAIN_INIT_NORMAL,                                                   \
                      .std = (s),                                                                  \
                      .decay = true,                                                               \
                      .fuse = (join)}
  ORR_TRY(train_params_add(p, &norm_D, &out->norm1, "%s.norm1.weight", prefix));
  ORR_TRY(train_params_add(p, MATRIX(d->H * d->K, d->D, std, false), &out->qkv, "%s.attn.q.weight",
                           prefix));
  ORR_TRY(
      train_params_add(p, MATRIX(d->G * d->K, d->D, std, true), NULL, "%s.attn.k.weight", prefix));
  ORR_TRY(
      train_params_add(p, MATRIX(d->G * d->K, d->D, std, true), NULL, "%s.attn.v.weight", prefix));
  ORR_TRY(train_params_add(p, MATRIX(d->D, d->H * d->K, back, false), &out->o, "%s.attn.o.weight",
                           prefix));
  ORR_TRY(train_params_add(p, &norm_K, &out->q_norm, "%s.attn.q_norm.weight", prefix));
  ORR_TRY(train_params_add(p, &norm_K, &out->k_norm, "%s.attn.k_norm.weight", prefix));
  ORR_TRY(train_params_add(p, &norm_D, &out->norm2, "%s.norm2.weight", prefix));
  ORR_TRY(
      train_params_add(p, MATRIX(d->F, d->D, std, false), &out->gu, "%s.mlp.gate.weight", prefix));
  ORR_TRY(train_params_add(p, MATRIX(d->F, d->D, std, true), NULL, "%s.mlp.up.weight", prefix));
  ORR_TRY(train_params_add(p, MATRIX(d->D, d->F, back, false), &out->down, "%s.mlp.down.weight",
                           prefix));
#undef MATRIX
  return ORR_OK;
}

void train_block_acts_take(train_block_acts *a, const train_block_dims *d, int64_t M,
                           orr_arena *arena) {
  const size_t e = kern_dtype_size(d->act), rows = (size_t)M;
  const size_t D = (size_t)d->D, F = (size_t)d->F, HK = (size_t)(d->H * d->K),
               GK = (size_t)(d->G * d->K);
  a->y1 = orr_arena_take(arena, rows * D * e);
  a->rstd1 = orr_arena_take(arena, rows * sizeof(float));
  a->qkv = orr_arena_take(arena, rows * (HK + 2 * GK) * e);
  a->qk = orr_arena_take(arena, rows * (HK + GK) * e);
  a->rstd_qk = orr_arena_take(arena, rows * (size_t)(d->H + d->G) * sizeof(float));
  a->o = orr_arena_take(arena, rows * HK * e);
  a->lse = orr_arena_take(arena, rows * (size_t)d->H * sizeof(float));
  a->mid = orr_arena_take(arena, rows * D * e);
  a->y2 = orr_arena_take(arena, rows * D * e);
  a->rstd2 = orr_arena_take(arena, rows * sizeof(float));
  a->gu = orr_arena_take(arena, rows * 2 * F * e);
  a->h = orr_arena_take(arena, rows * F * e);
}

void train_block_scratch_take(train_block_scratch *s, const train_block_dims *d, int64_t M,
                              orr_arena *arena) {
  const size_t e = kern_dtype_size(d->act), rows = (size_t)M;
  const size_t HK = (size_t)(d->H * d->K), GK = (size_t)(d->G * d->K);
  s->dy = orr_arena_take(arena, rows * (size_t)d->D * e);
  s->dqkv = orr_arena_take(arena, rows * (HK + 2 * GK) * e);
  s->dqk = orr_arena_take(arena, rows * (HK + GK) * e);
  s->d_o = orr_arena_take(arena, rows * HK * e);
  s->dh = orr_arena_take(arena, rows * (size_t)d->F * e);
}

// Element `at` of a tensor of activations.
static void *at(const train_block_dims *d, const void *p, int64_t element) {
  return (unsigned char *)(uintptr_t)p + (size_t)element * kern_dtype_size(d->act);
}

orr_code train_block_before(kern *k, const train_block_dims *d, const train_block_params *p,
                            const train_weights *w, const train_block_shape *s,
                            train_block_acts *a) {
  ORR_TRY(kern_rmsnorm_fwd(k, &(kern_rmsnorm_fwd_args){.type = d->act,
                                                       .M = s->M,
                                                       .D = d->D,
                                                       .x = a->x,
                                                       .w = w->master + p->norm1,
                                                       .y = a->y1,
                                                       .rstd = a->rstd1}));
  ORR_TRY(kern_matmul_fwd(k, &(kern_matmul_fwd_args){.type = d->act,
                                                     .y_type = d->act,
                                                     .M = s->M,
                                                     .N = (d->H + 2 * d->G) * d->K,
                                                     .K = d->D,
                                                     .x = a->y1,
                                                     .w = train_operand(w, p->qkv),
                                                     .y = a->qkv}));
  return kern_qknorm_rope_fwd(k, &(kern_qknorm_rope_fwd_args){.type = d->act,
                                                              .M = s->M,
                                                              .H = d->H,
                                                              .G = d->G,
                                                              .K = d->K,
                                                              .qkv = a->qkv,
                                                              .q_w = w->master + p->q_norm,
                                                              .k_w = w->master + p->k_norm,
                                                              .cos = s->cos,
                                                              .sin = s->sin,
                                                              .pos_div = s->pos_div,
                                                              .pos_mod = s->pos_mod,
                                                              .qk = a->qk,
                                                              .rstd = a->rstd_qk});
}

orr_code train_block_after(kern *k, const train_block_dims *d, const train_block_params *p,
                           const train_weights *w, int64_t M, train_block_acts *a, void *x_out) {
  ORR_TRY(kern_matmul_fwd(k, &(kern_matmul_fwd_args){.type = d->act,
                                                     .y_type = d->act,
                                                     .M = M,
                                                     .N = d->D,
                                                     .K = d->H * d->K,
                                                     .x = a->o,
                                                     .w = train_operand(w, p->o),
                                                     .add = a->x,
                                                     .y = a->mid}));
  ORR_TRY(kern_rmsnorm_fwd(k, &(kern_rmsnorm_fwd_args){.type = d->act,
                                                       .M = M,
                                                       .D = d->D,
                                                       .x = a->mid,
                                                       .w = w->master + p->norm2,
                                                       .y = a->y2,
                                                       .rstd = a->rstd2}));
  ORR_TRY(kern_matmul_fwd(k, &(kern_matmul_fwd_args){.type = d->act,
                                                     .y_type = d->act,
                                                     .M = M,
                                                     .N = 2 * d->F,
                                                     .K = d->D,
                                                     .x = a->y2,
                                                     .w = train_operand(w, p->gu),
                                                     .y = a->gu}));
  ORR_TRY(kern_swiglu_fwd(
      k, &(kern_swiglu_fwd_args){.type = d->act, .M = M, .F = d->F, .gu = a->gu, .h = a->h}));
  return kern_matmul_fwd(k, &(kern_matmul_fwd_args){.type = d->act,
                                                    .y_type = d->act,
                                                    .M = M,
                                                    .N = d->D,
                                                    .K = d->F,
                                                    .x = a->h,
                                                    .w = train_operand(w, p->down),
                                                    .add = a->mid,
                                                    .y = x_out});
}

orr_code train_block_forward(kern *k, const train_block_dims *d, const train_block_params *p,
                             const train_weights *w, const train_block_shape *s,
                             train_block_acts *a, void *x_out) {
  const int64_t HK = d->H * d->K, GK = d->G * d->K;
  ORR_TRY(train_block_before(k, d, p, w, s, a));
  ORR_TRY(kern_attention_fwd(k, &(kern_attention_fwd_args){.type = d->act,
                                                           .seqs = s->seqs,
                                                           .L = s->L,
                                                           .H = d->H,
                                                           .G = d->G,
                                                           .K = d->K,
                                                           .inner = s->inner,
                                                           .outer_stride = s->outer_stride,
                                                           .inner_stride = s->inner_stride,
                                                           .pos_stride = s->pos_stride,
                                                           .q = a->qk,
                                                           .k = at(d, a->qk, HK),
                                                           .v = at(d, a->qkv, HK + GK),
                                                           .ldq = HK + GK,
                                                           .ldk = HK + GK,
                                                           .ldv = HK + 2 * GK,
                                                           .ldo = HK,
                                                           .causal = s->causal,
                                                           .window = s->window,
                                                           .o = a->o,
                                                           .lse = a->lse}));
  return train_block_after(k, d, p, w, s->M, a, x_out);
}

// The MLP's half: dx is the gradient of the block's output, then that of mid.
static orr_code backward_mlp(kern *k, const train_block_dims *d, const train_block_params *p,
                             const train_weights *w, int64_t M, train_block_acts *a,
                             const train_block_scratch *t, void *dx) {
  ORR_TRY(kern_matmul_bwd_x(k, &(kern_matmul_bwd_x_args){.type = d->act,
                                                         .M = M,
                                                         .N = d->D,
                                                         .K = d->F,
                                                         .dy = dx,
                                                         .w = train_operand(w, p->down),
                                                         .dx = t->dh}));
  ORR_TRY(kern_matmul_bwd_w(k, &(kern_matmul_bwd_w_args){.type = d->act,
                                                         .M = M,
                                                         .N = d->D,
                                                         .K = d->F,
                                                         .dy = dx,
                                                         .x = a->h,
                                                         .dw = w->grad + p->down}));
  ORR_TRY(kern_swiglu_bwd(
      k, &(kern_swiglu_bwd_args){
             .type = d->act, .M = M, .F = d->F, .gu = a->gu, .dh = t->dh, .dgu = a->gu}));
  ORR_TRY(kern_matmul_bwd_x(k, &(kern_matmul_bwd_x_args){.type = d->act,
                                                         .M = M,
                                                         .N = 2 * d->F,
                                                         .K = d->D,
                                                         .dy = a->gu,
                                                         .w = train_operand(w, p->gu),
                                                         .dx = t->dy}));
  ORR_TRY(kern_matmul_bwd_w(k, &(kern_matmul_bwd_w_args){.type = d->act,
                                                         .M = M,
                                                         .N = 2 * d->F,
                                                         .K = d->D,
                                                         .dy = a->gu,
                                                         .x = a->y2,
                                                         .dw = w->grad + p->gu}));
  return kern_rmsnorm_bwd(k, &(kern_rmsnorm_bwd_args){.type = d->act,
                                                      .M = M,
                                                      .D = d->D,
                                                      .dy = t->dy,
                                                      .x = a->mid,
                                                      .w = w->master + p->norm2,
                                                      .rstd = a->rstd2,
                                                      .add = dx,
                                                      .dx = dx,
                                                      .dw = w->grad + p->norm2});
}

// The attention's half: dx is the gradient of mid, then that of the block's input.
static orr_code backward_attention(kern *k, const train_block_dims *d, const train_block_params *p,
                                   const train_weights *w, const train_block_shape *s,
                                   train_block_acts *a, const train_block_scratch *t, void *dx) {
  const int64_t HK = d->H * d->K, GK = d->G * d->K, M = s->M;
  ORR_TRY(kern_matmul_bwd_x(k, &(kern_matmul_bwd_x_args){.type = d->act,
                                                         .M = M,
                                                         .N = d->D,
                                                         .K = HK,
                                                         .dy = dx,
                                                         .w = train_operand(w, p->o),
                                                         .dx = t->d_o}));
  ORR_TRY(kern_matmul_bwd_w(
      k,
      &(kern_matmul_bwd_w_args){
          .type = d->act, .M = M, .N = d->D, .K = HK, .dy = dx, .x = a->o, .dw = w->grad + p->o}));
  ORR_TRY(kern_attention_bwd(k, &(kern_attention_bwd_args){.type = d->act,
                                                           .seqs = s->seqs,
                                                           .L = s->L,
                                                           .H = d->H,
                                                           .G = d->G,
                                                           .K = d->K,
                                                           .inner = s->inner,
                                                           .outer_stride = s->outer_stride,
                                                           .inner_stride = s->inner_stride,
                                                           .pos_stride = s->pos_stride,
                                                           .q = a->qk,
                                                           .k = at(d, a->qk, HK),
                                                           .v = at(d, a->qkv, HK + GK),
                                                           .o = a->o,
                                                           .do_ = t->d_o,
                                                           .ldq = HK + GK,
                                                           .ldk = HK + GK,
                                                           .ldv = HK + 2 * GK,
                                                           .ldo = HK,
                                                           .dq = t->dqk,
                                                           .dk = at(d, t->dqk, HK),
                                                           .dv = at(d, t->dqkv, HK + GK),
                                                           .lddq = HK + GK,
                                                           .lddk = HK + GK,
                                                           .lddv = HK + 2 * GK,
                                                           .causal = s->causal,
                                                           .window = s->window,
                                                           .lse = a->lse}));
  ORR_TRY(kern_qknorm_rope_bwd(k, &(kern_qknorm_rope_bwd_args){.type = d->act,
                                                               .M = M,
                                                               .H = d->H,
                                                               .G = d->G,
                                                               .K = d->K,
                                                               .qkv = a->qkv,
                                                               .q_w = w->master + p->q_norm,
                                                               .k_w = w->master + p->k_norm,
                                                               .cos = s->cos,
                                                               .sin = s->sin,
                                                               .rstd = a->rstd_qk,
                                                               .pos_div = s->pos_div,
                                                               .pos_mod = s->pos_mod,
                                                               .dqk = t->dqk,
                                                               .dqkv = t->dqkv,
                                                               .dq_w = w->grad + p->q_norm,
                                                               .dk_w = w->grad + p->k_norm}));
  ORR_TRY(kern_matmul_bwd_x(k, &(kern_matmul_bwd_x_args){.type = d->act,
                                                         .M = M,
                                                         .N = HK + 2 * GK,
                                                         .K = d->D,
                                                         .dy = t->dqkv,
                                                         .w = train_operand(w, p->qkv),
                                                         .dx = t->dy}));
  ORR_TRY(kern_matmul_bwd_w(k, &(kern_matmul_bwd_w_args){.type = d->act,
                                                         .M = M,
                                                         .N = HK + 2 * GK,
                                                         .K = d->D,
                                                         .dy = t->dqkv,
                                                         .x = a->y1,
                                                         .dw = w->grad + p->qkv}));
  return kern_rmsnorm_bwd(k, &(kern_rmsnorm_bwd_args){.type = d->act,
                                                      .M = M,
                                                      .D = d->D,
                                                      .dy = t->dy,
                                                      .x = a->x,
                                                      .w = w->master + p->norm1,
                                                      .rstd = a->rstd1,
                                                      .add = dx,
                                                      .dx = dx,
                                                      .dw = w->grad + p->norm1});
}

orr_code train_block_backward(kern *k, const train_block_dims *d, const train_block_params *p,
                              const train_weights *w, const train_block_shape *s,
                              train_block_acts *a, const train_block_scratch *t, void *dx) {
  ORR_TRY(backward_mlp(k, d, p, w, s->M, a, t, dx));
  return backward_attention(k, d, p, w, s, a, t, dx);
}
