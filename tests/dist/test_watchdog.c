// labels: quick mpi; ranks: 2
// The watchdog leaves a job alone whose collectives finish, and stops at once. What it does to one
// that hangs: test_hangs.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/fault.h"
#include "dist/watchdog.h"
#include "tests/dist/world_main.h"

static const dist_watchdog_options patient = {.timeout_s = 1000.0, .report = "/nowhere/report"};

static void test_collectives_that_finish_leave_the_job_alone(void **state) {
  dist_world *w = *state;
  dist_watchdog *d = NULL;
  for (int round = 0; round < 3; round++) {
    assert_int_equal(dist_watchdog_start(w, &patient, &d), ORR_OK);
    for (int i = 0; i < 1000; i++) assert_int_equal(dist_barrier(w->axis[DIST_AXIS_DP]), ORR_OK);
    dist_watchdog_stop(d); // returns at once, not after the timeout
  }
  dist_watchdog_stop(NULL);
}

// A rank that ends in good order is not a dead one, for as long as the others go on.
static void test_a_rank_that_stops_early_raises_no_alarm(void **state) {
  dist_world *w = *state;
  for (int leaver = 0; leaver < 2; leaver++) {
    dist_watchdog *d = NULL;
    assert_int_equal(dist_watchdog_start(w, &patient, &d), ORR_OK);
    if (w->grid.rank == leaver)
      dist_watchdog_stop(d);
    else
      usleep(1500 * 1000); // longer than a report takes
    assert_int_equal(dist_barrier(w->axis[DIST_AXIS_WORLD]), ORR_OK);
    if (w->grid.rank != leaver) dist_watchdog_stop(d);
  }
}

// One rank's n-th allocation fails, for n = 1, 2, ...: no rank is left waiting.
static void
test_a_failed_allocation_fails_the_start_on_all_ranks_or_costs_a_connection(void **state) {
  dist_world *w = *state;
  for (int n = 1; n < 100; n++) {
    dist_watchdog *d = NULL;
    int64_t outcome[2] = {0, 0}; // did the fault fire; did the start fail
    if (w->grid.rank == 1) orr_fault_arm(ORR_FAULT_MALLOC, n);
    outcome[1] = dist_watchdog_start(w, &patient, &d) != ORR_OK;
    outcome[0] = w->grid.rank == 1 && orr_fault_fired(ORR_FAULT_MALLOC);
    orr_fault_arm(ORR_FAULT_MALLOC, 0);
    dist_comm *all = w->axis[DIST_AXIS_WORLD];
    int64_t failed = outcome[1];
    assert_int_equal(dist_all_reduce(all, outcome, 2, DIST_I64, DIST_SUM), ORR_OK);
    assert_int_equal(outcome[1], 2 * failed); // all ranks or none
    dist_watchdog_stop(d);
    if (!outcome[0]) return;
  }
  fail_msg("the sweep did not end");
}

// Where nobody is missing the report comes a minute after the timeout, whatever that is.
static void test_who_is_told_to_wait_asks_again_soon_and_not_a_timeout_later(void **state) {
  for (double timeout_s = 0.5; timeout_s < 1e5; timeout_s *= 2.0) {
    const double again_s = timeout_s - dist_watchdog_waited_s(timeout_s);
    assert_true(again_s > 0.0 && again_s <= 5.0 && again_s <= timeout_s);
  }
}

int main(void) {
  dist_world *w = world_start(2);
  if (!w) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_collectives_that_finish_leave_the_job_alone, w),
      cmocka_unit_test_prestate(test_a_rank_that_stops_early_raises_no_alarm, w),
      cmocka_unit_test_prestate(
          test_a_failed_allocation_fails_the_start_on_all_ranks_or_costs_a_connection, w),
      cmocka_unit_test(test_who_is_told_to_wait_asks_again_soon_and_not_a_timeout_later),
  };
  return world_finish(w, cmocka_run_group_tests(tests, NULL, NULL));
}
