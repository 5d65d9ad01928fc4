// labels: quick
// Copies of rows: exact in both types.
#include "tests/kernels/harness.h"

static const int32_t from[] = {4, -1, 0, 4, 2};
static const int32_t to[] = {5, -1, 2, 7, 3}; // row 2 is the first here
enum { M = 5, ROWS = 6, FIRST = 2, HERE = 5 };

static void check_rows(int64_t D, kern_dtype type) {
  pool p = {0};
  double *x = pool_draw(&p, ROWS * D, type, 1.0), *before = pool_draw(&p, ROWS * D, type, 1.0);
  double *gathered = pool_take(&p, (size_t)(M * D) * sizeof *gathered);
  double *scattered = pool_take(&p, (size_t)(ROWS * D) * sizeof *scattered);
  memcpy(scattered, before, (size_t)(ROWS * D) * sizeof *scattered);
  for (int64_t i = 0; i < M * D; i++) {
    const int64_t m = i / D, c = i % D;
    gathered[i] = from[m] < 0 ? 0.0 : x[from[m] * D + c];
    if (to[m] >= FIRST && to[m] < FIRST + HERE) scattered[(to[m] - FIRST) * D + c] = x[i];
  }
  FOR_SETUPS(run) {
    void *typed = pool_typed(&p, x, ROWS * D, type);
    void *got = pool_typed(&p, before, M * D, type);
    kern_gather_rows_args g = {.type = type, .M = M, .D = D, .x = typed, .index = from, .y = got};
    RUN(run, gather_rows, &g);
    assert_memory_equal(got, pool_typed(&p, gathered, M * D, type),
                        (size_t)(M * D) * kern_dtype_size(type));
    got = pool_typed(&p, before, ROWS * D, type);
    kern_scatter_rows_args s = {.type = type,
                                .M = M,
                                .D = D,
                                .x = typed,
                                .index = to,
                                .first = FIRST,
                                .rows = HERE,
                                .y = got};
    RUN(run, scatter_rows, &s);
    assert_memory_equal(got, pool_typed(&p, scattered, ROWS * D, type),
                        (size_t)(ROWS * D) * kern_dtype_size(type));
  }
  pool_free(&p);
}

static void test_rows_are_copied_absent_ones_zeroed_or_skipped(void **state) {
  check_rows(1, KERN_F32);
  check_rows(24, KERN_F32);
  check_rows(100, KERN_BF16);
  check_rows(7, KERN_BF16);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_are_copied_absent_ones_zeroed_or_skipped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
