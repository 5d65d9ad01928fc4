#include "train/model/linear.h"

#include "train/model/exact.h"
#include "train/model/products.h"

int64_t train_rows_part(const train_axes *axes, int64_t M) {
  const int64_t tp = train_axes_size(axes, DIST_AXIS_TP);
  return (M + tp - 1) / tp;
}

static bool whole(const train_rows *r) {
  return train_axes_size(r->axes, DIST_AXIS_TP) == 1;
}

orr_code train_rows_gather(const train_rows *r, kern_dtype t, int64_t D, const void *mine,
                           const void **all) {
  *all = whole(r) ? mine : r->full;
  if (whole(r)) return ORR_OK;
  return train_axes_all_gather(r->axes, DIST_AXIS_TP, mine, r->full, r->rows * D, train_wire(t));
}

// Partial sums in r->full -> this rank's rows of their sum.
static orr_code scatter(const train_rows *r, kern_dtype t, int64_t D, void *mine) {
  return train_axes_reduce_scatter(r->axes, DIST_AXIS_TP, r->full, mine, r->rows * D,
                                   train_wire(t));
}

orr_code train_linear_columns(kern *k, const train_linear *l, const train_weights *w,
                              const train_rows *r, const void *x, void *y) {
  const void *all;
  ORR_TRY(train_rows_gather(r, w->act, l->K, x, &all));
  return kern_matmul_fwd(k, &(kern_matmul_fwd_args){.type = w->act,
                                                    .y_type = w->act,
                                                    .M = r->M,
                                                    .N = l->N,
                                                    .K = l->K,
                                                    .x = all,
                                                    .w = train_operand(w, l->w),
                                                    .packed = train_packed_operand(w, l->w),
                                                    .y = y});
}

// dx, [M,K], of dy; in float32 where it is a part of a sum. With slices of N.
static orr_code backward_x(kern *k, const train_linear *l, const train_weights *w, int64_t M,
                           const void *dy, void *dx, bool f32, const kern_slices *slices) {
  return kern_matmul_bwd_x(k, &(kern_matmul_bwd_x_args){.type = w->act,
                                                        .M = M,
                                                        .N = l->N,
                                                        .K = l->K,
                                                        .dy = dy,
                                                        .w = train_operand(w, l->w),
                                                        .dx = dx,
                                                        .dx_f32 = f32,
                                                        .slices = slices});
}

// Leaf by leaf.
static orr_code backward_w(kern *k, const train_linear *l, const train_weights *w,
                           const train_rows *r, const void *dy, const void *x) {
  const int64_t leaves = train_rows_leaves(r), rows = r->M / leaves;
  for (int64_t i = 0; i < leaves; i++)
    ORR_TRY(train_products_gradient(
        k, w, l->w,
        &(kern_matmul_bwd_w_args){.type = w->act,
                                  .M = rows,
                                  .N = l->N,
                                  .K = l->K,
                                  .dy = train_row(w->act, dy, i * rows, l->N),
                                  .x = train_row(w->act, x, i * rows, l->K)}));
  return ORR_OK;
}

orr_code train_linear_columns_bwd(kern *k, const train_linear *l, const train_weights *w,
                                  const train_rows *r, const void *dy, const void *x, void *dx) {
  const void *all;
  ORR_TRY(train_rows_gather(r, w->act, l->K, x, &all));
  ORR_TRY(backward_w(k, l, w, r, dy, all));
  if (r->leaves) {
    const kern_slices slices = train_exact_slices(r->axes, l->segments, l->width);
    ORR_TRY(backward_x(k, l, w, r->M, dy, whole(r) ? dx : r->partial, !whole(r), &slices));
    return train_exact_scatter(r->axes, k, w->act, r->rows * l->K, r->partial, r->parts, NULL, dx);
  }
  // The gathered x has served; its place takes the partial sums.
  ORR_TRY(backward_x(k, l, w, r->M, dy, whole(r) ? dx : r->full, false, NULL));
  return whole(r) ? ORR_OK : scatter(r, w->act, l->K, dx);
}

orr_code train_linear_sums(kern *k, const train_linear *l, const train_weights *w,
                           const train_rows *r, const void *x, const void *add, void *y) {
  kern_slices slices;
  kern_matmul_fwd_args a = {.type = w->act,
                            .y_type = w->act,
                            .M = r->M,
                            .N = l->N,
                            .K = l->K,
                            .x = x,
                            .w = train_operand(w, l->w),
                            .packed = train_packed_operand(w, l->w),
                            .add = whole(r) ? add : NULL,
                            .y = whole(r) ? y : r->full};
  if (r->leaves) {
    slices = train_exact_slices(r->axes, l->segments, l->width);
    a.slices = &slices;
    if (!whole(r)) {
      a.y_type = KERN_F32;
      a.y = r->partial;
    }
    ORR_TRY(kern_matmul_fwd(k, &a));
    return train_exact_scatter(r->axes, k, w->act, r->rows * l->N, r->partial, r->parts, add, y);
  }
  ORR_TRY(kern_matmul_fwd(k, &a));
  if (whole(r)) return ORR_OK;
  ORR_TRY(scatter(r, w->act, l->N, y));
  return kern_axpby(
      k, &(kern_axpby_args){.type = w->act, .n = r->rows * l->N, .a = 1, .b = 1, .x = add, .y = y});
}

orr_code train_linear_sums_bwd(kern *k, const train_linear *l, const train_weights *w,
                               const train_rows *r, const void *dy, const void *x, void *dx) {
  const void *all;
  ORR_TRY(train_rows_gather(r, w->act, l->N, dy, &all));
  ORR_TRY(backward_x(k, l, w, r->M, all, dx, false, NULL));
  return backward_w(k, l, w, r, all, x);
}
