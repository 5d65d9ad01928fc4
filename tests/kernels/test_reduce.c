// labels: quick
// Sums of squares against long double; fingerprints against their definition.
#include "kernels/fingerprint.h"
#include "tests/kernels/harness.h"

static void check_sum(int64_t n) {
  pool p = {0};
  double *x = pool_draw(&p, n, KERN_F32, 3.0);
  long double want = 0;
  for (int64_t i = 0; i < n; i++) want += (long double)x[i] * x[i];
  void *kept = NULL;
  FOR_SETUPS(run) {
    double sum = -1;
    kern_sumsq_args a = {.n = n, .x = pool_typed(&p, x, n, KERN_F32), .sum = &sum};
    RUN(run, sumsq, &a);
    /* float64 sums of 50,000 positive terms: measured 8e-15 */
    assert_true(fabsl(sum - want) <= 1e-13L * want);
    expect_same_bits(&p, &kept, run, &sum, sizeof sum);
    double more = 2.0;
    a.sum = &more, a.accumulate = true;
    RUN(run, sumsq, &a);
    assert_true(more == 2.0 + sum);
  }
  pool_free(&p);
}

static void test_sum_equals_long_double(void **state) {
  const int64_t sizes[] = {0, 1, 3, 17, 16384, 16385, 50000};
  for (int i = 0; i < 7; i++) check_sum(sizes[i]);
}

static void test_large_values_do_not_overflow(void **state) {
  const float x[3] = {3e30f, -4e30f, 0.0f};
  FOR_SETUPS(run) {
    double sum = 0;
    kern_sumsq_args a = {.n = 3, .x = x, .sum = &sum};
    RUN(run, sumsq, &a);
    assert_true(fabs(sqrt(sum) / 5e30 - 1) < 1e-6);
  }
}

static void test_nan_and_inf_anywhere_show_in_the_sum(void **state) {
  enum { N = 20011 };
  pool p = {0};
  float *x = pool_typed(&p, pool_draw(&p, N, KERN_F32, 1.0), N, KERN_F32);
  const int64_t places[] = {0, 15, 16383, 16384, N - 1};
  FOR_SETUPS(run) {
    for (int i = 0; i < 5; i++) {
      const float keep = x[places[i]];
      double sum = 0;
      kern_sumsq_args a = {.n = N, .x = x, .sum = &sum};
      x[places[i]] = NAN;
      RUN(run, sumsq, &a);
      assert_true(isnan(sum));
      x[places[i]] = -INFINITY;
      RUN(run, sumsq, &a);
      assert_true(isinf(sum) && sum > 0);
      x[places[i]] = keep;
    }
  }
  pool_free(&p);
}

static uint64_t fingerprint(setup *run, const float *x, int64_t n, int64_t first) {
  uint64_t sum = 1;
  kern_fingerprint_args a = {.n = n, .x = x, .first = first, .sum = &sum};
  RUN(run, fingerprint, &a);
  return sum;
}

static void test_fingerprints_add_up_and_show_every_bit(void **state) {
  enum { N = 40011, CUT = 16390 };
  pool p = {0};
  float *x = pool_typed(&p, pool_draw(&p, N, KERN_F32, 1.0), N, KERN_F32);
  uint32_t *word = (uint32_t *)x;
  uint64_t want = 0;
  for (int64_t i = 0; i < N; i++) want += kern_fingerprint_term(word[i], 5 + (uint32_t)i);
  FOR_SETUPS(run) {
    assert_true(fingerprint(run, x, 0, 5) == 0);
    assert_true(fingerprint(run, x, N, 5) == want);
    uint64_t sum = fingerprint(run, x, CUT, 5);
    kern_fingerprint_args rest = {
        .n = N - CUT, .x = x + CUT, .first = 5 + CUT, .sum = &sum, .accumulate = true};
    RUN(run, fingerprint, &rest);
    assert_true(sum == want);
    for (int bit = 0; bit < 32; bit++) {
      word[1237 * bit] ^= 1u << bit;
      assert_true(fingerprint(run, x, N, 5) != want);
      word[1237 * bit] ^= 1u << bit;
    }
    const float first = x[0]; // two that change places
    x[0] = x[1];
    x[1] = first;
    assert_true(fingerprint(run, x, N, 5) != want);
    x[1] = x[0];
    x[0] = first;
  }
  pool_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sum_equals_long_double),
      cmocka_unit_test(test_large_values_do_not_overflow),
      cmocka_unit_test(test_nan_and_inf_anywhere_show_in_the_sum),
      cmocka_unit_test(test_fingerprints_add_up_and_show_every_bit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
