// labels: quick mpi; ranks: 2
// Gradient buckets: sums that can be predicted exactly, whatever the sizes and the order of calls.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "dist/world.h"
#include "train/step/reduce.h"

// What rank r brings; sums over two ranks are exact in float32.
static float brought(int rank, int64_t i) {
  return (float)((i % 1000 + 1) * (rank + 1));
}

// Reduces n elements; `step` elements become final at a time, from the end to the start.
static void check(const dist_world *w, int64_t n, int64_t bucket_bytes, int64_t step, int times) {
  train_reduce *r = NULL;
  train_state s = {0};
  train_axes axes;
  dist_grid one;
  float *grad = orr_malloc((size_t)n * sizeof *grad);
  assert_int_equal(dist_grid_init(1, 1, 1, 0, 1, &one), ORR_OK);
  train_axes_init(&axes, w ? &w->grid : &one, w);
  axes.planning = false;
  const int size = train_axes_size(&axes, DIST_AXIS_REPLICA), rank = axes.grid.rank;
  s.params.total = n;
  s.weights.grad = s.own_grad = grad;
  s.shard = train_partition_make(1, 0, n, 0);
  assert_int_equal(train_reduce_create(&axes, &s, bucket_bytes, 1, NULL, &r), ORR_OK);
  for (int time = 0; time < times; time++) {
    for (int64_t i = 0; i < n; i++) grad[i] = -1e9f; // not final yet: must not travel
    for (int64_t first = n; step > 0 && first > 0;) {
      const int64_t next = first > step ? first - step : 0;
      for (int64_t i = next; i < first; i++) grad[i] = brought(rank, i);
      first = next;
      assert_int_equal(train_reduce_ready(r, first), ORR_OK);
    }
    if (step == 0) // nothing was announced: finish does it all
      for (int64_t i = 0; i < n; i++) grad[i] = brought(rank, i);
    assert_int_equal(train_reduce_finish(r), ORR_OK);
    for (int64_t i = 0; i < n; i++) {
      const float want = size == 1 ? brought(0, i) : brought(0, i) + brought(1, i);
      if (grad[i] != want)
        fail_msg("n %d, bucket %d bytes, element %d: %g, wanted %g", (int)n, (int)bucket_bytes,
                 (int)i, (double)grad[i], (double)want);
    }
  }
  train_reduce_destroy(r);
  orr_free(grad);
}

static void test_every_element_is_summed_once_whatever_the_buckets(void **state) {
  const int64_t sizes[] = {1, 255, 256, 257, 1000, 4096, 5001};
  const int64_t steps[] = {0, 1000000, 256, 100, 37}; // whole, on and off the buckets' edges
  for (int i = 0; i < 7; i++) {
    for (int j = 0; j < 5; j++) check(*state, sizes[i], 1024, steps[j], 1);
  }
}

static void test_one_reducer_serves_step_after_step(void **state) {
  check(*state, 5001, 1024, 300, 5);
  check(*state, 5001, 1 << 20, 300, 5); // one bucket
}

static void test_one_rank_keeps_its_gradient(void **state) {
  check(NULL, 5001, 1024, 300, 2);
}

static int setup(void **state) {
  return dist_world_open((dist_world **)state) == ORR_OK ? 0 : -1;
}

static int teardown(void **state) {
  dist_world_close(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_element_is_summed_once_whatever_the_buckets),
      cmocka_unit_test(test_one_reducer_serves_step_after_step),
      cmocka_unit_test(test_one_rank_keeps_its_gradient),
  };
  return cmocka_run_group_tests_name("train/reduce", tests, setup, teardown);
}
