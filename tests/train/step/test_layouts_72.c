// labels: full mpi; ranks: 72
// A rack: 72 ranks on whatever cores there are.
#include "tests/train/layouts.h"

#include <sys/resource.h>

#define MOST_KIB (16 * 1024 * 1024) // of all processes together

static void test_tp4_cp2_dp9_equals_one_rank(void **state) {
  dist_world *w = *state;
  struct rusage use;
  /* fp32, sums in other orders: measured 1e-8 */
  compare_layout(w, &(layout){.tp = 4,
                              .cp = 2,
                              .dp = 9,
                              .batch = 9,
                              .steps = 3,
                              .loss_within = 1e-5,
                              .grad_within = 1e-4});
  getrusage(RUSAGE_SELF, &use);
  int64_t kib = use.ru_maxrss;
  assert_ok(dist_all_reduce(w->axis[DIST_AXIS_WORLD], &kib, 1, DIST_I64, DIST_SUM));
  if (w->grid.rank == 0) print_message("72 ranks: %.1f GiB\n", (double)kib / 1048576.0);
  assert_true(kib < MOST_KIB);
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_tp4_cp2_dp9_equals_one_rank, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(72, all_tests);
}
