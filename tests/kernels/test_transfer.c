// labels: quick
// Copies, fills, memory, marks and arenas of a kern.
#include "tests/kernels/harness.h"

#include "base/arena.h"

enum { BYTES = 3 * (1 << 18) + 5 }; // several tasks and a rest

static void test_a_copy_is_exact_and_ends_where_it_should(void **state) {
  pool p = {0};
  unsigned char *from = pool_take(&p, BYTES), *to = pool_take(&p, BYTES + 1);
  for (int i = 0; i < BYTES; i++) from[i] = (unsigned char)(i * 131 >> 3);
  FOR_SETUPS(run) {
    for (int way = KERN_COPY_IN; way <= KERN_COPY_WITHIN; way++) {
      memset(to, 0xee, BYTES + 1);
      RUN(run, copy,
          &((kern_copy_args){.dst = to, .src = from, .bytes = BYTES, .way = (kern_copy_way)way}));
      assert_memory_equal(to, from, BYTES);
      assert_int_equal(to[BYTES], 0xee);
    }
  }
  pool_free(&p);
}

static void test_rows_are_copied_between_pitches_and_the_gaps_stay(void **state) {
  enum { ROWS = 7, WIDTH = 5, FROM = 8, TO = 11 };
  unsigned char from[ROWS * FROM], to[ROWS * TO];
  for (int i = 0; i < ROWS * FROM; i++) from[i] = (unsigned char)(i + 1);
  FOR_SETUPS(run) {
    memset(to, 0xee, sizeof to);
    RUN(run, copy_rows,
        &((kern_copy_rows_args){.dst = to,
                                .src = from,
                                .dst_pitch = TO,
                                .src_pitch = FROM,
                                .width = WIDTH,
                                .rows = ROWS,
                                .way = KERN_COPY_WITHIN}));
    for (int i = 0; i < ROWS * TO; i++)
      assert_int_equal(to[i], i % TO < WIDTH ? from[i / TO * FROM + i % TO] : 0xee);
  }
}

static void test_a_fill_zeroes_its_bytes_and_no_other(void **state) {
  pool p = {0};
  unsigned char *x = pool_take(&p, BYTES + 1);
  FOR_SETUPS(run) {
    memset(x, 0xee, BYTES + 1);
    RUN(run, fill, &((kern_fill_args){.x = x, .bytes = BYTES}));
    for (int i = 0; i < BYTES; i++) assert_int_equal(x[i], 0);
    assert_int_equal(x[BYTES], 0xee);
  }
  pool_free(&p);
}

static void test_memory_comes_zeroed_and_aligned(void **state) {
  kern *k = NULL;
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &k));
  for (int kind = 0; kind < KERN_MEMORIES; kind++) {
    unsigned char *p = NULL;
    assert_ok(kern_alloc(k, (kern_memory)kind, BYTES, "some bytes", (void **)&p));
    assert_int_equal((uintptr_t)p % ORR_ARENA_ALIGN, 0);
    for (int i = 0; i < BYTES; i++) assert_int_equal(p[i], 0);
    kern_free(k, (kern_memory)kind, p);
  }
  kern_free(k, KERN_DEVICE, NULL);
  kern_destroy(k);
}

static void test_an_arena_of_a_kern_says_its_name_when_memory_is_short(void **state) {
  kern *k = NULL;
  orr_arena a;
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &k));
  kern_arena_init(k, &a, "activations");
  orr_arena_take(&a, (size_t)1 << 60);
  assert_int_equal(orr_arena_commit(&a), ORR_ENOMEM);
  assert_non_null(strstr(orr_status_message(), "activations"));
  orr_arena_release(&a);
  kern_destroy(k);
}

static void test_marks_are_passed_in_order(void **state) {
  kern *k = NULL;
  double ms = -1.0;
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &k));
  assert_ok(kern_mark(k, 0));
  assert_ok(kern_mark(k, KERN_MARKS - 1));
  assert_ok(kern_await(k, KERN_MARKS - 1));
  assert_ok(kern_elapsed(k, 0, KERN_MARKS - 1, &ms));
  assert_true(ms >= 0.0);
  assert_ok(kern_sync(k));
  kern_destroy(k);
}

static void test_the_cpu_captures_nothing_and_says_so(void **state) {
  kern *k = NULL;
  void *graph = &k;
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &k));
  assert_false(k->can_capture);
  assert_int_equal(kern_capture_begin(k), ORR_EUNSUPPORTED);
  assert_int_equal(kern_capture_end(k, &graph), ORR_EUNSUPPORTED);
  assert_null(graph);
  kern_destroy(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_copy_is_exact_and_ends_where_it_should),
      cmocka_unit_test(test_rows_are_copied_between_pitches_and_the_gaps_stay),
      cmocka_unit_test(test_a_fill_zeroes_its_bytes_and_no_other),
      cmocka_unit_test(test_memory_comes_zeroed_and_aligned),
      cmocka_unit_test(test_an_arena_of_a_kern_says_its_name_when_memory_is_short),
      cmocka_unit_test(test_marks_are_passed_in_order),
      cmocka_unit_test(test_the_cpu_captures_nothing_and_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
