// The collectives, checked on every rank with small integers whose sums are exact (after
// nccl-tests), at any number of ranks. Each tests/dist/test_collectives_<ranks>.c runs this body.
#ifndef TESTS_DIST_COLLECTIVES_H
#define TESTS_DIST_COLLECTIVES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "dist/comm_mpi.h"
#include "kernels/bf16.h"
#include "tests/dist/agreement.h"
#include "tests/dist/world_main.h"

static const dist_dtype all_types[] = {DIST_F32, DIST_BF16, DIST_F64, DIST_I64, DIST_U8};
static const int64_t all_counts[] = {0, 1, 13, 1000};

#define EACH(i, array) (size_t i = 0; i < sizeof(array) / sizeof *(array); i++)

// Reads and writes element i of a buffer of any type; values are small whole numbers.
static void put(void *buf, dist_dtype t, int64_t i, int value) {
  switch (t) {
  case DIST_F32:
    ((float *)buf)[i] = (float)value;
    break;
  case DIST_BF16:
    ((uint16_t *)buf)[i] = kern_f32_to_bf16((float)value);
    break;
  case DIST_F64:
    ((double *)buf)[i] = value;
    break;
  case DIST_I64:
    ((int64_t *)buf)[i] = value;
    break;
  case DIST_U8:
    ((uint8_t *)buf)[i] = (uint8_t)value;
    break;
  }
}

static int get(const void *buf, dist_dtype t, int64_t i) {
  switch (t) {
  case DIST_F32:
    return (int)((const float *)buf)[i];
  case DIST_BF16:
    return (int)kern_bf16_to_f32(((const uint16_t *)buf)[i]);
  case DIST_F64:
    return (int)((const double *)buf)[i];
  case DIST_I64:
    return (int)((const int64_t *)buf)[i];
  case DIST_U8:
    break;
  }
  return ((const uint8_t *)buf)[i];
}

// What rank r holds at place i: at most 12, so that sums of 20 ranks stay exact in bf16 and u8.
static int value_of(int r, int64_t i) {
  return (int)((i * 7 + r * 3) % 13);
}

static int reduced(int size, int64_t i, dist_op op) {
  int out = value_of(0, i);
  for (int r = 1; r < size; r++) {
    int v = value_of(r, i);
    out = op == DIST_SUM ? out + v : op == DIST_MAX ? (v > out ? v : out) : (v < out ? v : out);
  }
  return out;
}

static void *buffer_of(int64_t count) {
  return orr_calloc((size_t)count + 1, 8);
}

// MPI counts are ints: with pieces of five elements every loop over pieces runs.
static void with_and_without_pieces(dist_comm *c, void (*body)(dist_comm *)) {
  body(c);
  if (dist_comm_size(c) == 1) return;
  dist_comm_mpi_set_piece(c, 5);
  body(c);
  dist_comm_mpi_set_piece(c, (int64_t)1 << 30);
}

// -- reductions -----------------------------------------------------------------------------
static void check_all_reduce(dist_comm *c, dist_dtype t, int64_t count, dist_op op, bool start) {
  void *buf = buffer_of(count);
  for (int64_t i = 0; i < count; i++) put(buf, t, i, value_of(dist_comm_rank(c), i));
  if (start) {
    dist_request r;
    assert_int_equal(dist_all_reduce_start(c, buf, count, t, op, &r), ORR_OK);
    assert_int_equal(dist_wait(c, &r), ORR_OK);
  } else {
    assert_int_equal(dist_all_reduce(c, buf, count, t, op), ORR_OK);
  }
  for (int64_t i = 0; i < count; i++) {
    assert_int_equal(get(buf, t, i), reduced(dist_comm_size(c), i, op));
  }
  orr_free(buf);
}

static void all_reduce_body(dist_comm *c) {
  for
    EACH(t, all_types) {
    for
      EACH(n, all_counts) {
        for (int op = DIST_SUM; op <= DIST_MIN; op++) {
          check_all_reduce(c, all_types[t], all_counts[n], (dist_op)op, false);
          check_all_reduce(c, all_types[t], all_counts[n], (dist_op)op, true);
        }
      }
    }
}

static void test_all_reduce_gives_every_rank_the_exact_result(void **state) {
  with_and_without_pieces(world_of(state), all_reduce_body);
}

static void check_reduce_scatter(dist_comm *c, dist_dtype t, int64_t count, bool start) {
  int64_t total = count * dist_comm_size(c), mine = count * dist_comm_rank(c);
  void *send = buffer_of(total), *recv = buffer_of(count);
  for (int64_t i = 0; i < total; i++) put(send, t, i, value_of(dist_comm_rank(c), i));
  if (start) {
    dist_request r;
    assert_int_equal(dist_reduce_scatter_start(c, send, recv, count, t, DIST_SUM, &r), ORR_OK);
    assert_int_equal(dist_wait(c, &r), ORR_OK);
  } else {
    assert_int_equal(dist_reduce_scatter(c, send, recv, count, t, DIST_SUM), ORR_OK);
  }
  for (int64_t i = 0; i < count; i++) {
    assert_int_equal(get(recv, t, i), reduced(dist_comm_size(c), mine + i, DIST_SUM));
  }
  orr_free(send);
  orr_free(recv);
}

static void reduce_scatter_body(dist_comm *c) {
  for
    EACH(t, all_types) {
    for
      EACH(n, all_counts) {
        check_reduce_scatter(c, all_types[t], all_counts[n], false);
        check_reduce_scatter(c, all_types[t], all_counts[n], true);
      }
    }
}

static void test_reduce_scatter_gives_each_rank_its_part_of_the_sum(void **state) {
  with_and_without_pieces(world_of(state), reduce_scatter_body);
}

// 256 + 1 is not a bf16 number: summed pairwise in bf16, the ones would be lost one by one.
static void test_bf16_sums_are_made_in_float32_and_rounded_once(void **state) {
  dist_comm *c = world_of(state);
  int size = dist_comm_size(c);
  uint16_t v = kern_f32_to_bf16(dist_comm_rank(c) == 0 ? 256.0f : 1.0f);
  assert_int_equal(dist_all_reduce(c, &v, 1, DIST_BF16, DIST_SUM), ORR_OK);
  assert_int_equal(v, kern_f32_to_bf16(256.0f + (float)(size - 1)));
}

static void test_the_same_sum_gives_the_same_bits(void **state) {
  enum { COUNT = 5000 };
  dist_comm *c = world_of(state);
  float *first = orr_malloc(COUNT * sizeof *first), *again = orr_malloc(COUNT * sizeof *again);
  for (int round = 0; round < 20; round++) {
    float *v = round ? again : first;
    for (int i = 0; i < COUNT; i++) v[i] = 1.0f / (float)(1 + i + 7 * dist_comm_rank(c));
    assert_int_equal(dist_all_reduce(c, v, COUNT, DIST_F32, DIST_SUM), ORR_OK);
    assert_memory_equal(v, first, COUNT * sizeof *v);
  }
  orr_free(first);
  orr_free(again);
}

// -- copies ---------------------------------------------------------------------------------
static void check_all_gather(dist_comm *c, dist_dtype t, int64_t count, bool start, bool in_place) {
  int rank = dist_comm_rank(c), size = dist_comm_size(c);
  char *recv = buffer_of(count * size), *own = buffer_of(count);
  char *send = in_place ? recv + (size_t)(rank * count) * dist_dtype_bytes(t) : own;
  for (int64_t i = 0; i < count; i++) put(send, t, i, value_of(rank, i));
  if (start) {
    dist_request r;
    assert_int_equal(dist_all_gather_start(c, send, recv, count, t, &r), ORR_OK);
    assert_int_equal(dist_wait(c, &r), ORR_OK);
  } else {
    assert_int_equal(dist_all_gather(c, send, recv, count, t), ORR_OK);
  }
  for (int64_t i = 0; i < count * size; i++) {
    assert_int_equal(get(recv, t, i), value_of((int)(i / count), i % count));
  }
  orr_free(recv);
  orr_free(own);
}

static void all_gather_body(dist_comm *c) {
  for
    EACH(t, all_types) {
    for
      EACH(n, all_counts) {
        for (int way = 0; way < 4; way++) {
          check_all_gather(c, all_types[t], all_counts[n], way & 1, way & 2);
        }
      }
    }
}

static void test_all_gather_puts_every_block_in_rank_order(void **state) {
  with_and_without_pieces(world_of(state), all_gather_body);
}

// Rank a sends (a + 2b) % 5 numbers to rank b, some of them none, from places with gaps.
static int64_t exchanged(int a, int b) {
  return (a + 2 * b) % 5;
}

static void all_to_all_body(dist_comm *c) {
  enum { STRIDE = 6, RANKS_MAX = 16 };
  int rank = dist_comm_rank(c), size = dist_comm_size(c);
  int64_t send_counts[RANKS_MAX], recv_counts[RANKS_MAX], at[RANKS_MAX];
  for
    EACH(k, all_types) {
      dist_dtype t = all_types[k];
      void *send = buffer_of(STRIDE * size), *recv = buffer_of(STRIDE * size);
      for (int p = 0; p < size; p++) {
        send_counts[p] = exchanged(rank, p);
        recv_counts[p] = exchanged(p, rank);
        at[p] = (int64_t)STRIDE * p + 1;
        for (int64_t i = 0; i < send_counts[p]; i++)
          put(send, t, at[p] + i, 20 * rank + 5 * p + (int)i);
      }
      assert_int_equal(dist_all_to_all(c, send, send_counts, at, recv, recv_counts, at, t), ORR_OK);
      for (int p = 0; p < size; p++) {
        for (int64_t i = 0; i < recv_counts[p]; i++) {
          assert_int_equal(get(recv, t, at[p] + i), 20 * p + 5 * rank + (int)i);
        }
        assert_int_equal(get(recv, t, at[p] + recv_counts[p]), 0); // nothing after a block
      }
      orr_free(send);
      orr_free(recv);
    }
}

static void test_all_to_all_moves_uneven_blocks_between_places_with_gaps(void **state) {
  with_and_without_pieces(world_of(state), all_to_all_body);
}

static void broadcast_body(dist_comm *c) {
  int64_t v[13];
  for (int root = 0; root < dist_comm_size(c); root++) {
    for (int i = 0; i < 13; i++) v[i] = dist_comm_rank(c) == root ? 100 * root + i : -1;
    assert_int_equal(dist_broadcast(c, v, 13, DIST_I64, root), ORR_OK);
    for (int i = 0; i < 13; i++) assert_int_equal(v[i], 100 * root + i);
    dist_request r;
    for (int i = 0; i < 13; i++) v[i] = dist_comm_rank(c) == root ? 200 * root + i : -1;
    assert_int_equal(dist_broadcast_start(c, v, 13, DIST_I64, root, &r), ORR_OK);
    assert_int_equal(dist_wait(c, &r), ORR_OK);
    for (int i = 0; i < 13; i++) assert_int_equal(v[i], 200 * root + i);
  }
  assert_int_equal(dist_barrier(c), ORR_OK);
}

static void test_broadcast_reaches_all_from_every_root(void **state) {
  with_and_without_pieces(world_of(state), broadcast_body);
}

// -- non-blocking ---------------------------------------------------------------------------
enum { FLIGHTS = 4, FLIGHT_COUNT = 300 };

static void start_flights(dist_comm *c, float (*v)[FLIGHT_COUNT], dist_request *r) {
  for (int f = 0; f < FLIGHTS; f++) {
    for (int i = 0; i < FLIGHT_COUNT; i++) v[f][i] = (float)value_of(dist_comm_rank(c), i + f);
    assert_int_equal(dist_all_reduce_start(c, v[f], FLIGHT_COUNT, DIST_F32, DIST_SUM, r + f),
                     ORR_OK);
  }
}

static void check_flights(dist_comm *c, float (*v)[FLIGHT_COUNT]) {
  for (int f = 0; f < FLIGHTS; f++) {
    for (int i = 0; i < FLIGHT_COUNT; i++) {
      assert_int_equal((int)v[f][i], reduced(dist_comm_size(c), i + f, DIST_SUM));
    }
  }
}

static void test_several_collectives_fly_at_once_and_are_awaited_in_any_order(void **state) {
  dist_comm *c = world_of(state);
  float v[FLIGHTS][FLIGHT_COUNT];
  dist_request r[FLIGHTS];
  start_flights(c, v, r);
  for (int f = FLIGHTS - 1; f >= 0; f--) assert_int_equal(dist_wait(c, r + f), ORR_OK);
  check_flights(c, v);
  start_flights(c, v, r);
  for (int f = 0; f < FLIGHTS; f++) {
    bool done = false;
    while (!done) assert_int_equal(dist_test(c, r + f, &done), ORR_OK);
    assert_null(r[f].impl);
    assert_int_equal(dist_wait(c, r + f), ORR_OK); // waiting again is harmless
  }
  check_flights(c, v);
}

static void test_a_warm_collective_allocates_nothing(void **state) {
  dist_comm *c = world_of(state);
  uint16_t v[64] = {0};
  dist_request r;
  for (int round = 0; round < 2; round++) {
    if (round == 1) orr_fault_arm(ORR_FAULT_MALLOC, 1); // any allocation of ours would fail now
    assert_int_equal(dist_all_reduce_start(c, v, 64, DIST_BF16, DIST_SUM, &r), ORR_OK);
    assert_int_equal(dist_wait(c, &r), ORR_OK);
  }
  assert_false(orr_fault_fired(ORR_FAULT_MALLOC));
  orr_fault_arm(ORR_FAULT_MALLOC, 0);
}

static void test_traffic_counts_calls_and_payload(void **state) {
  dist_comm *c = world_of(state);
  float v[16] = {0};
  int size = dist_comm_size(c);
  float all[16 * 16];
  dist_traffic before = dist_comm_traffic(c);
  assert_int_equal(dist_all_reduce(c, v, 16, DIST_F32, DIST_SUM), ORR_OK);
  assert_int_equal(dist_all_gather(c, v, all, 16, DIST_F32), ORR_OK);
  assert_int_equal(dist_barrier(c), ORR_OK);
  dist_traffic after = dist_comm_traffic(c);
  assert_int_equal(after.calls - before.calls, 3);
  assert_int_equal(after.bytes - before.bytes, 64 + 64 * size);
}

enum { LATE_MS = 80, WAYS_TO_WAIT = 7 };

static double cpu_ms(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return 1e3 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         1e-3 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

// One of the ways to wait for the other ranks.
static void wait_somehow(dist_comm *c, int way) {
  enum { MOST = 16 };
  float x[MOST] = {0}, all[MOST * MOST] = {0};
  int64_t counts[MOST], at[MOST];
  dist_request request = {0};
  for (int i = 0; i < MOST; i++) counts[i] = 1, at[i] = i;
  orr_code rc = ORR_OK;
  switch (way) {
  case 0:
    rc = dist_all_reduce(c, x, MOST, DIST_F32, DIST_SUM);
    break;
  case 1:
    rc = dist_reduce_scatter(c, all, x, MOST, DIST_F32, DIST_SUM);
    break;
  case 2:
    rc = dist_all_gather(c, x, all, MOST, DIST_F32);
    break;
  case 3:
    rc = dist_all_to_all(c, all, counts, at, x, counts, at, DIST_F32);
    break;
  case 4:
    rc = dist_broadcast(c, x, MOST, DIST_F32, dist_comm_size(c) - 1);
    break;
  case 5:
    rc = dist_barrier(c);
    break;
  default:
    rc = dist_all_reduce_start(c, x, MOST, DIST_F32, DIST_SUM, &request);
    if (rc == ORR_OK) rc = dist_wait(c, &request);
  }
  assert_int_equal(rc, ORR_OK);
}

// The last rank comes late; the others would have used their cores meanwhile.
static void test_ranks_that_wait_leave_their_cores_to_others(void **state) {
  dist_world *w = *state;
  dist_comm *c = w->axis[DIST_AXIS_WORLD];
  const bool late = dist_comm_rank(c) == dist_comm_size(c) - 1;
  for (int way = 0; way < WAYS_TO_WAIT; way++) {
    assert_int_equal(dist_barrier(c), ORR_OK);
    const double before = cpu_ms();
    if (late) usleep(LATE_MS * 1000);
    wait_somehow(c, way);
    if (cpu_ms() - before > 0.5 * LATE_MS)
      fail_msg("way %d: %.0f ms of a core in a wait of %d ms", way, cpu_ms() - before, LATE_MS);
  }
}

static void test_a_negative_count_is_refused_and_named(void **state) {
  dist_comm *c = world_of(state);
  assert_int_equal(dist_all_reduce(c, NULL, -1, DIST_F32, DIST_SUM), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "-1 elements"));
}

static int run_collectives(int ranks) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_reduce_gives_every_rank_the_exact_result),
      cmocka_unit_test(test_reduce_scatter_gives_each_rank_its_part_of_the_sum),
      cmocka_unit_test(test_bf16_sums_are_made_in_float32_and_rounded_once),
      cmocka_unit_test(test_the_same_sum_gives_the_same_bits),
      cmocka_unit_test(test_all_gather_puts_every_block_in_rank_order),
      cmocka_unit_test(test_all_to_all_moves_uneven_blocks_between_places_with_gaps),
      cmocka_unit_test(test_broadcast_reaches_all_from_every_root),
      cmocka_unit_test(test_several_collectives_fly_at_once_and_are_awaited_in_any_order),
      cmocka_unit_test(test_a_warm_collective_allocates_nothing),
      cmocka_unit_test(test_texts_of_all_ranks_arrive_at_the_root),
      cmocka_unit_test(test_agreement_is_ok_when_all_ranks_are),
      cmocka_unit_test(test_one_failing_rank_fails_all_with_its_message),
      cmocka_unit_test(test_of_several_failing_ranks_the_lowest_is_reported),
      cmocka_unit_test(test_a_failed_allocation_while_gathering_texts_fails_all_ranks),
      cmocka_unit_test(test_ranks_that_wait_leave_their_cores_to_others),
      cmocka_unit_test(test_traffic_counts_calls_and_payload),
      cmocka_unit_test(test_a_negative_count_is_refused_and_named),
  };
  dist_world *w = world_start(ranks);
  if (!w) return 1;
  struct CMUnitTest with_state[sizeof tests / sizeof *tests];
  memcpy(with_state, tests, sizeof tests);
  for
    EACH(i, with_state) with_state[i].initial_state = w;
  return world_finish(w, cmocka_run_group_tests_name("collectives", with_state, NULL, NULL));
}

#endif
