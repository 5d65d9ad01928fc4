// labels: quick
// NCCL itself, as far as it goes without a device: every function that dist/ calls is there, it
// makes an id, and a communicator is refused in words. Skipped where it is not installed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dist/comm_nccl_library.h"

static void test_nccl_opens_with_every_function_and_makes_an_id(void **state) {
  dist_nccl_library lib = {0};
  ncclUniqueId id = {0};
  ncclComm_t comm = NULL;
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  int version = 0;
  if (dist_nccl_library_open(&lib) != ORR_OK) {
    print_message("skipped: %s\n", orr_status_message());
    skip();
  }
  setenv("NCCL_SOCKET_IFNAME", "lo", 1); // the id names an address of this machine
  assert_int_equal(lib.ncclGetVersion(&version), ncclSuccess);
  assert_int_equal(version / 10000, NCCL_MAJOR);
  assert_int_equal(lib.ncclGetUniqueId(&id), ncclSuccess);
  assert_int_equal(lib.ncclGroupStart(), ncclSuccess);
  assert_int_equal(lib.ncclGroupEnd(), ncclSuccess);
  const ncclResult_t r = lib.ncclCommInitRankConfig(&comm, 1, id, 0, &config);
  assert_non_null(lib.ncclGetErrorString(r));
  if (r == ncclSuccess) (void)lib.ncclCommDestroy(comm); // there is a device after all
  dist_nccl_library_close(&lib);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nccl_opens_with_every_function_and_makes_an_id),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
