#include "train/model/head.h"

#include "train/model/products.h"

train_part train_head_codes(const train_axes *axes, int64_t V) {
  return train_part_of(V, train_axes_size(axes, DIST_AXIS_TP), train_axes_rank(axes, DIST_AXIS_TP));
}

static bool whole(const train_head *h) {
  return train_axes_size(h->d.axes, DIST_AXIS_TP) == 1;
}

void train_head_place_logits(train_head *h, orr_arena *arena) {
  const size_t C = (size_t)h->C, row = (size_t)h->d.D * kern_dtype_size(h->d.act);
  h->xg = orr_arena_take(arena, C * row);
  h->yg = orr_arena_take(arena, C * row);
  h->rstd = orr_arena_take(arena, C * sizeof(float));
}

void train_head_place(train_head *h, bool backward, orr_arena *arena) {
  const size_t e = kern_dtype_size(h->d.act), row = (size_t)h->d.D * e;
  const size_t C = (size_t)h->C, codes = (size_t)h->codes.count;
  train_head_place_logits(h, arena);
  h->logits = orr_arena_take(arena, C * codes * sizeof(float));
  h->largest = orr_arena_take(arena, C * sizeof(float));
  h->own_largest = whole(h) ? NULL : orr_arena_take(arena, C * sizeof(float));
  h->sum = orr_arena_take(arena, 2 * C * sizeof(float));
  h->target_logit = h->sum + C;
  if (!backward) return;
  h->dyg = orr_arena_take(arena, C * row);
  h->dxg = orr_arena_take(arena, C * row);
  h->dlogits = orr_arena_take(arena, C * codes * e);
}

orr_code train_head_logits(train_head *h, const void *x, const int32_t *row, float *logits) {
  const train_block_dims *d = &h->d;
  ORR_TRY(kern_gather_rows(
      h->k, &(kern_gather_rows_args){
                .type = d->act, .M = h->C, .D = d->D, .x = x, .index = row, .y = h->xg}));
  ORR_TRY(kern_rmsnorm_fwd(h->k, &(kern_rmsnorm_fwd_args){.type = d->act,
                                                          .M = h->C,
                                                          .D = d->D,
                                                          .x = h->xg,
                                                          .w = train_plain(h->w, h->norm),
                                                          .y = h->yg,
                                                          .rstd = h->rstd}));
  return kern_matmul_fwd(h->k,
                         &(kern_matmul_fwd_args){.type = d->act,
                                                 .y_type = KERN_F32,
                                                 .M = h->C,
                                                 .N = h->codes.count,
                                                 .K = d->D,
                                                 .x = h->yg,
                                                 .w = train_operand(h->w, h->head),
                                                 .packed = train_packed_operand(h->w, h->head),
                                                 .y = logits});
}

// The softmax' statistics over all codes from those over each rank's.
static orr_code combine(train_head *h) {
  train_axes *ax = h->d.axes;
  if (whole(h)) return ORR_OK;
  ORR_TRY(kern_copy(h->k, &(kern_copy_args){.dst = h->own_largest,
                                            .src = h->largest,
                                            .bytes = (size_t)h->C * sizeof(float),
                                            .way = KERN_COPY_WITHIN}));
  ORR_TRY(train_axes_all_reduce(ax, DIST_AXIS_TP, h->largest, h->C, DIST_F32, DIST_MAX));
  ORR_TRY(kern_xent_rescale(
      h->k, &(kern_xent_rescale_args){
                .M = h->C, .own_largest = h->own_largest, .largest = h->largest, .sum = h->sum}));
  return train_axes_all_reduce(ax, DIST_AXIS_TP, h->sum, 2 * h->C, DIST_F32, DIST_SUM);
}

static orr_code chunk_loss(train_head *h, int64_t first, const train_head_rows *r,
                           double *loss_sum) {
  const int32_t *target = r->target + first;
  ORR_TRY(kern_xent_stats(h->k, &(kern_xent_stats_args){.M = h->C,
                                                        .V = h->codes.count,
                                                        .v_first = h->codes.first,
                                                        .logits = h->logits,
                                                        .target = target,
                                                        .largest = h->largest,
                                                        .sum = h->sum,
                                                        .target_logit = h->target_logit}));
  ORR_TRY(combine(h));
  return kern_xent_grad(h->k, &(kern_xent_grad_args){.type = h->d.act,
                                                     .M = h->C,
                                                     .V = h->codes.count,
                                                     .v_first = h->codes.first,
                                                     .logits = h->logits,
                                                     .target = target,
                                                     .largest = h->largest,
                                                     .sum = h->sum,
                                                     .target_logit = h->target_logit,
                                                     .weight = r->weight ? r->weight + first : NULL,
                                                     .z_loss = (float)h->z_loss,
                                                     .scale = r->scale,
                                                     .loss_sum = loss_sum,
                                                     .dlogits = r->dx ? h->dlogits : NULL});
}

// dlogits -> dxg. Every rank of tp brings the part of its codes, and goes on with the sum.
static orr_code chunk_backward(train_head *h) {
  const train_block_dims *d = &h->d;
  ORR_TRY(kern_matmul_bwd_x(h->k, &(kern_matmul_bwd_x_args){.type = d->act,
                                                            .M = h->C,
                                                            .N = h->codes.count,
                                                            .K = d->D,
                                                            .dy = h->dlogits,
                                                            .w = train_operand(h->w, h->head),
                                                            .dx = h->dyg}));
  ORR_TRY(train_products_gradient(h->k, h->w, h->head,
                                  &(kern_matmul_bwd_w_args){.type = d->act,
                                                            .M = h->C,
                                                            .N = h->codes.count,
                                                            .K = d->D,
                                                            .dy = h->dlogits,
                                                            .x = h->yg}));
  if (!whole(h))
    ORR_TRY(train_axes_all_reduce(d->axes, DIST_AXIS_TP, h->dyg, h->C * d->D, train_wire(d->act),
                                  DIST_SUM));
  return kern_rmsnorm_bwd(h->k, &(kern_rmsnorm_bwd_args){.type = d->act,
                                                         .M = h->C,
                                                         .D = d->D,
                                                         .dy = h->dyg,
                                                         .x = h->xg,
                                                         .w = train_plain(h->w, h->norm),
                                                         .rstd = h->rstd,
                                                         .dx = h->dxg,
                                                         .dw = train_gradient(h->w, h->norm)});
}

// Puts gradients where their rows are, if these are this rank's.
static orr_code spread(train_head *h, const int32_t *row, const train_head_rows *r) {
  return kern_scatter_rows(h->k, &(kern_scatter_rows_args){.type = h->d.act,
                                                           .M = h->C,
                                                           .D = h->d.D,
                                                           .x = h->dxg,
                                                           .index = row,
                                                           .first = r->first_row,
                                                           .rows = r->own_rows,
                                                           .y = r->dx});
}

orr_code train_head_loss(train_head *h, const train_head_rows *r, double *loss_sum) {
  if (r->dx)
    ORR_TRY(kern_fill(h->k, &(kern_fill_args){.x = r->dx,
                                              .bytes = (size_t)(r->own_rows * h->d.D) *
                                                       kern_dtype_size(h->d.act)}));
  for (int64_t first = 0; first < r->rows; first += h->C) {
    ORR_TRY(train_head_logits(h, r->x, r->row + first, h->logits));
    ORR_TRY(chunk_loss(h, first, r, loss_sum));
    if (!r->dx) continue;
    ORR_TRY(chunk_backward(h));
    ORR_TRY(spread(h, r->row + first, r));
  }
  return ORR_OK;
}
