// labels: quick
// The threads that share a loop: every item once, nobody waits for a stopped thread but for the
// piece in its hands, and who waits leaves the cores to others.
#define _GNU_SOURCE // sched_getaffinity, RUSAGE_SELF
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/cores.h"
#include "kernels/cpu/team.h"
#include "tests/base/assert.h"

enum { ITEMS = 1000, THREADS_MOST = 4 };

static void sleep_ms(int64_t ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static double cpu_ms(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return 1e3 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         1e-3 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

typedef struct {
  _Atomic int times[ITEMS];
  int64_t items, grain;
  int threads;
  _Atomic int wrong;
} count_ctx;

static void count(const void *ctx, int64_t first, int64_t end, int thread) {
  count_ctx *c = (count_ctx *)(uintptr_t)ctx;
  if (first % c->grain != 0 || end <= first || end > c->items || end - first > c->grain ||
      thread < 0 || thread >= c->threads)
    c->wrong++;
  for (int64_t i = first; i < end; i++) c->times[i]++;
}

static void test_every_item_is_done_once(void **state) {
  (void)state;
  static const int64_t items[] = {0, 1, 2, 3, 7, 64, 999, ITEMS}, grains[] = {1, 3, 64, 5000};
  static count_ctx c;
  for (int threads = 1; threads <= THREADS_MOST; threads++) {
    cpu_team *team = NULL;
    assert_ok(cpu_team_create(threads, &team));
    for (int round = 0; round < 20; round++)
      for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        for (size_t g = 0; g < sizeof grains / sizeof *grains; g++) {
          memset(&c, 0, sizeof c);
          c.items = items[i], c.grain = grains[g], c.threads = threads;
          cpu_team_run(team, items[i], grains[g], count, &c);
          assert_int_equal(c.wrong, 0);
          for (int64_t n = 0; n < ITEMS; n++) assert_int_equal(c.times[n], n < items[i]);
        }
    cpu_team_destroy(team);
  }
  cpu_team_destroy(NULL);
}

// The first piece ends when all others are done: with fixed shares it would wait for ever.
typedef struct {
  _Atomic int64_t others;
} held_ctx;

static void hold_first(const void *ctx, int64_t first, int64_t end, int thread) {
  held_ctx *c = (held_ctx *)(uintptr_t)ctx;
  if (first > 0)
    c->others++;
  else
    while (c->others < ITEMS - 1) sleep_ms(1);
}

static void test_a_stopped_thread_holds_up_one_piece_alone(void **state) {
  (void)state;
  for (int threads = 2; threads <= THREADS_MOST; threads++) {
    cpu_team *team = NULL;
    held_ctx c = {0};
    assert_ok(cpu_team_create(threads, &team));
    cpu_team_run(team, ITEMS, 1, hold_first, &c);
    assert_int_equal(c.others, ITEMS - 1);
    cpu_team_destroy(team);
  }
}

enum { PAUSE_MS = 100 };

// Two pieces, on two threads: the caller is soon done with one, and the other is held for a while.
static void hold_other(const void *ctx, int64_t first, int64_t end, int thread) {
  _Atomic int *arrived = (_Atomic int *)(uintptr_t)ctx;
  ++*arrived;
  while (*arrived < 2) sleep_ms(1);
  if (thread > 0) sleep_ms(PAUSE_MS);
}
static void wait_for_other(cpu_team *team) {
  _Atomic int arrived = 0;
  cpu_team_run(team, 2, 1, hold_other, &arrived);
}

// Of a core for each waiting thread they would have used PAUSE_MS; on a busy machine less.
static void test_waiting_threads_leave_the_cores_to_others(void **state) {
  (void)state;
  cpu_team *team = NULL;
  assert_ok(cpu_team_create(2, &team));
  double before = cpu_ms();
  wait_for_other(team);
  assert_true(cpu_ms() - before < PAUSE_MS / 2); // the caller, for a piece
  before = cpu_ms();
  sleep_ms(PAUSE_MS);
  assert_true(cpu_ms() - before < PAUSE_MS / 2); // the other thread, for a call
  static count_ctx c = {.items = ITEMS, .grain = 1, .threads = 2};
  cpu_team_run(team, ITEMS, 1, count, &c); // and it comes back
  for (int64_t n = 0; n < ITEMS; n++) assert_int_equal(c.times[n], 1);
  cpu_team_destroy(team);
}

typedef struct {
  _Atomic int cores[THREADS_MOST]; // that thread n may use
  _Atomic int arrived;
  int threads;
} place_ctx;

// Every thread takes one piece.
static void look_around(const void *ctx, int64_t first, int64_t end, int thread) {
  place_ctx *c = (place_ctx *)(uintptr_t)ctx;
  orr_cores_mask mine;
  orr_cores_allowed(&mine);
  c->cores[thread] = orr_cores_count(&mine);
  c->arrived++;
  while (c->arrived < c->threads) sleep_ms(1);
}

static void test_on_crowded_cores_each_thread_keeps_to_one_of_its_own(void **state) {
  (void)state;
  orr_cores_mask before, after;
  orr_cores_allowed(&before);
  const int all = orr_cores_count(&before);
  for (int threads = 2; threads <= THREADS_MOST; threads++) {
    cpu_team *team = NULL;
    assert_ok(cpu_team_create(threads, &team));
    wait_for_other(team);
    for (int call = 0; call < 2; call++) {
      place_ctx c = {.threads = threads};
      cpu_team_run(team, threads, 1, look_around, &c);
      for (int n = 0; n < threads; n++) assert_int_equal(c.cores[n], threads == all ? 1 : all);
      orr_cores_allowed(&after); // the caller, between calls
      assert_memory_equal(&before, &after, sizeof before);
    }
    cpu_team_destroy(team);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_item_is_done_once),
      cmocka_unit_test(test_a_stopped_thread_holds_up_one_piece_alone),
      cmocka_unit_test(test_waiting_threads_leave_the_cores_to_others),
      cmocka_unit_test(test_on_crowded_cores_each_thread_keeps_to_one_of_its_own),
  };
  return cmocka_run_group_tests_name("kernels/team", tests, NULL, NULL);
}
