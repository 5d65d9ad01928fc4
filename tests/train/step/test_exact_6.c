// labels: full mpi; ranks: 6
// run.exact: the weights and moments of one rank, to the bit, in layouts of 6 ranks.
#include "tests/train/exact.h"

static void test_layouts_of_six_ranks_have_the_hash_of_one(void **state) {
  static const layout layouts[] = {{.tp = 1, .cp = 1, .dp = 6, .zero = 2},
                                   {.tp = 2, .cp = 1, .dp = 3},
                                   {.tp = 1, .cp = 2, .dp = 3, .zero = 1}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, 2);
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_layouts_of_six_ranks_have_the_hash_of_one, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(6, all_tests);
}
