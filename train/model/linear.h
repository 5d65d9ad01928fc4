// A product split over tp (Shoeybi et al. 2019, with the rows between two products split as well,
// Korthikanti et al. 2022). `M` rows take part in the product; between the products a rank holds
// `rows` = ceil(M / tp) of them. Rows beyond M are zero and stay zero.
//
//   columns: rows gathered -> y[M, N of this rank]
//   sums:    x[M, K of this rank] -> partial sums, of which a rank gets its rows
//
// On one rank of tp nothing is copied: rows = M, and a product reads and writes in place.
#ifndef TRAIN_LINEAR_H
#define TRAIN_LINEAR_H

#include "train/model/axes.h"
#include "train/model/params.h"

typedef struct {
  train_axes *axes; // NULL = one rank
  int64_t M, rows;
  void *full; // [rows*tp,D]; not used on one rank
  // With run.exact (train/model/exact.h), whose M is divisible by tp; else leaves is 0.
  int64_t leaves;         // equal parts of the rows, which gradients of weights are summed by
  float *partial, *parts; // [M,D] each; not used on one rank of tp
} train_rows;

// Local. Parts of the rows by which gradients are summed: one without run.exact.
static inline int64_t train_rows_leaves(const train_rows *r) {
  return r->leaves ? r->leaves : 1;
}
// Local. Row `row` of x, whose rows are `width` numbers.
static inline void *train_row(kern_dtype t, const void *x, int64_t row, int64_t width) {
  return (unsigned char *)(uintptr_t)x + (size_t)(row * width) * kern_dtype_size(t);
}
// Local. Rows of a rank when tp ranks split M.
int64_t train_rows_part(const train_axes *axes, int64_t M);
// Collective over tp. mine [rows,D] -> *all [M,D]: r->full, or `mine` itself on one rank.
orr_code train_rows_gather(const train_rows *r, kern_dtype t, int64_t D, const void *mine,
                           const void **all);

typedef struct {
  int64_t w;    // place of the weight, [N,K] here
  int64_t N, K; // of this rank
  // What lies side by side in the one of N and K that tp cuts.
  int segments;
  int64_t width[KERN_SEGMENTS_MOST];
} train_linear;

// Collective over tp. x [rows,K] -> y [M,N].
orr_code train_linear_columns(kern *k, const train_linear *l, const train_weights *w,
                              const train_rows *r, const void *x, void *y);
// dy [M,N] -> dx [rows,K] (=), dW (+=; = for the first of a step, train/model/products.h).
orr_code train_linear_columns_bwd(kern *k, const train_linear *l, const train_weights *w,
                                  const train_rows *r, const void *dy, const void *x, void *dx);
// Collective over tp. x [M,K] -> y [rows,N] = x W^T + add [rows,N].
orr_code train_linear_sums(kern *k, const train_linear *l, const train_weights *w,
                           const train_rows *r, const void *x, const void *add, void *y);
// dy [rows,N] -> dx [M,K] (=), dW (+=; = for the first of a step).
orr_code train_linear_sums_bwd(kern *k, const train_linear *l, const train_weights *w,
                               const train_rows *r, const void *dy, const void *x, void *dx);

#endif
