// labels: quick mpi faults; ranks: 3
// One flipped bit of one replica is found at the next check, and its rank and parameter are named.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "dist/replicas.h"
#include "tests/dist/world_main.h"

enum { PARTS = 3, COUNT = 1000 };

// Weights of three parameters, equal on all ranks.
typedef struct {
  dist_world *world;
  float w[PARTS][COUNT];
  dist_replica parts[PARTS];
  dist_replicas *replicas;
} model;

static int model_open(model *m, dist_world *w) {
  static const char *const names[PARTS] = {"embed", "blocks.0.attn.q", "head"};
  m->world = w;
  for (int i = 0; i < PARTS; i++) {
    for (int j = 0; j < COUNT; j++) m->w[i][j] = (float)(i * COUNT + j);
    m->parts[i] = (dist_replica){names[i], m->w[i], sizeof m->w[i]};
  }
  return dist_replicas_create(w, DIST_AXIS_DP, m->parts, PARTS, NULL, NULL, &m->replicas);
}

static void flip_bit(float *at, int bit) {
  uint32_t bits;
  memcpy(&bits, at, sizeof bits);
  bits ^= UINT32_C(1) << bit;
  memcpy(at, &bits, sizeof bits);
}

static void test_equal_replicas_pass(void **state) {
  model m;
  assert_int_equal(model_open(&m, *state), ORR_OK);
  for (int round = 0; round < 3; round++) assert_int_equal(dist_replicas_check(m.replicas), ORR_OK);
  dist_replicas_destroy(m.replicas);
}

static void test_one_flipped_bit_is_named_by_rank_and_parameter_on_all_ranks(void **state) {
  for (int bad = 0; bad < 3; bad++) {
    for (int bit = 0; bit < 32; bit += 31) {
      model m;
      char wanted[64];
      assert_int_equal(model_open(&m, *state), ORR_OK);
      if (m.world->grid.rank == bad) flip_bit(&m.w[1][COUNT - 1], bit);
      assert_int_equal(dist_replicas_check(m.replicas), ORR_ECORRUPT);
      snprintf(wanted, sizeof wanted, "dp axis differ: rank %d (", bad);
      assert_non_null(strstr(orr_status_message(), wanted));
      assert_non_null(
          strstr(orr_status_message(), "against the majority, first in blocks.0.attn.q;"));
      if (m.world->grid.rank == bad) flip_bit(&m.w[1][COUNT - 1], bit);
      assert_int_equal(dist_replicas_check(m.replicas), ORR_OK); // and mended, it passes
      dist_replicas_destroy(m.replicas);
    }
  }
}

static void test_a_rank_that_differs_in_several_parameters_is_named_with_the_first(void **state) {
  model m;
  assert_int_equal(model_open(&m, *state), ORR_OK);
  if (m.world->grid.rank == 2) memset(m.w[1], 0, sizeof m.w[1]);
  if (m.world->grid.rank == 2) memset(m.w[2], 0, sizeof m.w[2]);
  assert_int_equal(dist_replicas_check(m.replicas), ORR_ECORRUPT);
  assert_non_null(strstr(orr_status_message(), "first in blocks.0.attn.q and in 1 more;"));
  dist_replicas_destroy(m.replicas);
}

static void test_a_failed_allocation_while_naming_fails_all_ranks(void **state) {
  for (int n = 1; n < 20; n++) {
    model m;
    int64_t fired = 0;
    assert_int_equal(model_open(&m, *state), ORR_OK);
    if (m.world->grid.rank == 1) {
      flip_bit(&m.w[0][0], 0);
      orr_fault_arm(ORR_FAULT_MALLOC, n);
    }
    orr_code rc = dist_replicas_check(m.replicas);
    fired = orr_fault_fired(ORR_FAULT_MALLOC);
    orr_fault_arm(ORR_FAULT_MALLOC, 0);
    dist_replicas_destroy(m.replicas);
    assert_int_equal(dist_all_reduce(m.world->axis[DIST_AXIS_WORLD], &fired, 1, DIST_I64, DIST_MAX),
                     ORR_OK);
    assert_int_equal(rc, fired ? ORR_ENOMEM : ORR_ECORRUPT);
    if (!fired) return;
  }
  fail_msg("the sweep did not end");
}

static void test_of_two_ranks_that_differ_both_are_named(void **state) {
  const orr_hash128 hashes[2][2] = {{{1, 1}, {2, 2}}, {{1, 1}, {2, 3}}};
  unsigned char bad[2];
  dist_replicas_verdict v = {.bad = bad};
  dist_replicas_judge(hashes[0], 2, 2, &v);
  assert_true(v.differ);
  assert_false(v.majority);
  assert_int_equal(v.first, 1);
  assert_int_equal(v.parts, 1);
  assert_true(bad[0] && bad[1]);
}

static void test_the_majority_decides_part_by_part(void **state) {
  const orr_hash128 hashes[5][2] = {
      {{1, 1}, {9, 9}}, {{1, 1}, {9, 9}}, {{7, 1}, {9, 9}}, {{1, 1}, {9, 8}}, {{1, 1}, {9, 9}}};
  static const unsigned char wanted[5] = {0, 0, 1, 1, 0};
  unsigned char bad[5];
  dist_replicas_verdict v = {.bad = bad};
  dist_replicas_judge(hashes[0], 5, 2, &v);
  assert_true(v.differ && v.majority);
  assert_int_equal(v.first, 0);
  assert_int_equal(v.parts, 2);
  assert_memory_equal(bad, wanted, sizeof wanted);
}

int main(void) {
  dist_world *w = world_start(3);
  if (!w) return 1;
  if (dist_world_split(w, 1, 1, 0) != ORR_OK) return world_finish(w, 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_equal_replicas_pass, w),
      cmocka_unit_test_prestate(test_one_flipped_bit_is_named_by_rank_and_parameter_on_all_ranks,
                                w),
      cmocka_unit_test_prestate(
          test_a_rank_that_differs_in_several_parameters_is_named_with_the_first, w),
      cmocka_unit_test_prestate(test_a_failed_allocation_while_naming_fails_all_ranks, w),
      cmocka_unit_test(test_of_two_ranks_that_differ_both_are_named),
      cmocka_unit_test(test_the_majority_decides_part_by_part),
  };
  return world_finish(w, cmocka_run_group_tests(tests, NULL, NULL));
}
