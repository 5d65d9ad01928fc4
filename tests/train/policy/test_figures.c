// labels: quick
// The arithmetic of judging policies, on cases worked out by hand.
#include "tests/base/assert.h"

#include <math.h>

#include "train/policy/chances.h"
#include "train/policy/figures.h"

static void test_correlations_of_a_small_case(void **state) {
  const double x[] = {1, 2, 3, 4}, y[] = {1, 3, 2, 5}, tied[] = {1, 1, 2, 2},
               still[] = {7, 7, 7, 7};
  double rho;
  // means 2.5 and 2.75: xy = 5.5, xx = 5, yy = 8.75
  assert_float_equal(train_figures_pearson(x, y, 4), 5.5 / sqrt(5 * 8.75), 1e-12);
  assert_ok(train_figures_spearman(x, y, 4, &rho)); // 1 - 6 * (0+1+1+0) / (4 * 15)
  assert_float_equal(rho, 0.8, 1e-12);
  assert_float_equal(train_figures_kendall(x, y, 4), 4.0 / 6, 1e-12); // 5 pairs agree, 1 does not
  // ranks 1.5 1.5 3.5 3.5: rank sums 4 over sqrt(5 * 4)
  assert_ok(train_figures_spearman(x, tied, 4, &rho));
  assert_float_equal(rho, 4 / sqrt(20), 1e-12);
  assert_float_equal(train_figures_kendall(x, tied, 4), 4 / sqrt(6 * 4.0), 1e-12);
  assert_true(isnan(train_figures_pearson(x, still, 4)));
  assert_true(isnan(train_figures_kendall(x, still, 4)));
}

static void test_mmrv_is_the_worst_true_difference_told_wrongly(void **state) {
  const double truth[] = {0.9, 0.5, 0.1}, right[] = {0.4, 0.3, 0.2}, swapped[] = {0.3, 0.4, 0.2},
               reversed[] = {0.1, 0.2, 0.3};
  assert_float_equal(train_figures_mmrv(truth, right, 3), 0, 1e-12);
  assert_true(isnan(train_figures_mmrv(truth, right, 1)));
  assert_float_equal(train_figures_mmrv(truth, swapped, 3), (0.4 + 0.4 + 0) / 3, 1e-12);
  assert_float_equal(train_figures_mmrv(truth, reversed, 3), (0.8 + 0.4 + 0.8) / 3, 1e-12);
}

static void test_the_threshold_tells_both_ends_best(void **state) {
  const double score[] = {0.9, 0.8, 0.3, 0.2, 0.1, 0.75}, level[] = {0.5, 0.5};
  const uint8_t is[] = {1, 1, 0, 0, 0, 0}, either[] = {1, 0};
  double at, balanced;
  assert_ok(train_figures_threshold(score, is, 6, &at, &balanced));
  assert_float_equal(at, 0.775, 1e-12);
  assert_float_equal(balanced, 1, 1e-12);
  const uint8_t noisy[] = {1, 0, 0, 0, 0, 1};
  assert_ok(train_figures_threshold(score, noisy, 6, &at, &balanced)); // 2 of 2, 3 of 4
  assert_float_equal(at, (0.3 + 0.75) / 2, 1e-12);
  assert_float_equal(balanced, (1 + 0.75) / 2, 1e-12);
  assert_ok(train_figures_threshold(level, either, 2, &at, &balanced));
  assert_float_equal(balanced, 0.5, 1e-12);
}

static void test_calibration(void **state) {
  const double sure[] = {1, 1, 0, 0}, half[] = {0.55, 0.55, 0.55, 0.55};
  const uint8_t outcome[] = {1, 0, 0, 0};
  // the bin of 1 holds two and one of them happens, the bin of 0 none: |2 - 1| / 4
  assert_float_equal(train_figures_ece(sure, outcome, 4, 10), 0.25, 1e-12);
  assert_float_equal(train_figures_ece(half, outcome, 4, 10), 0.55 - 0.25, 1e-12);
}

static void test_what_common_chances_spare(void **state) {
  // a and b fail together but for one trial of four: variances 1/4 and 3/16, of the difference 3/16
  const double a[] = {1, 1, 0, 0}, b[] = {1, 1, 1, 0}, c[] = {0, 0, 1, 1}, all[] = {1, 1, 1, 1};
  assert_float_equal(train_chances_spared(a, b, 4), (0.25 + 0.1875) / 0.1875, 1e-12);
  assert_true(isinf(train_chances_spared(a, a, 4)));
  assert_true(isnan(train_chances_spared(all, all, 4)));
  // b succeeds wherever a does: no other pair of such rates spares more
  assert_float_equal(train_chances_most(0.5, 0.75), train_chances_spared(a, b, 4), 1e-12);
  assert_true(train_chances_most(0.5, 0.75) > train_chances_spared(c, b, 4));
  assert_float_equal(train_chances_most(1, 0.25), 1, 1e-12); // of rates far apart nothing
}

static void test_what_they_spare_by_pairs(void **state) {
  // rates 1, 0.5 and 0: 1 and 0 never vary, 1 and 0.5 are neighbours, none are close
  const double three[] = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0};
  train_chances all, near, close;
  assert_ok(train_chances_of(three, 3, 4, TRAIN_CHANCES_ALL, &all));
  assert_ok(train_chances_of(three, 3, 4, TRAIN_CHANCES_NEIGHBOURS, &near));
  assert_ok(train_chances_of(three, 3, 4, TRAIN_CHANCES_CLOSE, &close));
  assert_int_equal(all.pairs, 2);
  assert_int_equal(near.pairs, 2);
  assert_int_equal(close.pairs, 0);
  assert_float_equal(all.pooled, 1, 1e-12); // sums of variances: 1/4 + 1/4 over 1/4 + 1/4
  assert_float_equal(all.median, 1, 1e-12);
  assert_true(isnan(close.pooled) && isnan(close.median));
  // rates 0.5, 0.75, 0.5: factors 7/3, 7/3 and, of the first and the last, which are one, inf
  const double more[] = {1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0};
  assert_ok(train_chances_of(more, 3, 4, TRAIN_CHANCES_CLOSE, &close));
  assert_int_equal(close.pairs, 1);
  assert_true(isinf(close.median));
  assert_ok(train_chances_of(more, 3, 4, TRAIN_CHANCES_ALL, &all));
  assert_float_equal(all.median, 7.0 / 3, 1e-12);
  assert_float_equal(all.pooled, (2 * 7.0 / 16 + 0.5) / (2 * 3.0 / 16), 1e-12);
}

static void test_intervals_hold_the_figure_and_shrink_with_trials(void **state) {
  enum { P = 4, N = 200 };
  static double truth[P * N], model[P * N];
  for (int i = 0; i < P; i++)
    for (int n = 0; n < N; n++) {
      truth[i * N + n] = n % 10 < 2 * i + 2;
      model[i * N + n] = (n + i) % 10 < 2 * i + 1;
    }
  double width[2];
  for (int k = 0; k < 2; k++) {
    const int64_t trials = k ? N : 20;
    double few[2][P * N];
    for (int i = 0; i < P; i++) {
      memcpy(few[0] + i * trials, truth + i * N, (size_t)trials * sizeof(double));
      memcpy(few[1] + i * trials, model + i * N, (size_t)trials * sizeof(double));
    }
    train_interval rates[2][P], r, mmrv;
    train_figures f;
    assert_ok(train_figures_of(few[0], few[1], P, trials, &f));
    assert_ok(
        train_figures_bootstrap(few[0], few[1], P, trials, 300, 5, rates[0], rates[1], &r, &mmrv));
    assert_true(f.r > 0.9999 && r.low < f.r && r.high > 0.97); // every draw is off a little
    assert_true(mmrv.low >= 0 && mmrv.high >= f.mmrv);
    assert_true(rates[0][1].low < 0.4 && 0.4 < rates[0][1].high);
    width[k] = rates[0][1].high - rates[0][1].low;
  }
  assert_true(width[1] < width[0] / 2); // ten times the trials: 3.2 times narrower
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_correlations_of_a_small_case),
      cmocka_unit_test(test_mmrv_is_the_worst_true_difference_told_wrongly),
      cmocka_unit_test(test_the_threshold_tells_both_ends_best),
      cmocka_unit_test(test_calibration),
      cmocka_unit_test(test_what_common_chances_spare),
      cmocka_unit_test(test_what_they_spare_by_pairs),
      cmocka_unit_test(test_intervals_hold_the_figure_and_shrink_with_trials),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
