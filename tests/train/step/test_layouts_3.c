// labels: quick mpi; ranks: 3
// Layouts of 3 ranks against one rank.
#include "tests/train/layouts.h"

/* fp32, sums in other orders: measured 2e-8 of the loss, 1e-6 of a gradient's largest element */
#define EXACT .steps = 20, .loss_within = 1e-5, .grad_within = 1e-4

static void test_cp3_of_five_frames_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 1, .cp = 3, .dp = 1, EXACT});
}

static void test_dp3_with_shared_out_states_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 3, .zero = 1, EXACT});
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_cp3_of_five_frames_equals_one_rank, w),
      cmocka_unit_test_prestate(test_dp3_with_shared_out_states_equals_one_rank, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(3, all_tests);
}
