// labels: quick
// Sums whose order is given (run.exact): parts give the bits of the whole.
#include "kernels/squares.h"
#include "tests/kernels/harness.h"

#include <math.h>

// -- trees of arrays ------------------------------------------------------------------------

// The sum of x[first .. first + count), count a power of two, as a complete tree.
static float tree(const float *x, int64_t count, int64_t stride) {
  if (count == 1) return *x;
  return tree(x, count / 2, stride) + tree(x + count / 2 * stride, count / 2, stride);
}

static void test_arrays_are_added_as_a_complete_tree(void **state) {
  enum { N = 300, COUNT = 16 };
  pool p = {0};
  float *x = pool_typed(&p, pool_draw(&p, N * COUNT, KERN_F32, 1.0), N * COUNT, KERN_F32);
  float *add = pool_typed(&p, pool_draw(&p, N, KERN_F32, 1.0), N, KERN_F32), y[N];
  FOR_SETUPS(run) {
    kern_tree_sum_args a = {
        .type = KERN_F32, .n = N, .count = COUNT, .x = x, .inner_stride = N, .add = add, .y = y};
    RUN(run, tree_sum, &a);
    for (int i = 0; i < N; i++) assert_true(y[i] == tree(x + i, COUNT, N) + add[i]);
    a.add = NULL, a.accumulate = true;
    RUN(run, tree_sum, &a);
    for (int i = 0; i < N; i++) {
      const float sum = tree(x + i, COUNT, N);
      assert_true(y[i] == (sum + add[i]) + sum);
    }
  }
  pool_free(&p);
}

// 5 groups on two ranks, of 3 and 2: nodes 0-1, 2; 3, 4 -> (0-1 + (2 + 3)) + 4.
static void test_nodes_are_added_as_their_merges_say(void **state) {
  const float x[] = {1e8f, 3.0f, -1e8f, 5.5f}; // 0-1, 2, 3, 4
  const uint8_t merges[] = {0, 0, 2, 0};
  FOR_SETUPS(run) {
    float y = 0;
    kern_tree_sum_args a = {
        .type = KERN_F32, .n = 1, .count = 4, .x = x, .inner_stride = 1, .merges = merges, .y = &y};
    RUN(run, tree_sum, &a);
    assert_true(y == (1e8f + (3.0f + -1e8f)) + 5.5f);
  }
}

static void test_bf16_sums_are_rounded_once(void **state) {
  const float x[] = {1.0f, 0.001953125f, 0.001953125f, 0.0f}; // 2^-9: half of the last place of 1
  FOR_SETUPS(run) {
    uint16_t y;
    kern_tree_sum_args a = {
        .type = KERN_BF16, .n = 1, .count = 3, .x = x, .inner_stride = 1, .y = &y};
    RUN(run, tree_sum, &a);
    assert_true(kern_bf16_to_f32(y) == kern_bf16_to_f32(kern_f32_to_bf16(1.00390625f)));
  }
}

// -- squares --------------------------------------------------------------------------------

static void test_squares_are_the_same_over_any_parts(void **state) {
  enum { N = 40011, CUT = 16390 };
  pool p = {0};
  float *x = pool_typed(&p, pool_draw(&p, N, KERN_F32, 1e-3), N, KERN_F32);
  long double want = 0;
  for (int i = 0; i < 40; i++) x[i * 1000] *= powf(10.0f, (float)(i % 40 - 30)); // denormals, too
  for (int i = 0; i < N; i++) want += (long double)x[i] * x[i];
  FOR_SETUPS(run) {
    int64_t whole[KERN_SQUARES_BINS] = {0}, parts[2][KERN_SQUARES_BINS] = {{0}};
    double sum[1];
    kern_squares_args a = {.n = N, .x = x, .bins = whole},
                      first = {.n = CUT, .x = x, .bins = parts[0]},
                      rest = {.n = N - CUT, .x = x + CUT, .bins = parts[1]};
    RUN(run, squares, &a);
    RUN(run, squares, &first);
    RUN(run, squares, &rest);
    for (int b = 0; b < KERN_SQUARES_BINS; b++) parts[0][b] += parts[1][b];
    assert_true(kern_squares_value(parts[0]) == kern_squares_value(whole));
    kern_squares_sum_args s = {.count = 1, .bins = whole, .sum = sum};
    RUN(run, squares_sum, &s);
    /* 24 bits of each square at least, rounded down */
    assert_true(fabsl(*sum / want - 1) < 1.2e-7L);
  }
  pool_free(&p);
}

static void test_squares_of_what_is_not_finite_are_nan(void **state) {
  const float bad[] = {NAN, INFINITY, -INFINITY};
  FOR_SETUPS(run) {
    for (int i = 0; i < 3; i++) {
      const float x[] = {1.0f, bad[i], 2.0f};
      int64_t bins[KERN_SQUARES_BINS] = {0};
      kern_squares_args a = {.n = 3, .x = x, .bins = bins};
      RUN(run, squares, &a);
      assert_true(isnan(kern_squares_value(bins)));
    }
  }
}

static void test_large_squares_do_not_overflow(void **state) {
  const float x[] = {3e38f, 3e38f, 1e-38f};
  int64_t bins[KERN_SQUARES_BINS] = {0};
  FOR_SETUPS(run) {
    memset(bins, 0, sizeof bins);
    kern_squares_args a = {.n = 3, .x = x, .bins = bins};
    RUN(run, squares, &a);
    assert_true(fabs(kern_squares_value(bins) / (2.0 * (double)x[0] * (double)x[0]) - 1) < 1.2e-7);
  }
}

// -- products and statistics in slices ------------------------------------------------------

// Two segments of K values each, cut into `count` slices.
static kern_slices slices_of(int count, int64_t K) {
  kern_slices s = {.count = count, .segments = 2};
  for (int g = 0; g < 2; g++)
    for (int i = 0; i <= count; i++) s.at[g][i] = g * K + i * (K / count);
  return s;
}

// y [M,N] of all slices, or of the half that a rank has: columns [first, first + K) of both
// segments.
static void product(setup *run, pool *p, kern_dtype type, const double *x, const double *w,
                    int64_t M, int64_t N, int64_t K, int64_t first, int64_t have, int slices,
                    float *y) {
  double *xs = pool_take(p, (size_t)(M * 2 * have) * sizeof *xs),
         *ws = pool_take(p, (size_t)(N * 2 * have) * sizeof *ws);
  for (int g = 0; g < 2; g++)
    for (int64_t k = 0; k < have; k++) {
      for (int64_t m = 0; m < M; m++)
        xs[m * 2 * have + g * have + k] = x[m * 2 * K + g * K + first + k];
      for (int64_t n = 0; n < N; n++)
        ws[n * 2 * have + g * have + k] = w[n * 2 * K + g * K + first + k];
    }
  const kern_slices s = slices_of(slices, have);
  kern_matmul_fwd_args a = {.type = type,
                            .y_type = KERN_F32,
                            .M = M,
                            .N = N,
                            .K = 2 * have,
                            .x = pool_typed(p, xs, M * 2 * have, type),
                            .w = pool_typed(p, ws, N * 2 * have, type),
                            .y = y,
                            .slices = &s};
  RUN(run, matmul_fwd, &a);
}

static void check_product(kern_dtype type) {
  enum { M = 41, N = 37, K = 48 };
  pool p = {0};
  const double *x = pool_draw(&p, M * 2 * K, type, 1.0), *w = pool_draw(&p, N * 2 * K, type, 1.0);
  float whole[M * N], half[2][M * N];
  FOR_SETUPS(run) {
    pool q = {0};
    product(run, &q, type, x, w, M, N, K, 0, K, 8, whole);
    for (int r = 0; r < 2; r++) product(run, &q, type, x, w, M, N, K, r * K / 2, K / 2, 4, half[r]);
    for (int i = 0; i < M * N; i++) {
      double want = 0;
      for (int k = 0; k < 2 * K; k++) want += x[i / N * 2 * K + k] * w[i % N * 2 * K + k];
      assert_true(whole[i] == half[0][i] + half[1][i]);
      assert_true(fabs(whole[i] - want) < 1e-4);
    }
    pool_free(&q);
  }
  pool_free(&p);
}

static void test_a_product_is_the_sum_of_its_halves_to_the_bit(void **state) {
  check_product(KERN_F32);
  check_product(KERN_BF16);
}

static void test_statistics_of_codes_are_the_sum_of_their_parts(void **state) {
  enum { M = 9, V = 77 };
  static const int64_t at[] = {0, 10, 20, 30, 40, 50, 59, 68, 77};
  pool p = {0};
  const float *logits = pool_typed(&p, pool_draw(&p, M * V, KERN_F32, 4.0), M * V, KERN_F32);
  int32_t target[M];
  float largest[M], whole[M], part[2][M], own[M * V];
  kern_slices all = {.count = 8, .segments = 1};
  memcpy(all.at[0], at, sizeof at);
  for (int m = 0; m < M; m++) {
    target[m] = m == 4 ? -1 : m;
    largest[m] = logits[m * V];
    for (int v = 1; v < V; v++) largest[m] = fmaxf(largest[m], logits[m * V + v]);
  }
  FOR_SETUPS(run) {
    kern_xent_sum_args a = {.M = M,
                            .V = V,
                            .logits = logits,
                            .target = target,
                            .largest = largest,
                            .slices = &all,
                            .sum = whole};
    RUN(run, xent_sum, &a);
    for (int r = 0; r < 2; r++) {
      const int64_t first = at[4 * r], count = at[4 * r + 4] - first;
      kern_slices four = {.count = 4, .segments = 1};
      for (int i = 0; i <= 4; i++) four.at[0][i] = at[4 * r + i] - first;
      for (int m = 0; m < M; m++)
        memcpy(own + m * count, logits + m * V + first, (size_t)count * sizeof *own);
      a.V = count, a.logits = own, a.slices = &four, a.sum = part[r];
      RUN(run, xent_sum, &a);
    }
    for (int m = 0; m < M; m++) {
      double want = 0;
      for (int v = 0; v < V && m != 4; v++) want += exp((double)logits[m * V + v] - largest[m]);
      assert_true(whole[m] == part[0][m] + part[1][m]);
      assert_true(fabs(whole[m] - want) <= 1e-6 * want);
    }
  }
  pool_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_arrays_are_added_as_a_complete_tree),
      cmocka_unit_test(test_nodes_are_added_as_their_merges_say),
      cmocka_unit_test(test_bf16_sums_are_rounded_once),
      cmocka_unit_test(test_squares_are_the_same_over_any_parts),
      cmocka_unit_test(test_squares_of_what_is_not_finite_are_nan),
      cmocka_unit_test(test_large_squares_do_not_overflow),
      cmocka_unit_test(test_a_product_is_the_sum_of_its_halves_to_the_bit),
      cmocka_unit_test(test_statistics_of_codes_are_the_sum_of_their_parts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
