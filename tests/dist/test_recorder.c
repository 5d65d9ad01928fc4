// labels: quick
// The flight recorder: what a reader sees of the last calls, also while they are written.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "dist/recorder.h"

static dist_call numbered(int64_t n) {
  return (dist_call){.collective = (dist_collective)(n % 6),
                     .axis = DIST_AXIS_CP,
                     .type = (dist_dtype)(n % 5),
                     .count = 3 * n,
                     .sequence = n};
}

static void check_numbered(const dist_call *c) {
  const dist_call wanted = numbered(c->sequence);
  assert_int_equal(c->collective, wanted.collective);
  assert_int_equal(c->axis, wanted.axis);
  assert_int_equal(c->type, wanted.type);
  assert_int_equal(c->count, wanted.count);
}

static int open_recorder(void **state) {
  return dist_recorder_create((dist_recorder **)state) != ORR_OK;
}

static int close_recorder(void **state) {
  dist_recorder_destroy(*state);
  return 0;
}

static void test_the_last_calls_are_kept_oldest_first(void **state) {
  dist_recorder *r = *state;
  dist_recording now;
  for (int64_t n = 1; n <= 3 * DIST_RECORDED + 5; n++) {
    dist_call c = numbered(n);
    dist_recorder_enter(r, &c, 100 * n);
    dist_recorder_leave(r, true, 100 * n + 40);
    dist_recorder_read(r, 100 * n + 50, &now);
    int64_t kept = n < DIST_RECORDED ? n : DIST_RECORDED;
    assert_int_equal(now.n, kept);
    assert_int_equal(now.inside, -1);
    assert_int_equal(now.entered[DIST_AXIS_CP], n);
    assert_int_equal(now.entered[DIST_AXIS_DP], 0);
    for (int i = 0; i < now.n; i++) {
      assert_int_equal(now.records[i].call.sequence, n - kept + 1 + i);
      assert_int_equal(now.records[i].finished_age_ns, 100 * (kept - 1 - i) + 10);
      check_numbered(&now.records[i].call);
    }
  }
}

static void
test_a_call_is_inside_until_it_is_left_and_unfinished_until_it_is_awaited(void **state) {
  dist_recorder *r = *state;
  dist_recording now;
  const dist_call c = numbered(1);
  int64_t ticket = dist_recorder_enter(r, &c, 1000);
  dist_recorder_read(r, 1300, &now);
  assert_int_equal(now.inside, 0);
  assert_int_equal(now.inside_age_ns, 300);
  dist_recorder_leave(r, false, 1400); // started
  dist_recorder_read(r, 1500, &now);
  assert_int_equal(now.inside, -1);
  assert_int_equal(now.records[0].finished_age_ns, -1);
  dist_recorder_resume(r, &c, &ticket, 2000); // awaited
  dist_recorder_read(r, 2100, &now);
  assert_int_equal(now.inside, 0);
  assert_int_equal(now.inside_age_ns, 100);
  assert_int_equal(now.records[0].entered_age_ns, 1100);
  dist_recorder_leave(r, true, 2200);
  dist_recorder_read(r, 2300, &now);
  assert_int_equal(now.n, 1);
  assert_int_equal(now.records[0].finished_age_ns, 100);
}

static void test_an_awaited_call_that_the_ring_passed_over_is_recorded_anew(void **state) {
  dist_recorder *r = *state;
  dist_recording now;
  int64_t ticket = 0;
  for (int64_t n = 1; n <= DIST_RECORDED + 1; n++) { // all of them started, the first forgotten
    const dist_call c = numbered(n);
    int64_t t = dist_recorder_enter(r, &c, n);
    dist_recorder_leave(r, false, n);
    if (n == 1) ticket = t;
  }
  const dist_call first = numbered(1);
  dist_recorder_resume(r, &first, &ticket, 600);
  dist_recorder_read(r, 700, &now);
  assert_int_equal(now.inside, DIST_RECORDED - 1);
  assert_int_equal(now.records[now.inside].call.sequence, 1);
  assert_int_equal(now.entered[DIST_AXIS_CP], DIST_RECORDED + 1); // not counted twice
  dist_recorder_leave(r, true, 800);
  dist_recorder_read(r, 900, &now);
  for (int i = 0; i < now.n; i++) // and not the call that has its old place
    assert_int_equal(now.records[i].finished_age_ns, now.records[i].call.sequence == 1 ? 100 : -1);
}

typedef struct {
  dist_recorder *recorder;
  atomic_bool stop;
} writer;

static void *write_calls(void *arg) {
  writer *w = arg;
  for (int64_t n = 1; !atomic_load(&w->stop); n++) {
    const dist_call c = numbered(n);
    dist_recorder_enter(w->recorder, &c, n);
    dist_recorder_leave(w->recorder, true, n);
  }
  return NULL;
}

static void test_a_reader_beside_the_writer_sees_whole_records_in_order(void **state) {
  writer w = {.recorder = *state};
  pthread_t thread;
  int64_t seen = 0;
  assert_int_equal(pthread_create(&thread, NULL, write_calls, &w), 0);
  for (int round = 0; round < 2000 || seen == 0; round++) {
    dist_recording now;
    dist_recorder_read(w.recorder, INT64_C(1) << 40, &now);
    for (int i = 0; i < now.n; i++) {
      const dist_record *r = now.records + i;
      check_numbered(&r->call);
      assert_int_equal((INT64_C(1) << 40) - r->entered_age_ns, r->call.sequence);
      if (i) assert_true(r[-1].call.sequence < r->call.sequence);
      seen++;
    }
  }
  atomic_store(&w.stop, true);
  pthread_join(thread, NULL);
}

static void test_cleared_it_counts_anew(void **state) {
  dist_recorder *r = *state;
  dist_recording now;
  const dist_call c = numbered(7);
  dist_recorder_enter(r, &c, 1);
  dist_recorder_clear(r);
  dist_recorder_read(r, 2, &now);
  assert_int_equal(now.n, 0);
  assert_int_equal(now.inside, -1);
  assert_int_equal(now.entered[DIST_AXIS_CP], 0);
}

int main(void) {
#define WITH(test) cmocka_unit_test_setup_teardown(test, open_recorder, close_recorder)
  const struct CMUnitTest tests[] = {
      WITH(test_the_last_calls_are_kept_oldest_first),
      WITH(test_a_call_is_inside_until_it_is_left_and_unfinished_until_it_is_awaited),
      WITH(test_an_awaited_call_that_the_ring_passed_over_is_recorded_anew),
      WITH(test_a_reader_beside_the_writer_sees_whole_records_in_order),
      WITH(test_cleared_it_counts_anew),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
