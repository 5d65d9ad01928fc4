// labels: quick
// Natural order: numbers by value, a total order, equal only for equal names.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/natural.h"

static void test_numbers_compare_by_value(void **state) {
  // each before all that follow
  static const char *const names[] = {"",
                                      "a",
                                      "a0",
                                      "a00",
                                      "a01",
                                      "a1",
                                      "a1b",
                                      "a2",
                                      "a9",
                                      "a10",
                                      "a10b2",
                                      "a10b10",
                                      "a99999999999999999999",
                                      "a100000000000000000000",
                                      "b",
                                      "b 1"};
  const int n = sizeof names / sizeof *names;
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < n; k++) {
      int order = orr_natural_compare(names[i], names[k]);
      assert_true(i < k ? order < 0 : i > k ? order > 0 : order == 0);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers_compare_by_value)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
