#include "train/dynamics.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct train_dynamics {
  kern *k;
  train_dynamics_dims d;
  const train_dynamics_params *p;
  const train_weights *w;
  int64_t B, T, BT, M; // M = B*T*N rows
  train_keep keep;
  train_rope space, time;
  train_block_shape space_shape, time_shape;

  train_block_acts *acts; // [layers]; all the same buffers but x when not keeping all
  void *x_last;           // [M,D] output of the last block
  train_block_scratch scratch;
  float *action_emb, *daction_emb; // [BT,D]
  void *dx;                        // [M,D]
  // The loss runs over chunks of C = TRAIN_LOSS_ROWS gathered rows, so that logits stay small.
  int64_t loss_rows;                   // capacity, a multiple of C
  void *xg, *yg, *dyg;                 // [C,D]
  float *rstd;                         // [C]
  float *logits;                       // [C,V]
  void *dlogits;                       // [C,V]
  float *largest, *sum, *target_logit; // [C]
  void *dxg;                           // [loss_rows,D]
  int32_t *inverse;                    // [M] row -> place among the gathered rows, or -1
};

void train_dynamics_dims_from(const cfg *c, train_dynamics_dims *out) {
  *out = (train_dynamics_dims){
      .rows = c->model.rows,
      .cols = c->model.cols,
      .R = c->model.registers,
      .layers = c->model.layers,
      .time_every = c->model.time_every,
      .A = c->model.actions,
      .V = c->model.codes,
      .branches = c->model.branches.n,
      .z_loss = c->model.z_loss,
      .block = {.D = c->model.width,
                .H = c->model.heads,
                .G = c->model.kv_heads,
                .K = c->model.width / c->model.heads,
                .F = c->model.hidden,
                .act = c->run.precision == CFG_PRECISION_BF16 ? KERN_BF16 : KERN_F32}};
  out->S = out->rows * out->cols;
  out->N = 1 + out->S + out->R;
}

orr_code train_dynamics_list(const train_dynamics_dims *d, train_params *list,
                             train_dynamics_params *out) {
  const int64_t D = d->block.D;
  const float std = 0.02f;
  out->blocks = orr_calloc((size_t)d->layers, sizeof *out->blocks);
  ORR_CHECK(out->blocks, ORR_ENOMEM, "parameters of %lld blocks: out of memory",
            (long long)d->layers);
#define NORMAL(...) &(train_param_spec){__VA_ARGS__, .init = TRAIN_INIT_NORMAL, .std = std}
  ORR_TRY(train_params_add(list, NORMAL(.ndim = 2, .shape = {d->V + 1, D}), &out->token,
                           "embed.token.weight"));
  ORR_TRY(train_params_add(list, NORMAL(.ndim = 2, .shape = {D, 2 * d->A}), &out->action_w,
                           "embed.action.weight"));
  ORR_TRY(train_params_add(list, &(train_param_spec){.ndim = 1, .shape = {D}}, &out->action_b,
                           "embed.action.bias"));
  ORR_TRY(train_params_add(list, &(train_param_spec){.ndim = 1, .shape = {D}}, &out->no_action,
                           "embed.no_action"));
  ORR_TRY(train_params_add(list, NORMAL(.ndim = 2, .shape = {d->branches, D}), &out->branch,
                           "embed.branch.weight"));
  ORR_TRY(
      train_params_add(list, NORMAL(.ndim = 2, .shape = {d->R, D}), &out->reg, "embed.register"));
  for (int i = 0; i < d->layers; i++) {
    char prefix[32];
    snprintf(prefix, sizeof prefix, "blocks.%d", i);
    ORR_TRY(train_block_add(list, &d->block, (int)d->layers, prefix, &out->blocks[i]));
  }
  ORR_TRY(train_params_add(list,
                           &(train_param_spec){.ndim = 1, .shape = {D}, .init = TRAIN_INIT_ONES},
                           &out->norm, "norm.weight"));
  return train_params_add(list, NORMAL(.ndim = 2, .shape = {d->V, D}, .decay = true), &out->head,
                          "head.weight");
#undef NORMAL
}

static void shapes_init(train_dynamics *m) {
  const int64_t N = m->d.N, T = m->T;
  m->space_shape = (train_block_shape){.M = m->M,
                                       .seqs = m->BT,
                                       .L = N,
                                       .inner = 1,
                                       .outer_stride = N,
                                       .pos_stride = 1,
                                       .cos = m->space.cos_,
                                       .sin = m->space.sin_,
                                       .pos_div = 1,
                                       .pos_mod = N};
  m->time_shape = (train_block_shape){.M = m->M,
                                      .seqs = m->B * N,
                                      .L = T,
                                      .inner = N,
                                      .outer_stride = T * N,
                                      .inner_stride = 1,
                                      .pos_stride = N,
                                      .causal = true,
                                      .cos = m->time.cos_,
                                      .sin = m->time.sin_,
                                      .pos_div = N,
                                      .pos_mod = T};
}

orr_code train_dynamics_create(kern *k, const train_dynamics_dims *d,
                               const train_dynamics_params *p, const train_weights *w, int64_t B,
                               int64_t T, train_keep keep, train_dynamics **out) {
  orr_code rc;
  train_dynamics *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "dynamics model: out of memory");
  *m = (train_dynamics){.k = k,
                        .d = *d,
                        .p = p,
                        .w = w,
                        .B = B,
                        .T = T,
                        .BT = B * T,
                        .M = B * T * d->N,
                        .keep = keep};
  m->loss_rows = (m->BT * d->S + TRAIN_LOSS_ROWS - 1) / TRAIN_LOSS_ROWS * TRAIN_LOSS_ROWS;
  ORR_CHECK_GOTO(
      m->M <= INT32_MAX, fail, ORR_EINVAL,
      "%lld clips of %lld frames of %lld tokens are %lld rows, kernels count to %d: lower "
      "train.micro_batch or data.frames",
      (long long)B, (long long)T, (long long)d->N, (long long)m->M, INT32_MAX);
  m->acts = orr_calloc((size_t)d->layers, sizeof *m->acts);
  ORR_CHECK_GOTO(m->acts, fail, ORR_ENOMEM, "dynamics model: out of memory");
  ORR_TRY_GOTO(train_rope_space(&m->space, 1, d->rows, d->cols, d->R, d->block.K), fail);
  ORR_TRY_GOTO(train_rope_time(&m->time, 0, T, d->block.K), fail);
  shapes_init(m);
  *out = m;
  return ORR_OK;
fail:
  train_dynamics_destroy(m);
  return rc;
}

void train_dynamics_destroy(train_dynamics *m) {
  if (!m) return;
  train_rope_release(&m->time);
  train_rope_release(&m->space);
  orr_free(m->acts);
  orr_free(m);
}

int64_t train_dynamics_loss_capacity(const train_dynamics *m) {
  return m->loss_rows;
}

void train_dynamics_place(train_dynamics *m, orr_arena *acts) {
  const train_block_dims *b = &m->d.block;
  const size_t e = kern_dtype_size(b->act), D = (size_t)b->D, C = TRAIN_LOSS_ROWS,
               V = (size_t)m->d.V;
  const size_t rows = (size_t)m->M, frames = (size_t)m->BT;
  for (int i = 0; i < m->d.layers; i++) {
    bool own = i == 0 || m->keep == TRAIN_KEEP_ALL;
    if (own)
      train_block_acts_take(&m->acts[i], b, m->M, acts);
    else
      m->acts[i] = m->acts[0];
    // Without a backward pass two buffers take turns as input and output.
    if (m->keep == TRAIN_NO_BACKWARD && i >= 2)
      m->acts[i].x = m->acts[i - 2].x;
    else
      m->acts[i].x = orr_arena_take(acts, rows * D * e);
  }
  m->x_last = orr_arena_take(acts, rows * D * e);
  m->action_emb = orr_arena_take(acts, frames * D * sizeof(float));
  m->xg = orr_arena_take(acts, C * D * e);
  m->yg = orr_arena_take(acts, C * D * e);
  m->rstd = orr_arena_take(acts, C * sizeof(float));
  m->logits = orr_arena_take(acts, C * V * sizeof(float));
  m->largest = orr_arena_take(acts, C * sizeof(float));
  m->sum = orr_arena_take(acts, C * sizeof(float));
  m->target_logit = orr_arena_take(acts, C * sizeof(float));
  if (m->keep == TRAIN_NO_BACKWARD) return;
  m->dyg = orr_arena_take(acts, C * D * e);
  m->dlogits = orr_arena_take(acts, C * V * e);
  m->dxg = orr_arena_take(acts, (size_t)m->loss_rows * D * e);
  m->inverse = orr_arena_take(acts, rows * sizeof(int32_t));
  m->dx = orr_arena_take(acts, rows * D * e);
  m->daction_emb = orr_arena_take(acts, frames * D * sizeof(float));
  train_block_scratch_take(&m->scratch, b, m->M, acts);
}

static const train_block_shape *shape_of(const train_dynamics *m, int64_t layer) {
  return (layer + 1) % m->d.time_every == 0 ? &m->time_shape : &m->space_shape;
}

static void *output_of(train_dynamics *m, int64_t layer) {
  return layer + 1 < m->d.layers ? m->acts[layer + 1].x : m->x_last;
}

orr_code train_dynamics_forward(train_dynamics *m, const train_dynamics_batch *b) {
  const train_dynamics_dims *d = &m->d;
  const float *w = m->w->master;
  // The action's embedding stays in float32: it is small, and actions are the input users care
  // about.
  ORR_TRY(kern_matmul_fwd(m->k, &(kern_matmul_fwd_args){.type = KERN_F32,
                                                        .y_type = KERN_F32,
                                                        .M = m->BT,
                                                        .N = d->block.D,
                                                        .K = 2 * d->A,
                                                        .x = b->action,
                                                        .w = w + m->p->action_w,
                                                        .bias = w + m->p->action_b,
                                                        .y = m->action_emb}));
  ORR_TRY(kern_embed_fwd(m->k, &(kern_embed_fwd_args){.type = d->block.act,
                                                      .BT = m->BT,
                                                      .T = m->T,
                                                      .S = d->S,
                                                      .R = d->R,
                                                      .D = d->block.D,
                                                      .tokens = b->tokens,
                                                      .has_action = b->has_action,
                                                      .branch_id = b->branch,
                                                      .action_emb = m->action_emb,
                                                      .table = w + m->p->token,
                                                      .no_action = w + m->p->no_action,
                                                      .branch = w + m->p->branch,
                                                      .reg = w + m->p->reg,
                                                      .v_first = 0,
                                                      .v_count = d->V + 1,
                                                      .x = m->acts[0].x}));
  for (int64_t i = 0; i < d->layers; i++)
    ORR_TRY(train_block_forward(m->k, &d->block, &m->p->blocks[i], m->w, shape_of(m, i),
                                &m->acts[i], output_of(m, i)));
  return ORR_OK;
}

// One chunk of gathered rows: x rows -> xg -> yg -> logits [C,V].
static orr_code chunk_logits(train_dynamics *m, const int32_t *row, float *logits) {
  const train_block_dims *b = &m->d.block;
  const int64_t C = TRAIN_LOSS_ROWS;
  ORR_TRY(kern_gather_rows(
      m->k, &(kern_gather_rows_args){
                .type = b->act, .M = C, .D = b->D, .x = m->x_last, .index = row, .y = m->xg}));
  ORR_TRY(kern_rmsnorm_fwd(m->k, &(kern_rmsnorm_fwd_args){.type = b->act,
                                                          .M = C,
                                                          .D = b->D,
                                                          .x = m->xg,
                                                          .w = m->w->master + m->p->norm,
                                                          .y = m->yg,
                                                          .rstd = m->rstd}));
  return kern_matmul_fwd(m->k, &(kern_matmul_fwd_args){.type = b->act,
                                                       .y_type = KERN_F32,
                                                       .M = C,
                                                       .N = m->d.V,
                                                       .K = b->D,
                                                       .x = m->yg,
                                                       .w = train_operand(m->w, m->p->head),
                                                       .y = logits});
}

orr_code train_dynamics_logits(train_dynamics *m, const int32_t *row, int64_t count,
                               float *logits) {
  for (int64_t at = 0; at < count; at += TRAIN_LOSS_ROWS)
    ORR_TRY(chunk_logits(m, row + at, logits + at * m->d.V));
  return ORR_OK;
}

// Head and loss of one chunk; with backward, its part of dxg.
static orr_code chunk_loss(train_dynamics *m, const train_dynamics_batch *b, int64_t first,
                           float scale, bool backward, double *loss_sum) {
  const train_block_dims *d = &m->d.block;
  const int64_t C = TRAIN_LOSS_ROWS, V = m->d.V;
  ORR_TRY(chunk_logits(m, b->masked_row + first, m->logits));
  ORR_TRY(kern_xent_stats(m->k, &(kern_xent_stats_args){.M = C,
                                                        .V = V,
                                                        .logits = m->logits,
                                                        .target = b->target + first,
                                                        .largest = m->largest,
                                                        .sum = m->sum,
                                                        .target_logit = m->target_logit}));
  ORR_TRY(kern_xent_grad(m->k, &(kern_xent_grad_args){.type = d->act,
                                                      .M = C,
                                                      .V = V,
                                                      .logits = m->logits,
                                                      .target = b->target + first,
                                                      .largest = m->largest,
                                                      .sum = m->sum,
                                                      .target_logit = m->target_logit,
                                                      .z_loss = (float)m->d.z_loss,
                                                      .scale = scale,
                                                      .loss_sum = loss_sum,
                                                      .dlogits = backward ? m->dlogits : NULL}));
  if (!backward) return ORR_OK;
  ORR_TRY(kern_matmul_bwd_x(m->k, &(kern_matmul_bwd_x_args){.type = d->act,
                                                            .M = C,
                                                            .N = V,
                                                            .K = d->D,
                                                            .dy = m->dlogits,
                                                            .w = train_operand(m->w, m->p->head),
                                                            .dx = m->dyg}));
  ORR_TRY(kern_matmul_bwd_w(m->k, &(kern_matmul_bwd_w_args){.type = d->act,
                                                            .M = C,
                                                            .N = V,
                                                            .K = d->D,
                                                            .dy = m->dlogits,
                                                            .x = m->yg,
                                                            .dw = m->w->grad + m->p->head}));
  void *dxg = (unsigned char *)m->dxg + (size_t)(first * d->D) * kern_dtype_size(d->act);
  return kern_rmsnorm_bwd(m->k, &(kern_rmsnorm_bwd_args){.type = d->act,
                                                         .M = C,
                                                         .D = d->D,
                                                         .dy = m->dyg,
                                                         .x = m->xg,
                                                         .w = m->w->master + m->p->norm,
                                                         .rstd = m->rstd,
                                                         .dx = dxg,
                                                         .dw = m->w->grad + m->p->norm});
}

// dx of the last block's output: gathered gradients back at their rows, zero elsewhere.
static orr_code spread_gradient(train_dynamics *m, const train_dynamics_batch *b) {
  if (!m->k->planning) {
    memset(m->inverse, 0xff, (size_t)m->M * sizeof *m->inverse);
    for (int64_t i = 0; i < b->masked_rows; i++)
      if (b->masked_row[i] >= 0) m->inverse[b->masked_row[i]] = (int32_t)i;
  }
  return kern_gather_rows(m->k, &(kern_gather_rows_args){.type = m->d.block.act,
                                                         .M = m->M,
                                                         .D = m->d.block.D,
                                                         .x = m->dxg,
                                                         .index = m->inverse,
                                                         .y = m->dx});
}

static orr_code embed_backward(train_dynamics *m, const train_dynamics_batch *b) {
  const train_dynamics_dims *d = &m->d;
  float *g = m->w->grad;
  ORR_TRY(kern_embed_bwd(m->k, &(kern_embed_bwd_args){.type = d->block.act,
                                                      .BT = m->BT,
                                                      .T = m->T,
                                                      .S = d->S,
                                                      .R = d->R,
                                                      .D = d->block.D,
                                                      .tokens = b->tokens,
                                                      .has_action = b->has_action,
                                                      .branch_id = b->branch,
                                                      .v_first = 0,
                                                      .v_count = d->V + 1,
                                                      .branches = d->branches,
                                                      .dx = m->dx,
                                                      .daction_emb = m->daction_emb,
                                                      .dtable = g + m->p->token,
                                                      .dno_action = g + m->p->no_action,
                                                      .dbranch = g + m->p->branch,
                                                      .dreg = g + m->p->reg}));
  return kern_matmul_bwd_w(m->k, &(kern_matmul_bwd_w_args){.type = KERN_F32,
                                                           .M = m->BT,
                                                           .N = d->block.D,
                                                           .K = 2 * d->A,
                                                           .dy = m->daction_emb,
                                                           .x = b->action,
                                                           .dw = g + m->p->action_w,
                                                           .dbias = g + m->p->action_b});
}

orr_code train_dynamics_loss(train_dynamics *m, const train_dynamics_batch *b, float scale,
                             bool backward, double *loss_sum, train_grad_ready_fn ready,
                             void *ready_ctx) {
  ORR_CHECK(b->masked_rows <= m->loss_rows && b->masked_rows % TRAIN_LOSS_ROWS == 0, ORR_EINVAL,
            "%lld masked rows do not fit the plan's %lld", (long long)b->masked_rows,
            (long long)m->loss_rows);
  for (int64_t first = 0; first < b->masked_rows; first += TRAIN_LOSS_ROWS)
    ORR_TRY(chunk_loss(m, b, first, scale, backward, loss_sum));
  if (!backward) return ORR_OK;
  ORR_TRY(spread_gradient(m, b));
  if (ready) ORR_TRY(ready(ready_ctx, m->p->norm));
  for (int64_t i = m->d.layers - 1; i >= 0; i--) {
    train_block_acts *a = &m->acts[i];
    if (m->keep == TRAIN_RECOMPUTE && i + 1 < m->d.layers)
      ORR_TRY(train_block_forward(m->k, &m->d.block, &m->p->blocks[i], m->w, shape_of(m, i), a,
                                  output_of(m, i)));
    ORR_TRY(train_block_backward(m->k, &m->d.block, &m->p->blocks[i], m->w, shape_of(m, i), a,
                                 &m->scratch, m->dx));
    if (ready) ORR_TRY(ready(ready_ctx, m->p->blocks[i].norm1));
  }
  ORR_TRY(embed_backward(m, b));
  return ready ? ready(ready_ctx, 0) : ORR_OK;
}

double train_dynamics_flops(const train_dynamics_dims *d, int64_t B, int64_t T) {
  const train_block_dims *b = &d->block;
  double block = (double)b->D * (double)((2 * b->H + 2 * b->G) * b->K + 3 * b->F);
  double tokens = (double)(B * T);
  return 6.0 * tokens * ((double)(d->N * d->layers) * block + (double)(d->S * d->V * b->D));
}
