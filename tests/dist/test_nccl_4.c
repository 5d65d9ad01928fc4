// labels: full mpi; ranks: 4; needs: played_nccl
// dist/comm_nccl.c at 4 ranks, played as in test_nccl_2.c.
#include "tests/dist/nccl.h"

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {NCCL_TESTS(w)};
  return cmocka_run_group_tests_name("dist/comm_nccl", tests, NULL, NULL);
}

int main(void) {
  return nccl_main(4, all_tests);
}
