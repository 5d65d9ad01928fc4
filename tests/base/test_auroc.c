// labels: quick
// The area under the curve, by counting orders by hand.
#include "tests/base/assert.h"

#include <math.h>

#include "base/auroc.h"

#define NEAR(a, b) assert_float_equal(a, b, 1e-12)

static void test_auroc_counts_orders_and_shares_equals(void **state) {
  orr_judged one[] = {{1, false}, {2, true}, {3, false}, {4, true}},
             equal[] = {{1, true}, {1, false}, {1, true}}, none[] = {{1, false}};
  NEAR(orr_auroc(one, 4), 0.75); // three of four orders
  NEAR(orr_auroc(equal, 3), 0.5);
  assert_true(isnan(orr_auroc(none, 1)));
}

static void test_auroc_counts_pairs(void **state) {
  orr_judged some[] = {{3, true}, {1, false}, {2, true}, {2, false}},
             all[] = {{3, true}, {1, true}, {2, true}, {2, true}};
  NEAR(orr_auroc(some, 4), 3.5 / 4); // 3 above 1 and 2, 2 above 1 and level with 2
  assert_true(isnan(orr_auroc(all, 4)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_auroc_counts_orders_and_shares_equals),
      cmocka_unit_test(test_auroc_counts_pairs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
