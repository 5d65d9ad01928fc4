// labels: quick
// Every moment of a step is in one phase, and collectives are heard of through the recorder.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "dist/recorder.h"
#include "train/timing/profile.h"
#include "train/observe/trace.h"

enum { MS = 1000000 };

// Burns time; returns when it ended.
static int64_t spend(int64_t ns) {
  const int64_t until = orr_clock_ns() + ns;
  int64_t now;
  while ((now = orr_clock_ns()) < until) {
  }
  return now;
}

static double sum_of(const train_times *t) {
  double sum = 0.0;
  for (int i = 0; i < TRAIN_PHASES; i++) sum += t->phase[i];
  return sum;
}

static const dist_call gather = {
    .collective = DIST_ALL_GATHER, .axis = DIST_AXIS_TP, .sequence = 1};
static const dist_call reduce = {
    .collective = DIST_ALL_REDUCE, .axis = DIST_AXIS_REPLICA, .sequence = 1};

static void test_phases_add_up_to_the_step_and_exclude_each_other(void **state) {
  train_profile *p;
  dist_recorder *r;
  train_times t;
  assert_int_equal(dist_recorder_create(&r), ORR_OK);
  assert_int_equal(train_profile_create(r, &p), ORR_OK);
  const int64_t begin = orr_clock_ns();
  train_profile_begin(p, 1);
  train_profile_enter(p, TRAIN_PHASE_FORWARD, "forward", -1);
  spend(2 * MS);
  dist_recorder_enter(r, &gather, orr_clock_ns());
  dist_recorder_leave(r, true, spend(3 * MS));
  train_profile_enter(p, TRAIN_PHASE_OPTIMIZER, "inner", 4);
  spend(1 * MS);
  train_profile_leave(p);
  train_profile_leave(p);
  train_profile_end(p, &t);
  const double all_ms = 1e-6 * (double)(orr_clock_ns() - begin);
  assert_true(t.phase[TRAIN_PHASE_FORWARD] >= 2.0);
  assert_true(t.phase[TRAIN_PHASE_AXIS + DIST_AXIS_TP] >= 3.0);
  assert_true(t.phase[TRAIN_PHASE_OPTIMIZER] >= 1.0);
  // Whatever the machine does meanwhile, the sum is the time between begin and end.
  assert_true(sum_of(&t) <= all_ms && sum_of(&t) >= 6.0);
  assert_true(t.phase[TRAIN_PHASE_FORWARD] <= all_ms - 4.0);
  train_profile_destroy(p);
  dist_recorder_destroy(r);
}

// Two calls in flight together; the wait for the last one is not hidden.
static void test_what_moves_while_the_rank_computes_is_hidden(void **state) {
  train_profile *p;
  dist_recorder *r;
  train_times t;
  assert_int_equal(dist_recorder_create(&r), ORR_OK);
  assert_int_equal(train_profile_create(r, &p), ORR_OK);
  train_profile_begin(p, 1);
  const int64_t now = orr_clock_ns(); // times of this rank's clock, as dist/ gives them
  int64_t a = dist_recorder_enter(r, &reduce, now), b;
  dist_recorder_leave(r, false, now);
  b = dist_recorder_enter(r, &reduce, now + 2 * MS);
  dist_recorder_leave(r, false, now + 2 * MS);
  dist_recorder_resume(r, &reduce, &a, now + 5 * MS); // looked at, and there
  dist_recorder_leave(r, true, now + 5 * MS);
  dist_recorder_resume(r, &reduce, &b, now + 6 * MS);
  dist_recorder_leave(r, true, now + 7 * MS);
  spend(8 * MS);
  train_profile_end(p, &t);
  assert_true(t.phase[TRAIN_PHASE_AXIS + DIST_AXIS_REPLICA] == 1.0);
  assert_true(t.hidden[DIST_AXIS_REPLICA] == 6.0); // 7 in flight, 1 of it waited for
  train_profile_destroy(p);
  dist_recorder_destroy(r);
}

static void test_a_trace_keeps_spans_until_its_room_is_full(void **state) {
  train_profile *p;
  train_times t;
  const train_span *spans;
  int64_t dropped;
  assert_int_equal(train_profile_create(NULL, &p), ORR_OK);
  assert_int_equal(train_profile_trace(p, 3), ORR_OK);
  train_profile_begin(p, 1);
  for (int i = 0; i < 3; i++) {
    train_profile_enter(p, TRAIN_PHASE_FORWARD, "block", i);
    train_profile_leave(p);
  }
  train_profile_end(p, &t);
  assert_int_equal(train_profile_spans(p, &spans, &dropped), 3);
  assert_int_equal(dropped, 1); // the step itself
  for (int i = 0; i < 3; i++) {
    assert_int_equal(spans[i].index, i);
    assert_true(spans[i].from_ns <= spans[i].to_ns);
  }
  train_profile_enter(p, TRAIN_PHASE_FORWARD, "block", 9);
  train_profile_leave(p);
  assert_int_equal(train_profile_spans(p, &spans, &dropped), 3);
  train_profile_destroy(p);
}

static void test_deeper_than_the_stack_is_counted_where_it_is(void **state) {
  train_profile *p;
  train_times t;
  assert_int_equal(train_profile_create(NULL, &p), ORR_OK);
  train_profile_begin(p, 1);
  for (int i = 0; i < 40; i++) train_profile_enter(p, TRAIN_PHASE_BACKWARD, "deep", i);
  spend(1 * MS);
  for (int i = 0; i < 40; i++) train_profile_leave(p);
  train_profile_enter(p, TRAIN_PHASE_DATA, "data", -1);
  spend(1 * MS);
  train_profile_leave(p);
  train_profile_end(p, &t);
  assert_true(t.phase[TRAIN_PHASE_BACKWARD] >= 1.0 && t.phase[TRAIN_PHASE_DATA] >= 1.0);
  train_profile_destroy(p);
}

static void test_ranges_of_steps_are_read_or_refused(void **state) {
  train_trace_range r;
  assert_int_equal(train_trace_parse("", &r), ORR_OK);
  assert_int_equal(r.first, 0);
  assert_int_equal(train_trace_parse("10-12", &r), ORR_OK);
  assert_true(r.first == 10 && r.last == 12);
  assert_int_equal(train_trace_parse("7", &r), ORR_OK);
  assert_true(r.first == 7 && r.last == 7);
  static const char *const bad[] = {"x", "12-10", "0-3", "-4", "3-", "3-4-5", "3 4", "3-4x", "7x"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(train_trace_parse(bad[i], &r), ORR_ECONFIG);
    assert_non_null(strstr(orr_status_message(), bad[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_phases_add_up_to_the_step_and_exclude_each_other),
      cmocka_unit_test(test_what_moves_while_the_rank_computes_is_hidden),
      cmocka_unit_test(test_a_trace_keeps_spans_until_its_room_is_full),
      cmocka_unit_test(test_deeper_than_the_stack_is_counted_where_it_is),
      cmocka_unit_test(test_ranges_of_steps_are_read_or_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
