// labels: quick
// Who is to blame for a hang, judged from recordings alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dist/hang.h"

enum { RANKS_MAX = 8 };
static const int64_t second = 1000000000;

typedef struct {
  dist_grid grid;
  dist_peer peers[RANKS_MAX];
} job;

static job job_of(int tp, int cp, int dp) {
  job j;
  memset(&j, 0, sizeof j);
  assert_int_equal(dist_grid_init(tp, cp, dp, 0, tp * cp * dp, &j.grid), ORR_OK);
  for (int i = 0; i < j.grid.ranks; i++) {
    j.peers[i].state = DIST_PEER_ANSWERED;
    j.peers[i].recording.inside = -1;
    j.peers[i].identity.pid = 100 + i;
    snprintf(j.peers[i].identity.host, sizeof j.peers[i].identity.host, "node%d", i / 2);
  }
  return j;
}

// Rank `rank` makes a call; `stays` seconds inside of it, 0 = it has finished.
static void call(job *j, int rank, dist_collective what, dist_axis axis, int64_t count,
                 double stays) {
  dist_recording *r = &j->peers[rank].recording;
  if (stays > 0) r->inside = r->n;
  r->inside_age_ns = (int64_t)(stays * (double)second);
  r->records[r->n++] = (dist_record){
      .call = {what, axis, DIST_F32, count, ++r->entered[axis]},
      .entered_age_ns = stays > 0 ? r->inside_age_ns : 2 * second,
      .finished_age_ns = stays > 0 ? -1 : second,
  };
}

// The report up to its table; free() it.
static char *report_of(const job *j) {
  size_t bytes = 4096;
  char *text = calloc(1, bytes);
  assert_non_null(text);
  FILE *f = fmemopen(text, bytes, "w");
  assert_non_null(f);
  dist_hang_write(f, &j->grid, j->peers, 600.0);
  assert_int_equal(fclose(f), 0);
  char *table = strstr(text, "\n\n");
  assert_non_null(table);
  table[1] = 0;
  return text;
}

static void expect(const job *j, const char *wanted) {
  char *text = report_of(j), *body = strchr(text, '\n') + 1;
  assert_memory_equal(text, "hang report (dist.timeout_s 600)\n", 33);
  char *advice = strstr(body, "advice: ");
  if (advice) *advice = 0;
  assert_string_equal(body, wanted);
  assert_true(dist_hang_names(&j->grid, j->peers) == (strstr(wanted, "missing: ") != NULL));
  free(text);
}

static void
test_a_chain_of_waiting_ranks_is_followed_to_the_one_that_waits_in_nothing(void **state) {
  job j = job_of(2, 1, 2); // tp groups 0 1 and 2 3; dp groups 0 2 and 1 3
  call(&j, 0, DIST_ALL_REDUCE, DIST_AXIS_DP, 10, 50.0); // waits for 2,
  call(&j, 2, DIST_ALL_GATHER, DIST_AXIS_TP, 20, 40.0); // which waits for 3,
  call(&j, 1, DIST_ALL_REDUCE, DIST_AXIS_TP, 30, 60.0); // 1 waits for 0
  expect(&j,
         "tp all_gather of 20 f32, call 1: 1 of 2 ranks wait in it, the longest for 40.0 s\n"
         "missing: rank 3 (node1, pid 103) from tp all_gather of 20 f32, call 1: it never entered "
         "it; it is in no collective, and has not been in any\n");
}

static void test_a_rank_that_left_out_a_call_is_found_where_the_orders_part(void **state) {
  job j = job_of(1, 1, 3);
  for (int rank = 0; rank < 3; rank++) {
    call(&j, rank, DIST_BARRIER, DIST_AXIS_DP, 0, 0.0);
    if (rank != 1) call(&j, rank, DIST_BROADCAST, DIST_AXIS_DP, 7, 0.0);
    call(&j, rank, DIST_ALL_REDUCE, DIST_AXIS_DP, 9, rank == 1 ? 0.0 : 30.0);
  }
  expect(&j,
         "dp all_reduce of 9 f32, call 3: 2 of 3 ranks wait in it, the longest for 30.0 s\n"
         "missing: rank 1 (node0, pid 101) from dp broadcast of 7 f32, call 2: it called ANOTHER "
         "collective: dp all_reduce of 9 f32, call 2; it is in no collective; its last: dp "
         "all_reduce of 9 f32, call 2, finished 1.0 s ago\n");
}

static void test_another_count_is_another_collective(void **state) {
  job j = job_of(3, 1, 1);
  for (int rank = 0; rank < 3; rank++)
    call(&j, rank, DIST_ALL_REDUCE, DIST_AXIS_TP, rank == 0 ? 8 : 9, 3.0);
  expect(&j,
         "tp all_reduce of 9 f32, call 1: 2 of 3 ranks wait in it, the longest for 3.0 s\n"
         "missing: rank 0 (node0, pid 100) from tp all_reduce of 9 f32, call 1: it called ANOTHER "
         "collective: tp all_reduce of 8 f32, call 1; it is in tp all_reduce of 8 f32, call 1, for "
         "3.0 s\n");
}

static void test_counts_of_an_all_to_all_may_differ(void **state) {
  job j = job_of(1, 2, 1);
  for (int rank = 0; rank < 2; rank++) call(&j, rank, DIST_ALL_TO_ALL, DIST_AXIS_CP, rank, 3.0);
  expect(&j, "cp all_to_all of 0 f32, call 1: 2 of 2 ranks wait in it, the longest for 3.0 s\n"
             "every rank has entered it: the network or the MPI library is stuck\n");
}

static void test_after_a_death_ranks_on_their_way_are_not_blamed(void **state) {
  job j = job_of(1, 1, 4);
  call(&j, 0, DIST_ALL_REDUCE, DIST_AXIS_DP, 5, 0.5);
  j.peers[2].state = DIST_PEER_ENDED;
  expect(&j,
         "dp all_reduce of 5 f32, call 1: 1 of 4 ranks wait in it, the longest for 0.5 s\n"
         "missing: rank 2 (node1, pid 102) from dp all_reduce of 5 f32, call 1: its process has "
         "ended\n");
  j.peers[0].recording.inside = -1; // nobody has come to the call that needs it
  expect(&j, "no rank waits in a collective\n"
             "missing: rank 2 (node1, pid 102): its process has ended\n");
}

static void test_a_started_collective_that_nobody_awaits_is_told_apart(void **state) {
  job j = job_of(1, 1, 2);
  call(&j, 0, DIST_ALL_REDUCE, DIST_AXIS_DP, 5, 9.0);
  call(&j, 1, DIST_ALL_REDUCE, DIST_AXIS_DP, 5, 9.0);
  j.peers[1].recording.inside = -1;
  expect(&j,
         "dp all_reduce of 5 f32, call 1: 1 of 2 ranks wait in it, the longest for 9.0 s\n"
         "missing: rank 1 (node0, pid 101) from dp all_reduce of 5 f32, call 1: it started it and "
         "has not gone on to wait for it; it is in no collective; its last: dp all_reduce of 5 "
         "f32, call 1, started 9.0 s ago\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_chain_of_waiting_ranks_is_followed_to_the_one_that_waits_in_nothing),
      cmocka_unit_test(test_a_rank_that_left_out_a_call_is_found_where_the_orders_part),
      cmocka_unit_test(test_another_count_is_another_collective),
      cmocka_unit_test(test_counts_of_an_all_to_all_may_differ),
      cmocka_unit_test(test_after_a_death_ranks_on_their_way_are_not_blamed),
      cmocka_unit_test(test_a_started_collective_that_nobody_awaits_is_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
