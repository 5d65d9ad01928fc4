// labels: quick
// The watchdog ends a process that hangs in a collective, and names the collective. The hanging
// process is a child whose barrier never returns.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dist/comm_table.h"
#include "dist/watchdog.h"

static orr_code barrier_that_never_returns(dist_comm *c) {
  while (pause() != 0) continue;
  return ORR_OK;
}

static void hang_under_a_watchdog(void) {
  dist_world *w = NULL;
  dist_watchdog *d = NULL;
  if (dist_world_open(&w) != ORR_OK) _exit(2);
  dist_table hanging = *w->axis[DIST_AXIS_DP]->table;
  hanging.barrier = barrier_that_never_returns;
  if (dist_watchdog_start(w, 0.2, &d) != ORR_OK) _exit(3);
  dist_barrier(w->axis[DIST_AXIS_DP]);
  w->axis[DIST_AXIS_DP]->table = &hanging;
  dist_barrier(w->axis[DIST_AXIS_DP]);
  _exit(4);
}

static void test_a_hang_ends_the_process_and_names_axis_collective_and_call(void **state) {
  int ends[2], status = 0;
  char said[4096] = "";
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    hang_under_a_watchdog();
  }
  close(ends[1]);
  size_t n = 0;
  for (ssize_t got; (got = read(ends[0], said + n, sizeof said - 1 - n)) > 0;) n += (size_t)got;
  close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 1);
  assert_non_null(
      strstr(said, "dp axis (rank 0 of 1): barrier of 0 elements, call 2 on this axis"));
  assert_non_null(strstr(said, "dist.timeout_s"));
}

static void test_collectives_that_finish_leave_the_process_alone(void **state) {
  dist_world *w = NULL;
  dist_watchdog *d = NULL;
  assert_int_equal(dist_world_open(&w), ORR_OK);
  assert_int_equal(dist_watchdog_start(w, 1000.0, &d), ORR_OK);
  for (int i = 0; i < 1000; i++) assert_int_equal(dist_barrier(w->axis[DIST_AXIS_DP]), ORR_OK);
  dist_watchdog_stop(d); // returns at once, not after the timeout
  dist_watchdog_stop(NULL);
  dist_world_close(w);
}

int main(void) {
  alarm(60); // when the watchdog does not bite
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_hang_ends_the_process_and_names_axis_collective_and_call),
      cmocka_unit_test(test_collectives_that_finish_leave_the_process_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
