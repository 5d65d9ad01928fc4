// labels: full mpi; ranks: 8
// Layouts of 8 ranks against one rank.
#include "tests/train/layouts.h"

/* fp32, sums in other orders: measured 2e-8 of the loss, 1e-6 of a gradient's largest element */
#define EXACT .steps = 20, .loss_within = 1e-5, .grad_within = 1e-4

static void test_tp2_cp2_dp2_with_shared_out_states_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 2, .dp = 2, .zero = 1, EXACT});
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_tp2_cp2_dp2_with_shared_out_states_equals_one_rank, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(8, all_tests);
}
