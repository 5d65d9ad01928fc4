// Texts gathered from all ranks, and agreement on errors: a part of tests/dist/collectives.h.
#ifndef TESTS_DIST_AGREEMENT_H
#define TESTS_DIST_AGREEMENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/fault.h"
#include "dist/comm.h"
#include "dist/world.h"

static dist_comm *world_of(void **state) {
  return ((dist_world *)*state)->axis[DIST_AXIS_WORLD];
}

static void test_texts_of_all_ranks_arrive_at_the_root(void **state) {
  dist_comm *c = world_of(state);
  char mine[64], wanted[64];
  for (int root = 0; root < dist_comm_size(c); root++) {
    char **texts = NULL;
    snprintf(mine, sizeof mine, "%.*s%d", 3 * dist_comm_rank(c), "aaaaaaaaaaaaaaaaaaaaaaaa",
             dist_comm_rank(c));
    assert_int_equal(dist_gather_text(c, mine, root, &texts), ORR_OK);
    if (dist_comm_rank(c) != root) {
      assert_null(texts);
      continue;
    }
    for (int r = 0; r < dist_comm_size(c); r++) {
      snprintf(wanted, sizeof wanted, "%.*s%d", 3 * r, "aaaaaaaaaaaaaaaaaaaaaaaa", r);
      assert_string_equal(texts[r], wanted);
    }
    dist_texts_free(texts, dist_comm_size(c));
  }
}

static void test_agreement_is_ok_when_all_ranks_are(void **state) {
  assert_int_equal(dist_agree(world_of(state), ORR_OK, "open data"), ORR_OK);
}

// Ranks first_failing, first_failing + 1, ... fail.
static void agree_after_failures(dist_comm *c, int first_failing) {
  int rank = dist_comm_rank(c);
  orr_code mine = ORR_OK;
  char wanted[128];
  orr_status_set("an older message");
  if (rank >= first_failing) mine = ORR_FAIL(ORR_EIO + rank % 2, "shard %d is missing", rank);
  assert_int_equal(dist_agree(c, mine, "open data"), ORR_EIO + first_failing % 2);
  snprintf(wanted, sizeof wanted, "rank %d: open data: shard %d is missing", first_failing,
           first_failing);
  assert_string_equal(orr_status_message(), dist_comm_size(c) == 1 ? "shard 0 is missing" : wanted);
}

static void test_one_failing_rank_fails_all_with_its_message(void **state) {
  dist_comm *c = world_of(state);
  agree_after_failures(c, dist_comm_size(c) - 1);
}

static void test_of_several_failing_ranks_the_lowest_is_reported(void **state) {
  agree_after_failures(world_of(state), 0);
}

// A rank without memory for the texts must not leave the others waiting.
static void test_a_failed_allocation_while_gathering_texts_fails_all_ranks(void **state) {
  dist_comm *c = world_of(state);
  char **texts = NULL;
  for (int n = 1; n < 100; n++) {
    int64_t fired = 0;
    if (dist_comm_rank(c) == 0) orr_fault_arm(ORR_FAULT_MALLOC, n);
    orr_code rc = dist_gather_text(c, "text", 0, &texts);
    fired = orr_fault_fired(ORR_FAULT_MALLOC);
    orr_fault_arm(ORR_FAULT_MALLOC, 0);
    assert_int_equal(dist_all_reduce(c, &fired, 1, DIST_I64, DIST_MAX), ORR_OK);
    if (!fired) {
      assert_int_equal(rc, ORR_OK);
      dist_texts_free(texts, dist_comm_rank(c) == 0 ? dist_comm_size(c) : 0);
      return;
    }
    assert_int_equal(rc, ORR_ENOMEM);
    assert_null(texts);
  }
  fail_msg("the sweep did not end");
}

#endif
