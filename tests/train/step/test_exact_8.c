// labels: full mpi; ranks: 8
// run.exact: the weights and moments of one rank, to the bit, in layouts of 8 ranks.
#include "tests/train/exact.h"

static void test_layouts_of_eight_ranks_have_the_hash_of_one(void **state) {
  static const layout layouts[] = {{.tp = 1, .cp = 1, .dp = 8, .zero = 3, .shard = 4},
                                   {.tp = 4, .cp = 2, .dp = 1},
                                   {.tp = 2, .cp = 2, .dp = 2, .zero = 2, .recompute = true},
                                   {.tp = 2, .cp = 1, .dp = 4, .zero = 1, .micro = 3}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, 2);
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_layouts_of_eight_ranks_have_the_hash_of_one, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(8, all_tests);
}
