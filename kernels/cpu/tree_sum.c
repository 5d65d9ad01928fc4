// Sums whose order is given: of arrays by a stack (kernels/ops.h), of numbers one after the other.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"

#include <inttypes.h>

enum { STRIP = 128 }; // elements whose stack is worked on at a time

static const float *array_of(const kern_tree_sum_args *a, int64_t i) {
  const int64_t inner = a->inner ? a->inner : a->count;
  return a->x + i / inner * a->outer_stride + i % inner * a->inner_stride;
}

// Additions after array i.
static int merges_of(const kern_tree_sum_args *a, int64_t i) {
  return a->merges ? a->merges[i] : __builtin_ctzll((unsigned long long)~i);
}

CPU_INLINE void finish(const kern_tree_sum_args *a, int64_t first, int64_t n, const float *sum,
                       kern_dtype type) {
  void *y = cpu_lane_row_mut(a->y, first, 1, type);
  const void *add = a->accumulate ? y : a->add ? cpu_lane_row(a->add, first, 1, type) : NULL;
  if (!add) {
#pragma omp simd
    for (int64_t e = 0; e < n; e++) cpu_lane_set(y, e, sum[e], type);
  } else {
#pragma omp simd
    for (int64_t e = 0; e < n; e++) cpu_lane_set(y, e, sum[e] + cpu_lane_get(add, e, type), type);
  }
}

static void sum_strip(const kern_tree_sum_args *a, int64_t first, int64_t n) {
  float stack[KERN_TREE_DEPTH][STRIP];
  int top = 0;
  for (int64_t i = 0; i < a->count; i++) {
    memcpy(stack[top++], array_of(a, i) + first, (size_t)n * sizeof(float));
    const bool last = i + 1 == a->count;
    for (int m = last ? top - 1 : merges_of(a, i); m > 0; m--, top--) {
      float *restrict low = stack[top - 2];
      const float *restrict high = stack[top - 1];
#pragma omp simd
      for (int64_t e = 0; e < n; e++) low[e] += high[e];
    }
  }
  if (a->type == KERN_BF16)
    finish(a, first, n, stack[0], KERN_BF16);
  else
    finish(a, first, n, stack[0], KERN_F32);
}

static void sum_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_tree_sum_args *a = ctx;
  for (int64_t at = first; at < end; at += STRIP)
    sum_strip(a, at, end - at < STRIP ? end - at : STRIP);
}

orr_code CPU_FN(tree_sum)(kern *k, const kern_tree_sum_args *a) {
  ORR_CHECK(a->count > 0 && (a->merges || a->count < (int64_t)1 << (KERN_TREE_DEPTH - 1)),
            ORR_EINVAL, "tree_sum: %" PRId64 " arrays", a->count);
  if (k->planning) return ORR_OK;
  cpu_run(k, a->n, 16 * STRIP, sum_part, a);
  return ORR_OK;
}

orr_code CPU_FN(add_up)(kern *k, const kern_add_up_args *a) {
  if (k->planning) return ORR_OK;
  double sum = 0;
  for (int64_t i = 0; i < a->n; i++) sum += a->x[i];
  *a->sum = sum;
  return ORR_OK;
}
