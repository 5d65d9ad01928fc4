// labels: quick
// Targets of the heads on registers: two neighbouring bins, whose mean is the value.
#include <math.h>
#include <stddef.h>

#include "tests/base/assert.h"
#include "train/model/outcome.h"

// Logits of the distribution that the target is.
static void logits_of(train_outcome o, float value, float *logits) {
  const train_two_hot t = train_outcome_target(o, value);
  for (int64_t i = 0; i < train_outcome_bins(o); i++) logits[i] = -1e4f;
  for (int i = 0; i < 2; i++)
    if (t.bin[i] >= 0) logits[t.bin[i]] = logf(t.share[i]);
}

static void test_a_targets_mean_is_its_value(void **state) {
  static const struct {
    train_outcome o;
    float value;
  } cases[] = {{TRAIN_REWARD, 0},      {TRAIN_REWARD, 1},       {TRAIN_REWARD, -0.3f},
               {TRAIN_REWARD, 250},    {TRAIN_REWARD, -2e4f},   {TRAIN_DONE, 0},
               {TRAIN_DONE, 1},        {TRAIN_DONE, 0.25f},     {TRAIN_PROGRESS, 0},
               {TRAIN_PROGRESS, 0.5f}, {TRAIN_PROGRESS, 0.77f}, {TRAIN_PROGRESS, 1}};
  float logits[TRAIN_OUTCOME_MOST_BINS];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    logits_of(cases[i].o, cases[i].value, logits);
    const double got = train_outcome_mean(cases[i].o, logits), want = (double)cases[i].value;
    /* shares are float32, and symexp makes 2e4 of ten: measured 2e-6 */
    if (fabs(got - want) > 1e-5 * (1 + fabs(want)))
      fail_msg("%s: %.9g, wanted %.9g", train_outcome_name(cases[i].o), got, want);
  }
}

static void test_shares_add_up_and_bins_exist(void **state) {
  for (int o = 0; o < TRAIN_OUTCOMES; o++)
    for (float v = -3e4f; v < 3e4f; v += 12.34f) {
      const train_two_hot t = train_outcome_target((train_outcome)o, v);
      const int64_t bins = train_outcome_bins((train_outcome)o);
      assert_true(t.bin[0] >= 0 && t.bin[0] < bins && t.bin[1] < bins);
      assert_true(t.bin[1] == -1 || t.bin[1] == t.bin[0] + 1);
      assert_true(fabsf(t.share[0] + (t.bin[1] < 0 ? 0 : t.share[1]) - 1) < 1e-6f);
    }
}

static void test_what_is_not_known_has_no_bin(void **state) {
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    const train_two_hot t = train_outcome_target((train_outcome)o, (float)NAN);
    assert_true(t.bin[0] == -1 && t.bin[1] == -1);
  }
}

static void test_the_loss_is_that_of_the_target(void **state) {
  const float even[TRAIN_OUTCOME_MOST_BINS] = {0};
  float own[TRAIN_OUTCOME_MOST_BINS];
  assert_true(fabs(train_outcome_loss(TRAIN_REWARD, even, 3) - log(TRAIN_OUTCOME_MOST_BINS)) <
              1e-12);
  assert_true(fabs(train_outcome_loss(TRAIN_DONE, even, 1) - log(2)) < 1e-12);
  logits_of(TRAIN_PROGRESS, 0.5f, own); // on a bin: nothing is left to learn
  assert_true(train_outcome_loss(TRAIN_PROGRESS, own, 0.5f) < 1e-6);
  logits_of(TRAIN_PROGRESS, 0.525f, own); // between two: their entropy is
  assert_true(fabs(train_outcome_loss(TRAIN_PROGRESS, own, 0.525f) - log(2)) < 1e-5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_targets_mean_is_its_value),
      cmocka_unit_test(test_shares_add_up_and_bins_exist),
      cmocka_unit_test(test_what_is_not_known_has_no_bin),
      cmocka_unit_test(test_the_loss_is_that_of_the_target),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
