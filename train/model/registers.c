#include "train/model/registers.h"

#include "base/mem.h"
#include "train/model/constants.h"
#include "train/model/products.h"

orr_code train_registers_init(train_registers *r, kern *k, const train_dynamics_dims *d,
                              const train_dynamics_params *p, const train_weights *w,
                              int64_t frames) {
  const int64_t R = d->R;
  *r = (train_registers){.k = k, .d = d, .p = p, .w = w, .frames = frames};
  if (!train_registers_any(d)) return ORR_OK;
  r->host_row = orr_calloc((size_t)(frames * R), sizeof *r->host_row);
  ORR_CHECK(r->host_row, ORR_ENOMEM, "heads on registers: out of memory");
  for (int64_t i = 0; i < frames * R; i++)
    r->host_row[i] = (int32_t)(i / R * d->N + 1 + d->S + i % R);
  return ORR_OK;
}

void train_registers_release(train_registers *r) {
  orr_free(r->host_row);
  r->host_row = NULL;
}

orr_code train_registers_place(train_registers *r, bool backward, orr_arena *arena) {
  const train_block_dims *b = &r->d->block;
  const size_t frames = (size_t)r->frames, rows = frames * (size_t)r->d->R,
               e = kern_dtype_size(b->act), row = (size_t)b->D * e;
  if (!train_registers_any(r->d)) return ORR_OK;
  r->x = orr_arena_take(arena, rows * row);
  r->y = orr_arena_take(arena, rows * row);
  r->rstd = orr_arena_take(arena, rows * sizeof(float));
  for (int o = 0; o < TRAIN_OUTCOMES; o++)
    if (r->d->outcome[o])
      r->logits[o] = orr_arena_take(arena, frames * (size_t)train_outcome_bins((train_outcome)o) *
                                               sizeof(float));
  r->largest = orr_arena_take(arena, frames * sizeof(float));
  r->sum = orr_arena_take(arena, frames * sizeof(float));
  r->target_logit = orr_arena_take(arena, frames * sizeof(float));
  if (backward) {
    r->dy = orr_arena_take(arena, rows * row);
    r->dx = orr_arena_take(arena, rows * row);
    for (int i = 0; i < 2; i++)
      r->dlogits[i] = orr_arena_take(arena, frames * TRAIN_OUTCOME_MOST_BINS * e);
  }
  return train_constants_place(r->k, arena, r->host_row, rows * sizeof *r->row, (void **)&r->row);
}

orr_code train_registers_logits(train_registers *r, const void *x) {
  const train_block_dims *b = &r->d->block;
  const int64_t rows = r->frames * r->d->R;
  ORR_TRY(kern_gather_rows(
      r->k, &(kern_gather_rows_args){
                .type = b->act, .M = rows, .D = b->D, .x = x, .index = r->row, .y = r->x}));
  ORR_TRY(kern_rmsnorm_fwd(r->k, &(kern_rmsnorm_fwd_args){.type = b->act,
                                                          .M = rows,
                                                          .D = b->D,
                                                          .x = r->x,
                                                          .w = train_plain(r->w, r->p->norm),
                                                          .y = r->y,
                                                          .rstd = r->rstd}));
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    if (!r->d->outcome[o]) continue;
    const int64_t at = r->p->outcome_w[o];
    ORR_TRY(
        kern_matmul_fwd(r->k, &(kern_matmul_fwd_args){.type = b->act,
                                                      .y_type = KERN_F32,
                                                      .M = r->frames,
                                                      .N = train_outcome_bins((train_outcome)o),
                                                      .K = r->d->R * b->D,
                                                      .x = r->y,
                                                      .w = train_operand(r->w, at),
                                                      .packed = train_packed_operand(r->w, at),
                                                      .bias = train_plain(r->w, r->p->outcome_b[o]),
                                                      .y = r->logits[o]}));
  }
  return ORR_OK;
}

// Frames of a loss.
typedef struct {
  train_registers *r;
  int64_t first, count;
  const train_registers_gradient *g;
} part;

static void *row_of(const part *p, void *rows, int64_t width) {
  return (char *)rows + (size_t)(p->first * width) * kern_dtype_size(p->r->d->block.act);
}

static float *grad_of(const part *p, int64_t at) {
  return p->g->apart ? train_head_grad(p->g->apart, 1, at) : train_gradient(p->r->w, at);
}

// Cross-entropy is linear in its target: that of two bins is the sum of both.
static orr_code bin_loss(const part *p, int o, int i, const train_outcome_targets *t) {
  train_registers *r = p->r;
  const int64_t bins = train_outcome_bins((train_outcome)o);
  const float *logits = r->logits[o] + p->first * bins;
  const int32_t *target = t->bin[o][i] + p->first;
  ORR_TRY(kern_xent_stats(r->k, &(kern_xent_stats_args){.M = p->count,
                                                        .V = bins,
                                                        .logits = logits,
                                                        .target = target,
                                                        .largest = r->largest,
                                                        .sum = r->sum,
                                                        .target_logit = r->target_logit}));
  return kern_xent_grad(r->k, &(kern_xent_grad_args){.type = r->d->block.act,
                                                     .M = p->count,
                                                     .V = bins,
                                                     .logits = logits,
                                                     .target = target,
                                                     .largest = r->largest,
                                                     .sum = r->sum,
                                                     .target_logit = r->target_logit,
                                                     .weight = t->share[o][i] + p->first,
                                                     .scale = t->scale + o,
                                                     .loss_sum = t->loss_sum + o * t->stride,
                                                     .dlogits = p->g ? r->dlogits[i] : NULL});
}

static orr_code weights_backward(const part *p, int o) {
  train_registers *r = p->r;
  const train_block_dims *b = &r->d->block;
  const int64_t K = r->d->R * b->D;
  kern_matmul_bwd_w_args a = {.type = b->act,
                              .M = p->count,
                              .N = train_outcome_bins((train_outcome)o),
                              .K = K,
                              .dy = r->dlogits[0],
                              .x = row_of(p, r->y, K),
                              .dw = grad_of(p, r->p->outcome_w[o]),
                              .dbias = grad_of(p, r->p->outcome_b[o])};
  if (p->g->apart) return kern_matmul_bwd_w(r->k, &a);
  return train_products_gradient(r->k, r->w, r->p->outcome_w[o], &a);
}

// r->dlogits -> gradients of head o, and its part of dy, which the first head writes.
static orr_code head_backward(const part *p, int o, bool first) {
  train_registers *r = p->r;
  const train_block_dims *b = &r->d->block;
  const int64_t bins = train_outcome_bins((train_outcome)o), K = r->d->R * b->D;
  ORR_TRY(kern_axpby(r->k, &(kern_axpby_args){.type = b->act,
                                              .n = p->count * bins,
                                              .a = 1.0f,
                                              .b = 1.0f,
                                              .x = r->dlogits[1],
                                              .y = r->dlogits[0]}));
  ORR_TRY(kern_matmul_bwd_x(r->k,
                            &(kern_matmul_bwd_x_args){.type = b->act,
                                                      .M = p->count,
                                                      .N = bins,
                                                      .K = K,
                                                      .dy = r->dlogits[0],
                                                      .w = train_operand(r->w, r->p->outcome_w[o]),
                                                      .dx = r->dy,
                                                      .accumulate = !first}));
  return weights_backward(p, o);
}

static orr_code norm_backward(const part *p) {
  train_registers *r = p->r;
  const train_block_dims *b = &r->d->block;
  const int64_t R = r->d->R, rows = p->count * R;
  ORR_TRY(kern_rmsnorm_bwd(r->k, &(kern_rmsnorm_bwd_args){.type = b->act,
                                                          .M = rows,
                                                          .D = b->D,
                                                          .dy = r->dy,
                                                          .x = row_of(p, r->x, R * b->D),
                                                          .w = train_plain(r->w, r->p->norm),
                                                          .rstd = r->rstd + p->first * R,
                                                          .dx = r->dx,
                                                          .dw = grad_of(p, r->p->norm)}));
  return kern_scatter_rows(r->k, &(kern_scatter_rows_args){.type = b->act,
                                                           .M = rows,
                                                           .D = b->D,
                                                           .x = r->dx,
                                                           .index = r->row + p->first * R,
                                                           .first = p->g->first_row,
                                                           .rows = p->g->own_rows,
                                                           .y = p->g->dx});
}

orr_code train_registers_loss(train_registers *r, int64_t first, int64_t count,
                              const train_outcome_targets *t, const train_registers_gradient *g) {
  const part p = {.r = r, .first = first, .count = count, .g = g};
  bool first_head = true;
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    if (!r->d->outcome[o]) continue;
    for (int i = 0; i < 2; i++) ORR_TRY(bin_loss(&p, o, i, t));
    if (g) ORR_TRY(head_backward(&p, o, first_head));
    first_head = false;
  }
  return g ? norm_backward(&p) : ORR_OK;
}
