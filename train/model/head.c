#include "train/model/head.h"

#include "train/model/exact.h"
#include "train/model/products.h"

int64_t train_head_chunk(const train_axes *axes) {
  return train_exact(axes) ? TRAIN_LEAF_LOSS_ROWS : TRAIN_LOSS_ROWS;
}

train_part train_head_codes(const train_axes *axes, int64_t V) {
  if (train_exact(axes)) return train_exact_codes(axes, V);
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

// Where what follows the head begins, from the norm on.
static int64_t place_after(const train_head *h) {
  return train_param_aligned(h->head + h->codes.capacity * h->d.D) - h->norm;
}

static void place_exact(train_head *h, orr_arena *arena) {
  const size_t C = (size_t)h->C, row = (size_t)h->d.D * sizeof(float),
               tp = (size_t)train_axes_size(h->d.axes, DIST_AXIS_TP);
  if (train_exact_leaves(h->d.axes) > 1)
    h->leaf_grad = orr_arena_take(arena, (size_t)(place_after(h) + h->after) * sizeof(float));
  if (tp == 1) return;
  h->dyg_part = orr_arena_take(arena, C * row);
  h->dyg_parts = orr_arena_take(arena, tp * C * row);
  h->sum_parts = orr_arena_take(arena, tp * C * sizeof(float));
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
  if (train_exact(h->d.axes)) place_exact(h, arena);
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

// The same with run.exact: sums of every slice of codes, from the largest logit of all.
static orr_code combine_exact(train_head *h, const int32_t *target) {
  train_axes *ax = h->d.axes;
  const kern_slices slices = train_exact_code_slices(ax, h->V);
  ORR_TRY(train_axes_all_reduce(ax, DIST_AXIS_TP, h->largest, h->C, DIST_F32, DIST_MAX));
  ORR_TRY(kern_xent_sum(h->k, &(kern_xent_sum_args){.M = h->C,
                                                    .V = h->codes.count,
                                                    .logits = h->logits,
                                                    .target = target,
                                                    .largest = h->largest,
                                                    .slices = &slices,
                                                    .sum = h->sum}));
  ORR_TRY(train_exact_sum(ax, h->k, KERN_F32, h->C, h->sum, h->sum_parts, h->sum));
  // One of the addends is not 0.
  return train_axes_all_reduce(ax, DIST_AXIS_TP, h->target_logit, h->C, DIST_F32, DIST_SUM);
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
  const bool exact = train_exact(h->d.axes);
  ORR_TRY(kern_xent_stats(h->k, &(kern_xent_stats_args){.M = h->C,
                                                        .V = h->codes.count,
                                                        .v_first = h->codes.first,
                                                        .logits = h->logits,
                                                        .target = target,
                                                        .largest = h->largest,
                                                        .sum = exact ? NULL : h->sum,
                                                        .target_logit = h->target_logit}));
  ORR_TRY(exact ? combine_exact(h, target) : combine(h));
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

// dlogits -> dyg: every rank of tp brings the part of its codes, and goes on with the sum.
static orr_code backward_x(train_head *h) {
  const train_block_dims *d = &h->d;
  const bool exact = train_exact(d->axes), part = exact && !whole(h);
  kern_slices slices;
  if (exact) slices = train_exact_code_slices(d->axes, h->V);
  ORR_TRY(
      kern_matmul_bwd_x(h->k, &(kern_matmul_bwd_x_args){.type = d->act,
                                                        .M = h->C,
                                                        .N = h->codes.count,
                                                        .K = d->D,
                                                        .dy = h->dlogits,
                                                        .w = train_operand(h->w, h->head),
                                                        .dx = part ? (void *)h->dyg_part : h->dyg,
                                                        .dx_f32 = part,
                                                        .slices = exact ? &slices : NULL}));
  if (exact)
    return train_exact_sum(d->axes, h->k, d->act, h->C * d->D, h->dyg_part, h->dyg_parts, h->dyg);
  if (whole(h)) return ORR_OK;
  return train_axes_all_reduce(d->axes, DIST_AXIS_TP, h->dyg, h->C * d->D, train_wire(d->act),
                               DIST_SUM);
}

float *train_head_grad(const train_head *h, int64_t leaf, int64_t at) {
  return leaf > 0 ? h->leaf_grad + (at - h->norm) : train_gradient(h->w, at);
}

// The head's own gradient from the chunk at row `first`.
static orr_code backward_w(train_head *h, int64_t first, const train_head_rows *r) {
  kern_matmul_bwd_w_args a = {.type = h->d.act,
                              .M = h->C,
                              .N = h->codes.count,
                              .K = h->d.D,
                              .dy = h->dlogits,
                              .x = h->yg,
                              .dw = train_head_grad(h, r->leaf, h->head)};
  if (r->leaf == 0) return train_products_gradient(h->k, h->w, h->head, &a);
  if (h->k->planning) ORR_TRY(kern_matmul_bwd_w(h->k, &a)); // both ways
  a.overwrite = first == 0;
  return kern_matmul_bwd_w(h->k, &a);
}

// dlogits -> dxg.
static orr_code chunk_backward(train_head *h, int64_t first, const train_head_rows *r) {
  const train_block_dims *d = &h->d;
  ORR_TRY(backward_w(h, first, r));
  ORR_TRY(backward_x(h));
  return kern_rmsnorm_bwd(h->k,
                          &(kern_rmsnorm_bwd_args){.type = d->act,
                                                   .M = h->C,
                                                   .D = d->D,
                                                   .dy = h->dyg,
                                                   .x = h->xg,
                                                   .w = train_plain(h->w, h->norm),
                                                   .rstd = h->rstd,
                                                   .dx = h->dxg,
                                                   .dw = train_head_grad(h, r->leaf, h->norm)});
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

static orr_code add_to(train_head *h, int64_t place, int64_t count) {
  return kern_axpby(h->k, &(kern_axpby_args){.type = KERN_F32,
                                             .n = count,
                                             .a = 1.0f,
                                             .b = 1.0f,
                                             .x = h->leaf_grad + place,
                                             .y = train_gradient(h->w, h->norm + place)});
}

orr_code train_head_add_leaf(train_head *h, int64_t leaf) {
  if (leaf == 0) return ORR_OK;
  ORR_TRY(add_to(h, 0, h->d.D));
  ORR_TRY(add_to(h, h->head - h->norm, h->codes.count * h->d.D));
  return h->after ? add_to(h, place_after(h), h->after) : ORR_OK;
}

static orr_code clear_leaf(train_head *h) {
  ORR_TRY(kern_fill(h->k,
                    &(kern_fill_args){.x = h->leaf_grad, .bytes = (size_t)h->d.D * sizeof(float)}));
  if (h->after == 0) return ORR_OK;
  return kern_fill(h->k, &(kern_fill_args){.x = h->leaf_grad + place_after(h),
                                           .bytes = (size_t)h->after * sizeof(float)});
}

orr_code train_head_loss(train_head *h, const train_head_rows *r, double *loss_sum) {
  if (r->dx && r->leaf == 0)
    ORR_TRY(kern_fill(h->k, &(kern_fill_args){.x = r->dx,
                                              .bytes = (size_t)(r->own_rows * h->d.D) *
                                                       kern_dtype_size(h->d.act)}));
  if (r->dx && r->leaf > 0) ORR_TRY(clear_leaf(h));
  for (int64_t first = 0; first < r->rows; first += h->C) {
    ORR_TRY(train_head_logits(h, r->x, r->row + first, h->logits));
    ORR_TRY(chunk_loss(h, first, r, loss_sum));
    if (!r->dx) continue;
    ORR_TRY(chunk_backward(h, first, r));
    ORR_TRY(spread(h, r->row + first, r));
  }
  return ORR_OK;
}
