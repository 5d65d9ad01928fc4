// labels: quick
// Figures of an examination on answers whose value is known by hand, and their intervals.
#include <math.h>

#include "base/rng.h"
#include "tests/base/assert.h"
#include "train/exam/calibration.h"
#include "train/exam/interval.h"

enum { GROUPS = 200 };

static const int64_t two[] = {0, 1};

static bool near(double a, double b) {
  return fabs(a - b) < 1e-12;
}

// a+a, a+b, b+b, b+a: the even ones are possible.
static void test_the_smaller_surprise_should_be_at_the_possible_ending(void **unused) {
  const double right[] = {1, 2, 3, 4, 1, 9, 0, 1}, wrong[] = {2, 1, 4, 3, 9, 1, 1, 0},
               mixed[] = {1, 2, 4, 3, 5, 5, 0, 1};
  assert_true(near(train_exam_accuracy(right, two, 2), 1));
  assert_true(near(train_exam_accuracy(wrong, two, 2), 0));
  assert_true(near(train_exam_accuracy(mixed, two, 2), 0.625)); // two right, one wrong, one equal
}

// An opinion of endings alone is right as often as wrong, whatever it is: each ending comes once
// as possible and once as impossible.
static void test_an_opinion_of_endings_alone_gets_one_half(void **unused) {
  double nats[4 * GROUPS];
  int64_t all[GROUPS];
  for (int64_t g = 0; g < GROUPS; g++) {
    const double alpha = orr_rng_uniform(3, ORR_STREAM_TEST, (uint64_t)g, 0),
                 beta = orr_rng_uniform(3, ORR_STREAM_TEST, (uint64_t)g, 1);
    nats[4 * g] = nats[4 * g + 3] = alpha;
    nats[4 * g + 1] = nats[4 * g + 2] = beta;
    all[g] = g;
  }
  assert_true(near(train_exam_accuracy(nats, all, GROUPS), 0.5));
  assert_true(near(train_exam_relative(nats, all, GROUPS), 0.5));
  assert_true(near(train_exam_auroc(nats, all, GROUPS), 0.5));
}

static void test_auroc_counts_orders_and_shares_equals(void **unused) {
  const double apart[] = {1, 5, 2, 6, 3, 7, 4, 8}, equal[] = {1, 1, 1, 1, 1, 1, 1, 1},
               one[] = {1, 2, 3, 4}; // possible 1, 3; impossible 2, 4: three of four orders
  assert_true(near(train_exam_auroc(apart, two, 2), 1));
  assert_true(near(train_exam_auroc(equal, two, 2), 0.5));
  assert_true(near(train_exam_auroc(one, two, 1), 0.75));
}

// An ending that costs a hundred nats more than the other, whatever it follows, hides from pairs
// what is known; of a group it falls out.
static void test_what_an_ending_costs_anyway_falls_out_of_a_group(void **unused) {
  const double knows[] = {110, 12, 10, 113}, knows_not[] = {110, 12, 13, 109},
               even[] = {110, 12, 12, 110};
  assert_true(near(train_exam_accuracy(knows, two, 1), 0.5));
  assert_true(near(train_exam_relative(knows, two, 1), 1));
  assert_true(near(train_exam_relative(knows_not, two, 1), 0));
  assert_true(near(train_exam_relative(even, two, 1), 0.5));
}

// Beliefs of one half where all are right: off by one half. Beliefs of nearly one: not off.
static void test_calibration_error_is_what_beliefs_are_off(void **unused) {
  const double doubts[] = {1e-9, 1e-9}, sure[] = {100, 100}, wrong[] = {-100, -100};
  assert_true(fabs(train_exam_ece(&(train_exam_column){doubts, 2}, two, 1) - 0.5) < 1e-8);
  assert_true(train_exam_ece(&(train_exam_column){sure, 2}, two, 1) < 1e-8);
  assert_true(train_exam_ece(&(train_exam_column){wrong, 2}, two, 1) > 1 - 1e-8);
}

// Log odds whose beliefs are right as often as they say, but ten times too large.
static void test_the_scale_makes_beliefs_honest(void **unused) {
  enum { ODDS = 2 * GROUPS };
  static double odds[ODDS], scaled[ODDS];
  int64_t all[ODDS];
  for (int64_t i = 0; i < ODDS; i++) {
    all[i] = i;
    const double z = 4 * orr_rng_uniform(5, ORR_STREAM_TEST, (uint64_t)i, 0) - 1;
    const bool right =
        orr_rng_uniform(5, ORR_STREAM_TEST, (uint64_t)i, 1) < 1 / (1 + exp(-fabs(z)));
    odds[i] = 10 * (right ? fabs(z) : -fabs(z));
    scaled[i] = odds[i] / 10;
  }
  const double scale = train_exam_scale(odds, ODDS);
  assert_true(scale > 6 && scale < 16); // 400 of them; a grid of 19 %
  assert_true(train_exam_ece(&(train_exam_column){odds, 1}, all, ODDS) > 0.1);
  // bins of about forty: one standard error is .07 of one
  assert_true(train_exam_ece(&(train_exam_column){scaled, 1}, all, ODDS) < 0.07);
  // eight that are all right make nobody sure beyond nine of ten
  const double few[] = {5, 5, 5, 5, 5, 5, 5, 5};
  const double belief = 1 / (1 + exp(-5 / train_exam_scale(few, 8)));
  assert_true(belief > 0.87 && belief < 0.93);
}

// Chances to go wrong that follow from the figure by a known line, and the line found again.
static void test_the_chance_to_go_wrong_is_fitted(void **unused) {
  enum { N = 2000 };
  static double judged[2 * N], chance[2 * N];
  int64_t all[N];
  double at, slope;
  for (int64_t i = 0; i < N; i++) {
    all[i] = i;
    const double nats = 40 * orr_rng_uniform(6, ORR_STREAM_TEST, (uint64_t)i, 0);
    judged[2 * i] = nats;
    judged[2 * i + 1] =
        orr_rng_uniform(6, ORR_STREAM_TEST, (uint64_t)i, 1) < 1 / (1 + exp(-(-4 + 0.2 * nats)));
  }
  train_exam_fit_wrong(judged, N, &at, &slope);
  assert_true(fabs(at + 4) < 0.6 && fabs(slope - 0.2) < 0.03); // three standard errors of 2000
  for (int64_t i = 0; i < N; i++) {
    chance[2 * i] = 1 / (1 + exp(-(at + slope * judged[2 * i])));
    chance[2 * i + 1] = judged[2 * i + 1];
  }
  assert_true(train_exam_wrong_ece(chance, all, N) < 0.04); // a bin of two hundred: .035
  assert_true(train_exam_wrong_auroc(judged, all, N) > 0.85);
  for (int64_t i = 0; i < N; i++) chance[2 * i] = 1 - chance[2 * i];
  assert_true(train_exam_wrong_ece(chance, all, N) > 0.3);
  // a figure that parts them wholly has a line all the same; nothing has none
  const double parted[] = {1, 0, 2, 0, 3, 1, 4, 1};
  train_exam_fit_wrong(parted, 4, &at, &slope);
  assert_true(isfinite(at) && isfinite(slope) && slope > 0 && at + 2.5 * slope < 1e-3 &&
              at + 2.5 * slope > -1e-3);
  train_exam_fit_wrong(parted, 0, &at, &slope);
  assert_true(at == 0 && slope == 0);
}

static void test_a_calibration_is_read_as_it_was_written(void **unused) {
  const train_exam_calibration c = {.pair = {[2] = 0.1, [7] = 1.0 / 3},
                                    .group = {[2] = 17.5, [7] = 3},
                                    .at = -1.0 / 7,
                                    .slope = 1e-9};
  train_exam_calibration back;
  json_t *j = train_exam_calibration_json(&c);
  assert_ok(train_exam_calibration_read("test", j, &back));
  assert_memory_equal(&c, &back, sizeof c);
  json_object_del(j, "slope");
  assert_int_equal(train_exam_calibration_read("test", j, &back), ORR_EFORMAT);
  assert_message_names("test", "slope");
  json_decref(j);
}

// Ninety-five of a hundred intervals hold the truth, here of a mean of uniform numbers.
static void test_intervals_hold_what_they_should(void **unused) {
  enum { SETS = 60, N = 40 };
  int held = 0;
  for (uint64_t i = 0; i < SETS; i++) {
    double v[2 * N];
    train_exam_figure f, again;
    for (uint64_t k = 0; k < 2 * N; k++) v[k] = orr_rng_uniform(9, ORR_STREAM_TEST, i, k);
    const train_exam_column c = {v, 2};
    assert_ok(train_exam_figure_of(train_exam_mean, &c, N, 4, &f));
    assert_ok(train_exam_figure_of(train_exam_mean, &c, N, 4, &again));
    assert_memory_equal(&f, &again, sizeof f);
    assert_true(f.low <= f.value && f.value <= f.high);
    held += f.low <= 0.5 && 0.5 <= f.high;
  }
  // of 60 at .95 expected 57; 51 is 3.5 standard deviations below
  assert_true(held >= 51);
}

static void test_a_mean_passes_over_what_there_is_not(void **unused) {
  const double v[] = {1, NAN, 3, 5}, none[] = {NAN, NAN};
  assert_true(near(train_exam_mean(&(train_exam_column){v, 2}, two, 2), 3));
  assert_true(isnan(train_exam_mean(&(train_exam_column){none, 2}, two, 1)));
  train_exam_figure f;
  assert_ok(train_exam_figure_of(train_exam_mean, &(train_exam_column){none, 2}, 1, 1, &f));
  assert_true(isnan(f.value) && isnan(f.low) && isnan(f.high));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_smaller_surprise_should_be_at_the_possible_ending),
      cmocka_unit_test(test_an_opinion_of_endings_alone_gets_one_half),
      cmocka_unit_test(test_auroc_counts_orders_and_shares_equals),
      cmocka_unit_test(test_calibration_error_is_what_beliefs_are_off),
      cmocka_unit_test(test_what_an_ending_costs_anyway_falls_out_of_a_group),
      cmocka_unit_test(test_the_scale_makes_beliefs_honest),
      cmocka_unit_test(test_the_chance_to_go_wrong_is_fitted),
      cmocka_unit_test(test_a_calibration_is_read_as_it_was_written),
      cmocka_unit_test(test_intervals_hold_what_they_should),
      cmocka_unit_test(test_a_mean_passes_over_what_there_is_not),
  };
  return cmocka_run_group_tests_name("train/exam/interval", tests, NULL, NULL);
}
