// labels: quick
// The words of a forecast, and what it counts.
#include "tests/base/assert.h"

#include "train/timing/forecast.h"

static void test_times_are_told_in_the_unit_that_fits(void **state) {
  static const struct {
    double seconds;
    const char *words;
  } cases[] = {{0.0042, "4.2 ms"}, {0.25, "250 ms"},     {1, "1.0 s"},        {43.2, "43 s"},
               {89, "89 s"},       {90, "1.5 min"},      {1800, "30 min"},    {5400, "1.5 h"},
               {36000, "10 h"},    {172800, "2.0 days"}, {8.64e6, "100 days"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char words[32];
    train_forecast_words(cases[i].seconds, words, sizeof words);
    assert_string_equal(words, cases[i].words);
  }
}

static void test_a_step_runs_at_half_of_the_rate_of_a_product(void **state) {
  assert_true(train_forecast_step_s(3e9, 1e10) == 0.6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_times_are_told_in_the_unit_that_fits),
      cmocka_unit_test(test_a_step_runs_at_half_of_the_rate_of_a_product),
  };
  return cmocka_run_group_tests_name("train/timing/forecast", tests, NULL, NULL);
}
