// What run.exact asks of a model's sums: an order that no layout of ranks changes.
//
// A pass is a group of clips, its frames in order of time, and its rows fall into leaves, equal
// parts of its frames, where cp may cut; a gradient of weights is the sum over each leaf, and then
// of the leaves. What tp cuts - heads, hidden units, codes - are TRAIN_EXACT_SLICES slices: sums
// over them are made slice by slice in float32, added as a complete binary tree, and rounded once.
// Sums over rows that tp splits among its ranks are made frame by frame.
#ifndef TRAIN_EXACT_H
#define TRAIN_EXACT_H

#include "kernels/kern.h"
#include "train/model/axes.h"
#include "train/model/params.h"

// Local. Takes NULL.
static inline bool train_exact(const train_axes *ax) {
  return ax && ax->exact;
}
// Local. Leaves of a pass on this rank.
int64_t train_exact_leaves(const train_axes *ax);
// Local. This rank's slices of `segments` that lie side by side, `width` elements of each here.
kern_slices train_exact_slices(const train_axes *ax, int segments, const int64_t *width);
// Local. This rank's part of n codes, in whole slices, and those slices.
train_part train_exact_codes(const train_axes *ax, int64_t n);
kern_slices train_exact_code_slices(const train_axes *ax, int64_t n);

// Collective over tp. partial [tp,n] float32 of this rank -> y[n] (=) the sum over ranks of this
// rank's part, + add; `parts` [tp,n] is what they arrive in. On one rank of tp nothing is done.
orr_code train_exact_scatter(train_axes *ax, kern *k, kern_dtype t, int64_t n, const float *partial,
                             float *parts, const void *add, void *y);
// Collective over tp. The same of partial [n], to all of it on every rank.
orr_code train_exact_sum(train_axes *ax, kern *k, kern_dtype t, int64_t n, const float *partial,
                         float *parts, void *y);
// Local. y[n] (=) the sum of x [count,n] in the order of a tree; with accumulate (+=).
orr_code train_exact_rows(kern *k, int64_t count, int64_t n, const float *x, bool accumulate,
                          float *y);
// Local. *to: where leaf `leaf` makes its gradient of the vector [n] at `at`, of a bias or a norm.
// That of the first one here is the gradient itself; that of another is `apart` [n], cleared, so
// that it is whole before the second call adds it to those of the leaves before.
orr_code train_exact_vector(kern *k, const train_weights *w, int64_t leaf, int64_t at, int64_t n,
                            float *apart, float **to);
orr_code train_exact_add_vector(kern *k, const train_weights *w, int64_t leaf, int64_t at,
                                int64_t n, const float *made);

#endif
