// labels: quick mpi; ranks: 2
// A rank that is slow in three comparisons in a row is named once, and acquitted once it has kept
// up in as many; with times that are made up.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "tests/dist/world_main.h"
#include "train/observe/ranks.h"

enum { SLOW = 1 };

// One step that is a comparison: every rank computes for 10 ms, the slow one for `ms`.
static const char *step(train_ranks *r, const dist_world *w, int64_t number, double ms,
                        const char **event) {
  train_times t = {.cpu = NAN};
  train_scalars s = {0};
  for (int i = 0; i < DIST_AXES; i++) t.hidden[i] = NAN;
  t.phase[TRAIN_PHASE_FORWARD] = w->grid.rank == SLOW ? ms : 10.0;
  assert_int_equal(train_ranks_step(r, number, &t, &s), ORR_OK);
  return train_ranks_straggler(r, event);
}

static void test_a_slow_rank_is_named_and_acquitted_when_it_keeps_up(void **state) {
  dist_world *w = *state;
  // slow, with one quick step between that is no proof; then quick; then slow again
  static const double ms[] = {14, 14, 14, 14, 10, 14, 10, 11, 10, 10, 13, 13, 13};
  static const char *const told[] = {NULL, NULL,    "slow", NULL, NULL, NULL,  NULL,
                                     NULL, "quick", NULL,   NULL, NULL, "slow"};
  train_ranks *r = NULL;
  assert_int_equal(train_ranks_create(w, 1, &r), ORR_OK);
  for (int i = 0; i < 13; i++) {
    const char *event = NULL, *words = step(r, w, i + 1, ms[i], &event);
    if (w->grid.rank != 0 || !told[i]) {
      assert_null(words);
      continue;
    }
    assert_non_null(words);
    assert_string_equal(event, told[i]);
    assert_memory_equal(words, "rank 1 on ", 10);
    assert_int_equal(train_ranks_named(r).rank, strcmp(event, "slow") == 0 ? SLOW : -1);
  }
  train_ranks_destroy(r);
}

int main(void) {
  dist_world *w = world_start(2);
  if (!w || dist_world_split(w, 1, 1, 0) != ORR_OK) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_a_slow_rank_is_named_and_acquitted_when_it_keeps_up, w),
  };
  return world_finish(w, cmocka_run_group_tests(tests, NULL, NULL));
}
