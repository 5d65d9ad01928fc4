// Collectives on the device (tests/dist/device.h), on every rank with small whole numbers whose
// sums are exact, blocking and started, on a stream of their own (dp) and on the compute stream
// (tp).
#ifndef TESTS_DIST_NCCL_H
#define TESTS_DIST_NCCL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "dist/comm_table.h"
#include "kernels/bf16.h"
#include "tests/base/assert.h"
#include "tests/dist/device.h"
#include "tests/dist/world_main.h"

static const dist_dtype nccl_types[] = {DIST_F32, DIST_BF16, DIST_F64, DIST_I64, DIST_U8};
enum { NCCL_TYPES = sizeof nccl_types / sizeof *nccl_types, NCCL_COUNT = 1003 };

// What rank r holds at place i: sums of 8 ranks stay exact in every type.
static int value_of(int r, int64_t i) {
  return (int)((i * 7 + r * 3) % 13);
}

static int sum_of(int size, int64_t i) {
  int sum = 0;
  for (int r = 0; r < size; r++) sum += value_of(r, i);
  return sum;
}

// Element i of a host buffer of any type.
static void put(void *buf, dist_dtype t, int64_t i, int v) {
  if (t == DIST_F32) ((float *)buf)[i] = (float)v;
  if (t == DIST_BF16) ((uint16_t *)buf)[i] = kern_f32_to_bf16((float)v);
  if (t == DIST_F64) ((double *)buf)[i] = v;
  if (t == DIST_I64) ((int64_t *)buf)[i] = v;
  if (t == DIST_U8) ((uint8_t *)buf)[i] = (uint8_t)v;
}

static int get(const void *buf, dist_dtype t, int64_t i) {
  if (t == DIST_F32) return (int)((const float *)buf)[i];
  if (t == DIST_BF16) return (int)kern_bf16_to_f32(((const uint16_t *)buf)[i]);
  if (t == DIST_F64) return (int)((const double *)buf)[i];
  if (t == DIST_I64) return (int)((const int64_t *)buf)[i];
  return ((const uint8_t *)buf)[i];
}

// A device array with this rank's values, and its host twin.
typedef struct {
  dist_dtype t;
  int64_t n;
  void *device, *host;
} array;

static array array_open(dist_dtype t, int64_t n) {
  const array a = {t, n, device_alloc((size_t)n * 8 + 8), orr_calloc((size_t)n + 1, 8)};
  assert_non_null(a.device);
  assert_non_null(a.host);
  return a;
}

static void array_close(array *a) {
  assert_true(device_finish());
  device_free(a->device);
  orr_free(a->host);
}

static void array_put(array *a, int64_t first, int64_t count, int rank, int64_t shift) {
  for (int64_t i = 0; i < count; i++) put(a->host, a->t, first + i, value_of(rank, i + shift));
  const size_t bytes = dist_dtype_bytes(a->t);
  device_write((char *)a->device + (size_t)first * bytes, (char *)a->host + (size_t)first * bytes,
               (size_t)count * bytes);
}

static void array_get(array *a) {
  device_read(a->host, a->device, (size_t)a->n * dist_dtype_bytes(a->t));
  assert_true(device_finish());
}

// The world of 2 or 4 ranks along one axis; `shared`: all on one GPU.
static dist_comm *split(dist_world *w, dist_axis axis) {
  assert_ok(dist_world_split(w, axis == DIST_AXIS_TP ? w->grid.ranks : 1, 1, 0));
  assert_ok(dist_world_split_device(w, &(dist_device){.stream = device_stream(), .shared = true}));
  return w->device[axis];
}

// -- each collective ------------------------------------------------------------------------
static void check_all_reduce(dist_comm *c, dist_dtype t, bool start) {
  array a = array_open(t, NCCL_COUNT);
  dist_request r;
  array_put(&a, 0, a.n, c->rank, 0);
  if (start) {
    assert_ok(dist_all_reduce_start(c, a.device, a.n, t, DIST_SUM, &r));
    assert_ok(dist_wait(c, &r));
  } else {
    assert_ok(dist_all_reduce(c, a.device, a.n, t, DIST_SUM));
  }
  array_get(&a);
  for (int64_t i = 0; i < a.n; i++) assert_int_equal(get(a.host, t, i), sum_of(c->size, i));
  array_put(&a, 0, a.n, c->rank, 0);
  assert_ok(dist_all_reduce(c, a.device, a.n, t, DIST_MAX));
  array_get(&a);
  for (int64_t i = 0; i < a.n; i++) {
    int most = 0;
    for (int k = 0; k < c->size; k++) most = value_of(k, i) > most ? value_of(k, i) : most;
    assert_int_equal(get(a.host, t, i), most);
  }
  array_close(&a);
}

static void check_reduce_scatter(dist_comm *c, dist_dtype t, bool start) {
  array whole = array_open(t, NCCL_COUNT * c->size), part = array_open(t, NCCL_COUNT);
  dist_request r;
  array_put(&whole, 0, whole.n, c->rank, 0);
  if (start) {
    assert_ok(dist_reduce_scatter_start(c, whole.device, part.device, part.n, t, DIST_SUM, &r));
    assert_ok(dist_wait(c, &r));
  } else {
    assert_ok(dist_reduce_scatter(c, whole.device, part.device, part.n, t, DIST_SUM));
  }
  array_get(&part);
  for (int64_t i = 0; i < part.n; i++)
    assert_int_equal(get(part.host, t, i), sum_of(c->size, part.n * c->rank + i));
  array_close(&part);
  array_close(&whole);
}

static void check_all_gather(dist_comm *c, dist_dtype t, bool start, bool in_place) {
  array all = array_open(t, NCCL_COUNT * c->size), own = array_open(t, NCCL_COUNT);
  const size_t at = (size_t)(NCCL_COUNT * c->rank) * dist_dtype_bytes(t);
  const void *send = in_place ? (char *)all.device + at : (char *)own.device;
  dist_request r;
  if (in_place)
    array_put(&all, NCCL_COUNT * c->rank, NCCL_COUNT, c->rank, 0);
  else
    array_put(&own, 0, NCCL_COUNT, c->rank, 0);
  if (start) {
    assert_ok(dist_all_gather_start(c, send, all.device, NCCL_COUNT, t, &r));
    assert_ok(dist_wait(c, &r));
  } else {
    assert_ok(dist_all_gather(c, send, all.device, NCCL_COUNT, t));
  }
  array_get(&all);
  for (int64_t i = 0; i < all.n; i++)
    assert_int_equal(get(all.host, t, i), value_of((int)(i / NCCL_COUNT), i % NCCL_COUNT));
  array_close(&own);
  array_close(&all);
}

// Rank a sends (a + 2b) % 5 numbers to rank b, some of them none, from places with gaps.
static void check_all_to_all(dist_comm *c, dist_dtype t) {
  enum { STRIDE = 6, MOST = 8 };
  int64_t out[MOST], in[MOST], at[MOST];
  array send = array_open(t, STRIDE * c->size), recv = array_open(t, STRIDE * c->size);
  for (int p = 0; p < c->size; p++) {
    out[p] = (c->rank + 2 * p) % 5;
    in[p] = (p + 2 * c->rank) % 5;
    at[p] = STRIDE * p + 1;
    array_put(&send, at[p], out[p], c->rank, 10 * p);
  }
  assert_ok(dist_all_to_all(c, send.device, out, at, recv.device, in, at, t));
  array_get(&recv);
  for (int p = 0; p < c->size; p++)
    for (int64_t i = 0; i < in[p]; i++)
      assert_int_equal(get(recv.host, t, at[p] + i), value_of(p, i + 10 * c->rank));
  array_close(&recv);
  array_close(&send);
}

static void check_broadcast(dist_comm *c, dist_dtype t) {
  array a = array_open(t, NCCL_COUNT);
  for (int root = 0; root < c->size; root++) {
    array_put(&a, 0, a.n, c->rank, root);
    assert_ok(dist_broadcast(c, a.device, a.n, t, root));
    array_get(&a);
    for (int64_t i = 0; i < a.n; i++) assert_int_equal(get(a.host, t, i), value_of(root, i + root));
    dist_request r;
    array_put(&a, 0, a.n, c->rank, 3 * root);
    assert_ok(dist_broadcast_start(c, a.device, a.n, t, root, &r));
    assert_ok(dist_wait(c, &r));
    array_get(&a);
    for (int64_t i = 0; i < a.n; i++)
      assert_int_equal(get(a.host, t, i), value_of(root, i + 3 * root));
  }
  array_close(&a);
}

static void check_axis(dist_world *w, dist_axis axis) {
  for (int s = 0; s < device_schedules(); s++) {
    device_schedule(s);
    dist_comm *c = split(w, axis);
    for (int i = 0; i < NCCL_TYPES; i++) {
      for (int way = 0; way < 4; way++) {
        if (way < 2) check_all_reduce(c, nccl_types[i], way);
        if (way < 2) check_reduce_scatter(c, nccl_types[i], way);
        check_all_gather(c, nccl_types[i], way & 1, way & 2);
      }
      check_all_to_all(c, nccl_types[i]);
      check_broadcast(c, nccl_types[i]);
    }
  }
}

static void test_collectives_on_the_compute_stream_are_exact(void **state) {
  check_axis(*state, DIST_AXIS_TP);
}

static void test_collectives_on_a_stream_of_their_own_are_exact(void **state) {
  check_axis(*state, DIST_AXIS_REPLICA);
}

// -- order ----------------------------------------------------------------------------------
// As a step does it: buckets are written, started, and awaited together; the next step writes the
// same memory again. Other work of the compute stream lies in between.
static void test_what_is_computed_before_and_behind_comes_before_and_behind(void **state) {
  enum { BUCKETS = 3, STEPS = 4 };
  dist_world *w = *state;
  for (int s = 0; s < device_schedules(); s++) {
    device_schedule(s);
    dist_comm *c = split(w, DIST_AXIS_REPLICA);
    array bucket[BUCKETS], kept[STEPS][BUCKETS];
    dist_request r[BUCKETS];
    for (int b = 0; b < BUCKETS; b++) bucket[b] = array_open(DIST_F32, NCCL_COUNT);
    for (int step = 0; step < STEPS; step++) {
      for (int b = 0; b < BUCKETS; b++) {
        array_put(&bucket[b], 0, NCCL_COUNT, c->rank, step + 5 * b);
        assert_ok(
            dist_all_reduce_start(c, bucket[b].device, NCCL_COUNT, DIST_F32, DIST_SUM, &r[b]));
      }
      for (int b = 0; b < BUCKETS; b++) assert_ok(dist_wait(c, &r[b]));
      for (int b = 0; b < BUCKETS; b++) {
        kept[step][b] = (array){.t = DIST_F32, .host = orr_calloc(NCCL_COUNT, 4)};
        device_read(kept[step][b].host, bucket[b].device, 4 * NCCL_COUNT);
      }
    }
    assert_true(device_finish());
    for (int step = 0; step < STEPS; step++)
      for (int b = 0; b < BUCKETS; b++) {
        for (int64_t i = 0; i < NCCL_COUNT; i++)
          assert_int_equal(get(kept[step][b].host, DIST_F32, i), sum_of(c->size, i + step + 5 * b));
        orr_free(kept[step][b].host);
      }
    for (int b = 0; b < BUCKETS; b++) array_close(&bucket[b]);
  }
}

static void test_axes_of_one_rank_are_the_hosts(void **state) {
  dist_world *w = *state;
  split(w, DIST_AXIS_TP);
  assert_ptr_equal(w->device[DIST_AXIS_DP], w->axis[DIST_AXIS_DP]);
  assert_ptr_not_equal(w->device[DIST_AXIS_TP], w->axis[DIST_AXIS_TP]);
  assert_ptr_not_equal(w->device[DIST_AXIS_WORLD], w->axis[DIST_AXIS_WORLD]);
  dist_world_leave_device(w);
  assert_null(w->device[DIST_AXIS_TP]);
  assert_null(w->nccl);
}

static void test_traffic_of_the_device_is_counted_as_the_hosts(void **state) {
  dist_world *w = *state;
  dist_comm *c = split(w, DIST_AXIS_TP);
  array a = array_open(DIST_BF16, NCCL_COUNT);
  array_put(&a, 0, a.n, c->rank, 0);
  assert_ok(dist_all_reduce(c, a.device, a.n, DIST_BF16, DIST_SUM));
  assert_int_equal(dist_comm_traffic(c).calls, 1);
  assert_int_equal(dist_comm_traffic(c).bytes, 2 * NCCL_COUNT);
  assert_int_equal(dist_comm_reserved(c), 0);
  array_close(&a);
}

#define NCCL_TESTS(w)                                                                              \
  cmocka_unit_test_prestate(test_collectives_on_the_compute_stream_are_exact, w),                  \
      cmocka_unit_test_prestate(test_collectives_on_a_stream_of_their_own_are_exact, w),           \
      cmocka_unit_test_prestate(test_what_is_computed_before_and_behind_comes_before_and_behind,   \
                                w),                                                                \
      cmocka_unit_test_prestate(test_axes_of_one_rank_are_the_hosts, w),                           \
      cmocka_unit_test_prestate(test_traffic_of_the_device_is_counted_as_the_hosts, w)

static inline int nccl_main(int ranks, int (*tests)(dist_world *w)) {
  const char *missing = device_missing(), *rank = getenv("OMPI_COMM_WORLD_RANK");
  if (missing) { // every rank leaves, before MPI knows of any
    if (!rank || strcmp(rank, "0") == 0) fprintf(stderr, "skipped: %s\n", missing);
    return 77;
  }
  dist_world *w = world_start(ranks);
  if (!w) return 1;
  const int failed = tests(w);
  if (!failed) {
    dist_world_leave_device(w);
    device_close();
  }
  return world_finish(w, failed);
}

#endif
