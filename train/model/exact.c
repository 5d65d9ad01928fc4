#include "train/model/exact.h"

static int tp_of(const train_axes *ax) {
  return train_axes_size(ax, DIST_AXIS_TP);
}

int64_t train_exact_leaves(const train_axes *ax) {
  return TRAIN_EXACT_LEAVES / train_axes_size(ax, DIST_AXIS_CP);
}

kern_slices train_exact_slices(const train_axes *ax, int segments, const int64_t *width) {
  kern_slices s = {.count = TRAIN_EXACT_SLICES / tp_of(ax), .segments = segments};
  int64_t at = 0;
  for (int g = 0; g < segments; at += width[g++])
    for (int i = 0; i <= s.count; i++) s.at[g][i] = at + width[g] / s.count * i;
  return s;
}

// The first code of slice `s`.
static int64_t first_of(int64_t n, int s) {
  return s == TRAIN_EXACT_SLICES ? n : train_part_of(n, TRAIN_EXACT_SLICES, s).first;
}

train_part train_exact_codes(const train_axes *ax, int64_t n) {
  const int slices = TRAIN_EXACT_SLICES / tp_of(ax), me = train_axes_rank(ax, DIST_AXIS_TP);
  train_part part = {.first = first_of(n, me * slices)};
  part.count = first_of(n, (me + 1) * slices) - part.first;
  part.capacity = first_of(n, slices); // the first slices are the larger ones
  return part;
}

kern_slices train_exact_code_slices(const train_axes *ax, int64_t n) {
  kern_slices s = {.count = TRAIN_EXACT_SLICES / tp_of(ax), .segments = 1};
  const int first = train_axes_rank(ax, DIST_AXIS_TP) * s.count;
  for (int i = 0; i <= s.count; i++) s.at[0][i] = first_of(n, first + i) - first_of(n, first);
  return s;
}

static orr_code add_parts(kern *k, kern_dtype t, int tp, int64_t n, const float *parts,
                          const void *add, void *y) {
  return kern_tree_sum(
      k, &(kern_tree_sum_args){
             .type = t, .n = n, .count = tp, .x = parts, .inner_stride = n, .add = add, .y = y});
}

orr_code train_exact_scatter(train_axes *ax, kern *k, kern_dtype t, int64_t n, const float *partial,
                             float *parts, const void *add, void *y) {
  int64_t counts[TRAIN_EXACT_SLICES], at[TRAIN_EXACT_SLICES];
  const int tp = tp_of(ax);
  if (tp == 1) return ORR_OK;
  for (int r = 0; r < tp; r++) {
    counts[r] = n;
    at[r] = r * n;
  }
  ORR_TRY(
      train_axes_all_to_all(ax, DIST_AXIS_TP, partial, counts, at, parts, counts, at, DIST_F32));
  return add_parts(k, t, tp, n, parts, add, y);
}

orr_code train_exact_sum(train_axes *ax, kern *k, kern_dtype t, int64_t n, const float *partial,
                         float *parts, void *y) {
  const int tp = tp_of(ax);
  if (tp == 1) return ORR_OK;
  ORR_TRY(train_axes_all_gather(ax, DIST_AXIS_TP, partial, parts, n, DIST_F32));
  return add_parts(k, t, tp, n, parts, NULL, y);
}

orr_code train_exact_rows(kern *k, int64_t count, int64_t n, const float *x, bool accumulate,
                          float *y) {
  return kern_tree_sum(k, &(kern_tree_sum_args){.type = KERN_F32,
                                                .n = n,
                                                .count = count,
                                                .x = x,
                                                .inner_stride = n,
                                                .y = y,
                                                .accumulate = accumulate});
}

orr_code train_exact_vector(kern *k, const train_weights *w, int64_t leaf, int64_t at, int64_t n,
                            float *apart, float **to) {
  *to = leaf > 0 ? apart : train_gradient(w, at);
  if (leaf == 0) return ORR_OK;
  return kern_fill(k, &(kern_fill_args){.x = apart, .bytes = (size_t)n * sizeof *apart});
}

orr_code train_exact_add_vector(kern *k, const train_weights *w, int64_t leaf, int64_t at,
                                int64_t n, const float *made) {
  if (leaf == 0) return ORR_OK;
  return kern_axpby(
      k,
      &(kern_axpby_args){
          .type = KERN_F32, .n = n, .a = 1.0f, .b = 1.0f, .x = made, .y = train_gradient(w, at)});
}
