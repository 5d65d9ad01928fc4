// labels: quick
// Threads of a rank: what was asked for, or the share of the cores that this process may use.
#define _GNU_SOURCE // sched_setaffinity
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "train/setup/threads.h"

// The same after this process may run on `cores` of its cores alone; all are given back.
static int bound(int cores, int node_ranks) {
  cpu_set_t before, few;
  assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&few);
  for (int i = 0, n = 0; i < CPU_SETSIZE && n < cores; i++) {
    if (!CPU_ISSET(i, &before)) continue;
    CPU_SET(i, &few);
    n++;
  }
  assert_int_equal(sched_setaffinity(0, sizeof few, &few), 0);
  const int threads = train_threads(0, node_ranks);
  assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
  return threads;
}

static void test_a_number_that_is_asked_for_is_taken(void **state) {
  (void)state;
  assert_int_equal(train_threads(7, 1), 7);
  assert_int_equal(train_threads(7, 4), 7);
}

static void test_a_rank_takes_its_share_and_at_least_one(void **state) {
  (void)state;
  const int all = train_threads(0, 1);
  assert_true(all >= 1);
  assert_true(train_threads(0, 2) <= all);
  assert_true(train_threads(0, 1 << 20) >= 1);
}

static void test_a_bound_rank_has_its_share_already(void **state) {
  (void)state;
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2) skip(); // binding to the only core is no binding
  assert_int_equal(bound(1, 1), 1);
  assert_int_equal(bound(1, 2), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_number_that_is_asked_for_is_taken),
      cmocka_unit_test(test_a_rank_takes_its_share_and_at_least_one),
      cmocka_unit_test(test_a_bound_rank_has_its_share_already),
  };
  return cmocka_run_group_tests_name("train/threads", tests, NULL, NULL);
}
