// labels: quick
// The grid's arithmetic: order of the axes, and layouts that do not fit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "dist/grid.h"

static void test_coordinates_and_rank_are_inverse_for_every_rank(void **state) {
  for (int tp = 1; tp <= 4; tp++) {
    for (int cp = 1; cp <= 3; cp++) {
      for (int dp = 1; dp <= 3; dp++) {
        int ranks = tp * cp * dp;
        for (int rank = 0; rank < ranks; rank++) {
          dist_grid g;
          assert_int_equal(dist_grid_init(tp, cp, dp, rank, ranks, &g), ORR_OK);
          assert_int_equal(dist_grid_rank(&g, g.tp_i, g.cp_i, g.dp_i), rank);
          assert_in_range(g.tp_i, 0, tp - 1);
          assert_in_range(g.cp_i, 0, cp - 1);
          assert_in_range(g.dp_i, 0, dp - 1);
        }
      }
    }
  }
}

static void test_tp_varies_fastest_then_cp_then_dp(void **state) {
  dist_grid g;
  assert_int_equal(dist_grid_init(2, 3, 2, 7, 12, &g), ORR_OK); // 7 = (1 * 3 + 0) * 2 + 1
  assert_int_equal(g.tp_i, 1);
  assert_int_equal(g.cp_i, 0);
  assert_int_equal(g.dp_i, 1);
}

static void test_dp_zero_takes_the_ranks_that_are_left(void **state) {
  dist_grid g;
  assert_int_equal(dist_grid_init(4, 2, 0, 71, 72, &g), ORR_OK);
  assert_int_equal(g.dp, 9);
  assert_int_equal(g.dp_i, 8);
}

static void
test_layouts_that_do_not_multiply_to_the_ranks_are_refused_with_the_numbers(void **state) {
  static const struct {
    int tp, cp, dp, rank, ranks;
    const char *words;
  } cases[] = {
      {2, 2, 2, 0, 4, "needs 8 ranks, but 4 were started"},
      {3, 1, 0, 0, 4, "product 3 does not divide the 4 ranks"},
      {0, 1, 0, 0, 1, "at least 1"},
      {1, 1, 1, 1, 1, "rank 1: wanted 0 to 0"},
      {65536, 65536, 0, 0, 2, "4294967296"}, // no overflow on the way
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    dist_grid g;
    orr_code rc =
        dist_grid_init(cases[i].tp, cases[i].cp, cases[i].dp, cases[i].rank, cases[i].ranks, &g);
    assert_int_equal(rc, ORR_EINVAL);
    if (!strstr(orr_status_message(), cases[i].words)) {
      fail_msg("'%s' lacks '%s'", orr_status_message(), cases[i].words);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_coordinates_and_rank_are_inverse_for_every_rank),
      cmocka_unit_test(test_tp_varies_fastest_then_cp_then_dp),
      cmocka_unit_test(test_dp_zero_takes_the_ranks_that_are_left),
      cmocka_unit_test(test_layouts_that_do_not_multiply_to_the_ranks_are_refused_with_the_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
