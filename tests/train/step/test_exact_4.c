// labels: full mpi; ranks: 4
// run.exact: the weights and moments of one rank, to the bit, in layouts of 1 and 4 ranks.
#include "tests/train/exact.h"

enum { STEPS = 3 };

static void test_one_rank_by_micro_batches_threads_and_recomputing_has_one_hash(void **state) {
  static const layout layouts[] = {{.tp = 1, .cp = 1, .dp = 1, .micro = 1},
                                   {.tp = 1, .cp = 1, .dp = 1, .micro = 4, .recompute = true},
                                   {.tp = 1, .cp = 1, .dp = 1, .threads = 2}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, STEPS);
}

static void test_data_axis_has_the_hash_of_one_rank(void **state) {
  static const layout layouts[] = {{.tp = 1, .cp = 1, .dp = 4},
                                   {.tp = 1, .cp = 1, .dp = 4, .zero = 1, .micro = 2}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, STEPS);
}

static void test_tensor_axis_has_the_hash_of_one_rank(void **state) {
  static const layout layouts[] = {{.tp = 4, .cp = 1, .dp = 1},
                                   {.tp = 2, .cp = 1, .dp = 2, .zero = 1}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, STEPS);
}

static void test_context_axis_has_the_hash_of_one_rank(void **state) {
  static const layout layouts[] = {{.tp = 1, .cp = 2, .dp = 2},
                                   {.tp = 2, .cp = 2, .dp = 1, .recompute = true}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, STEPS);
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_one_rank_by_micro_batches_threads_and_recomputing_has_one_hash,
                                w),
      cmocka_unit_test_prestate(test_data_axis_has_the_hash_of_one_rank, w),
      cmocka_unit_test_prestate(test_tensor_axis_has_the_hash_of_one_rank, w),
      cmocka_unit_test_prestate(test_context_axis_has_the_hash_of_one_rank, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(4, all_tests);
}
