#include "train/model/half.h"

#include "train/model/exact.h"

static int tp_of(const train_half *h) {
  return train_axes_size(h->d->axes, DIST_AXIS_TP);
}

void train_half_place(train_half *h, orr_arena *acts, orr_arena *exchange) {
  const size_t row = (size_t)h->d->D * kern_dtype_size(h->d->act), own = (size_t)h->stream->rows,
               M = (size_t)h->stream->M, tp = (size_t)tp_of(h);
  h->own = orr_arena_take(acts, own * row);
  h->last = tp > 1 ? orr_arena_take(exchange, own * tp * row) : h->own;
  h->y = orr_arena_take(acts, M * row);
  h->rstd = orr_arena_take(acts, M * sizeof *h->rstd);
}

static train_block block_of(const train_half *h, int64_t i) {
  return (train_block){.k = h->k, .d = h->d, .p = &h->blocks[i], .w = h->w};
}

static void *output_of(const train_half *h, int64_t i) {
  return i + 1 < h->layers ? h->acts[i + 1].x : h->own;
}

// Where the parameters of block i begin; -1 where there is none.
static int64_t place_of(const train_half *h, int64_t i) {
  return i >= 0 && i < h->layers ? h->blocks[i].norm1 : -1;
}

orr_code train_half_forward(train_half *h) {
  const train_block_dims *d = h->d;
  for (int64_t i = 0; i < h->layers; i++) {
    const train_block block = block_of(h, i);
    ORR_TRY(train_need(h->w, place_of(h, i), place_of(h, i + 1)));
    ORR_TRY(train_block_forward(&block, &h->shape, &h->acts[i], output_of(h, i)));
  }
  if (tp_of(h) > 1)
    ORR_TRY(train_axes_all_gather(d->axes, DIST_AXIS_TP, h->own, h->last, h->stream->rows * d->D,
                                  train_wire(d->act)));
  return kern_rmsnorm_fwd(h->k, &(kern_rmsnorm_fwd_args){.type = d->act,
                                                         .M = h->stream->M,
                                                         .D = d->D,
                                                         .x = h->last,
                                                         .w = train_plain(h->w, h->norm),
                                                         .y = h->y,
                                                         .rstd = h->rstd});
}

// t->dy through the norm, leaf by leaf -> dx [M,D].
static orr_code norm_rows_backward(const train_half *h, const train_half_scratch *t, void *dx) {
  const kern_dtype type = h->d->act;
  const int64_t D = h->d->D, leaves = train_rows_leaves(h->stream), n = h->stream->M / leaves;
  for (int64_t i = 0; i < leaves; i++) {
    float *dw;
    ORR_TRY(train_exact_vector(h->k, h->w, i, h->norm, D, t->leaf_grad, &dw));
    ORR_TRY(kern_rmsnorm_bwd(h->k, &(kern_rmsnorm_bwd_args){.type = type,
                                                            .M = n,
                                                            .D = D,
                                                            .dy = train_row(type, t->dy, i * n, D),
                                                            .x = train_row(type, h->last, i * n, D),
                                                            .w = train_plain(h->w, h->norm),
                                                            .rstd = h->rstd + i * n,
                                                            .dx = train_row(type, dx, i * n, D),
                                                            .dw = dw}));
    ORR_TRY(train_exact_add_vector(h->k, h->w, i, h->norm, D, dw));
  }
  return ORR_OK;
}

// The same -> t->dx, of this rank's rows.
static orr_code norm_backward(const train_half *h, const train_half_scratch *t) {
  const train_rows *r = h->stream;
  const int64_t D = h->d->D, first = r->rows * train_axes_rank(h->d->axes, DIST_AXIS_TP);
  if (tp_of(h) == 1) return norm_rows_backward(h, t, t->dx);
  ORR_TRY(norm_rows_backward(h, t, r->full)); // whose rows beyond M are zeros
  return kern_copy(h->k,
                   &(kern_copy_args){.dst = t->dx,
                                     .src = train_row(h->d->act, r->full, first, D),
                                     .bytes = (size_t)(r->rows * D) * kern_dtype_size(h->d->act),
                                     .way = KERN_COPY_WITHIN});
}

orr_code train_half_backward(train_half *h, const train_half_scratch *t, train_grad_ready_fn ready,
                             void *ready_ctx, const void **dx) {
  ORR_TRY(norm_backward(h, t));
  if (ready) ORR_TRY(ready(ready_ctx, h->norm));
  for (int64_t i = h->layers - 1; i >= 0; i--) {
    const train_block block = block_of(h, i);
    train_block_acts *a = &h->acts[i];
    ORR_TRY(train_need(h->w, place_of(h, i), place_of(h, i - 1)));
    if (h->keep == TRAIN_RECOMPUTE)
      ORR_TRY(train_block_forward(&block, &h->shape, a, output_of(h, i)));
    ORR_TRY(train_block_backward(&block, &h->shape, a, t->blocks, t->dx));
    if (ready) ORR_TRY(ready(ready_ctx, h->blocks[i].norm1));
  }
  return train_rows_gather(h->stream, h->d->act, h->d->D, t->dx, dx);
}
