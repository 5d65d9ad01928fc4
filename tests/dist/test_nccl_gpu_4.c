// labels: gpu mpi; ranks: 4; needs: real_nccl
// dist/comm_nccl.c on a GPU, which four ranks share.
#include "tests/dist/nccl.h"

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {NCCL_TESTS(w)};
  return cmocka_run_group_tests_name("dist/comm_nccl on a GPU", tests, NULL, NULL);
}

int main(void) {
  return nccl_main(4, all_tests);
}
