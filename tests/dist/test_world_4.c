// labels: quick mpi; ranks: 4
// The axes' communicators: each axis holds the ranks that differ in its coordinate alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/cores.h"
#include "dist/comm.h"
#include "dist/world.h"
#include "tests/base/assert.h"
#include "tests/dist/world_main.h"

// The members of an axis, as a sum of one bit a world rank.
static int64_t members(const dist_world *w, dist_axis axis) {
  int64_t bits = INT64_C(1) << w->grid.rank;
  assert_int_equal(dist_all_reduce(w->axis[axis], &bits, 1, DIST_I64, DIST_SUM), ORR_OK);
  return bits;
}

// The same from the grid's arithmetic.
static int64_t expected(const dist_grid *g, dist_axis axis) {
  int64_t bits = 0;
  for (int rank = 0; rank < g->ranks; rank++) {
    dist_grid o;
    assert_int_equal(dist_grid_init(g->tp, g->cp, g->dp, rank, g->ranks, &o), ORR_OK);
    bool tp = axis == DIST_AXIS_TP || o.tp_i == g->tp_i;
    bool cp = axis == DIST_AXIS_CP || axis == DIST_AXIS_REPLICA || o.cp_i == g->cp_i;
    bool dp = axis == DIST_AXIS_DP || axis == DIST_AXIS_REPLICA || o.dp_i == g->dp_i;
    const int theirs = o.dp_i * g->cp + o.cp_i, own = g->dp_i * g->cp + g->cp_i;
    const int groups[] = {theirs / (g->shard ? g->shard : 1), own / (g->shard ? g->shard : 1)},
              places[] = {theirs % (g->shard ? g->shard : 1), own % (g->shard ? g->shard : 1)};
    if (axis == DIST_AXIS_SHARD && g->shard) cp = dp = groups[0] == groups[1];
    if (axis == DIST_AXIS_COPIES && g->shard) cp = dp = places[0] == places[1];
    if (axis == DIST_AXIS_WORLD || (tp && cp && dp)) bits |= INT64_C(1) << rank;
  }
  return bits;
}

static void test_every_layout_of_four_ranks_makes_the_axes_of_its_grid(void **state) {
  static const int layouts[][4] = {{1, 1, 4},    {4, 1, 1},    {1, 4, 1},   {2, 2, 1},
                                   {2, 1, 2},    {1, 2, 2},    {1, 1, 0},   {2, 1, 0},
                                   {1, 1, 4, 2}, {1, 2, 2, 2}, {2, 1, 2, 1}};
  dist_world *w = *state;
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
    const int *l = layouts[i];
    assert_int_equal(dist_world_split_shards(w, l[0], l[1], l[2], l[3]), ORR_OK);
    const dist_grid *g = &w->grid;
    const int replica = g->dp_i * g->cp + g->cp_i, shard = l[3] ? l[3] : 1,
              groups = l[3] ? g->cp * g->dp / shard : 1;
    const int place[DIST_AXES] = {
        g->tp_i, g->cp_i, g->dp_i, replica, replica % shard, l[3] ? replica / shard : 0, g->rank};
    const int size[DIST_AXES] = {g->tp, g->cp, g->dp, g->cp * g->dp, shard, groups, g->ranks};
    for (int a = 0; a < DIST_AXES; a++) {
      assert_int_equal(dist_comm_size(w->axis[a]), size[a]);
      assert_int_equal(dist_comm_rank(w->axis[a]), place[a]);
      assert_int_equal(members(w, (dist_axis)a), expected(g, (dist_axis)a));
    }
  }
}

static void test_a_layout_that_does_not_fit_leaves_the_world_usable(void **state) {
  dist_world *w = *state;
  assert_int_equal(dist_world_split(w, 3, 1, 0), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "dist.tp"));
  assert_int_equal(dist_world_split_shards(w, 1, 1, 4, 3), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "dist.shard 3 does not divide the 4 replicas"));
  assert_int_equal(members(w, DIST_AXIS_WORLD), 15);
}

static void test_ranks_of_one_host_count_each_other(void **state) {
  dist_world *w = *state;
  assert_int_equal(w->node_ranks, 4);
  assert_int_equal(w->node_rank, w->grid.rank);
}

static void test_ranks_of_one_host_share_its_cores(void **state) {
  const dist_world *w = *state;
  orr_cores_mask mine;
  double all = w->cores;
  orr_cores_allowed(&mine);
  const double here = fmin(orr_cores_count(&mine), orr_cores_quota(""));
  assert_true(w->cores > 0.0 && w->cores <= here);
  assert_ok(dist_all_reduce(w->axis[DIST_AXIS_WORLD], &all, 1, DIST_F64, DIST_SUM));
  assert_true(all >= here - 1e-9); // bound ranks may have more than those of one
  if (orr_cores_count(&mine) == sysconf(_SC_NPROCESSORS_ONLN)) assert_true(fabs(all - here) < 1e-9);
}

int main(void) {
  dist_world *w = world_start(4);
  if (!w) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_every_layout_of_four_ranks_makes_the_axes_of_its_grid, w),
      cmocka_unit_test_prestate(test_a_layout_that_does_not_fit_leaves_the_world_usable, w),
      cmocka_unit_test_prestate(test_ranks_of_one_host_count_each_other, w),
      cmocka_unit_test_prestate(test_ranks_of_one_host_share_its_cores, w),
  };
  return world_finish(w, cmocka_run_group_tests(tests, NULL, NULL));
}
