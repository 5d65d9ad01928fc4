// labels: quick
// AdamW's step on the digits of codes: sums against double loops and, cut anywhere, to the bit;
// steps against double; rows of codes alone are moved.
#include <math.h>

#include "tests/kernels/harness.h"

enum {
  D = 19,
  CODES = 4 * 3 * 2,
  ROWS = 4 + 3 + 2,
  ELEMENTS = (CODES + 1) * D
}; // with a mask's row

static const kern_digits whole = {.n = ELEMENTS, .D = D, .digits = 3, .level = {4, 3, 2}};

static const kern_clip_result skipped = {.scale = 1, .skip = 1}, taken = {.scale = 1};
static const kern_adamw_rates rates = {.lr = 1e-2f, .rate = 2e-2f, .root_bias = 1.5f};

// The rows over digits of a code.
static void rows_of(int64_t code, int64_t *row) {
  row[0] = code % 4;
  row[1] = 4 + code / 4 % 3;
  row[2] = 4 + 3 + code / 12;
}

static void test_sums_are_those_of_the_codes_with_a_digit(void **state) {
  pool p = {0};
  const double *m = pool_draw(&p, ELEMENTS, KERN_F32, 0.1),
               *v = pool_draw(&p, ELEMENTS, KERN_F32, 1e-3);
  double *want = pool_take(&p, 2 * ROWS * D * sizeof *want);
  for (int64_t i = 0; i < CODES * D; i++) {
    int64_t row[3];
    rows_of(i / D, row);
    for (int j = 0; j < 3; j++) {
      want[row[j] * D + i % D] += m[i];
      want[(ROWS + row[j]) * D + i % D] += v[i];
    }
  }
  FOR_SETUPS(run) {
    double *got = pool_take(&p, 2 * ROWS * D * sizeof *got);
    kern_digit_sums_args a = {.of = whole,
                              .m = pool_typed(&p, m, ELEMENTS, KERN_F32),
                              .v = pool_typed(&p, v, ELEMENTS, KERN_F32),
                              .sums = got};
    RUN(run, digit_sums, &a);
    for (int64_t i = 0; i < 2 * ROWS * D; i++)
      assert_true(fabs(got[i] - want[i]) <= 16 * (i < ROWS * D ? 0x1p-41 : 0x1p-51));
  }
  pool_free(&p);
}

// Ranks have parts of a table that begin and end within rows, and add theirs in any order.
static void test_parts_add_up_to_the_same_bits(void **state) {
  static const int64_t cuts[] = {0, 7, D, 5 * D + 3, 17 * D - 1, ELEMENTS};
  enum { PARTS = sizeof cuts / sizeof *cuts - 1 };
  pool p = {0};
  float *m = pool_typed(&p, pool_draw(&p, ELEMENTS, KERN_F32, 0.1), ELEMENTS, KERN_F32),
        *v = pool_typed(&p, pool_draw(&p, ELEMENTS, KERN_F32, 1e-3), ELEMENTS, KERN_F32);
  void *kept = NULL;
  FOR_SETUPS(run) {
    double *one = pool_take(&p, 2 * ROWS * D * sizeof *one),
           *parts = pool_take(&p, 2 * ROWS * D * sizeof *parts);
    RUN(run, digit_sums, &((kern_digit_sums_args){.of = whole, .m = m, .v = v, .sums = one}));
    for (int i = PARTS - 1; i >= 0; i--) {
      kern_digit_sums_args a = {.of = whole, .m = m + cuts[i], .v = v + cuts[i], .sums = parts};
      a.of.first = cuts[i];
      a.of.n = cuts[i + 1] - cuts[i];
      RUN(run, digit_sums, &a);
    }
    assert_memory_equal(parts, one, 2 * ROWS * D * sizeof *one);
    expect_same_bits(&p, &kept, run, one, 2 * ROWS * D * sizeof *one);
  }
  pool_free(&p);
}

static void test_steps_are_those_of_adamw(void **state) {
  enum { N = 1500 };
  pool p = {0};
  double *sums = pool_draw(&p, 2 * N, KERN_F32, 1e-2), *want = pool_take(&p, N * sizeof *want),
         *none = pool_take(&p, N * sizeof *none);
  for (int i = 0; i < N; i++) {
    sums[N + i] = i % 100 ? fabs(sums[N + i]) : 0.0; // a digit that no code has had yet
    if (i % 100 == 0) sums[i] = 0.0;
    want[i] = -0.5 * 2e-2 * sums[i] / (sqrt(sums[N + i]) * 1.5 + (double)1e-8f);
  }
  FOR_SETUPS(run) {
    float *step = pool_take(&p, N * sizeof *step);
    kern_digit_steps_args a = {.n = N,
                               .sums = sums,
                               .share = 0.5f,
                               .eps = 1e-8f,
                               .rates = &rates,
                               .verdict = &taken,
                               .step = step};
    RUN(run, digit_steps, &a);
    expect_close("step", step, KERN_F32, want, N, 1e-6);
    a.verdict = &skipped;
    RUN(run, digit_steps, &a);
    expect_close("step of a skipped update", step, KERN_F32, none, N, 0);
  }
  pool_free(&p);
}

static void test_rows_move_by_the_steps_of_their_digits(void **state) {
  enum { FIRST = 3 * D + 5, N = ELEMENTS - FIRST };
  pool p = {0};
  const double *w = pool_draw(&p, N, KERN_F32, 1.0), *step = pool_draw(&p, ROWS * D, KERN_F32, 0.1);
  double *want = pool_take(&p, N * sizeof *want);
  for (int64_t i = 0; i < N; i++) {
    const int64_t code = (FIRST + i) / D;
    int64_t row[3];
    rows_of(code, row);
    want[i] = w[i];
    for (int j = 0; code < CODES && j < 3; j++) want[i] += step[row[j] * D + (FIRST + i) % D];
  }
  FOR_SETUPS(run) {
    float *got = pool_typed(&p, w, N, KERN_F32);
    kern_digit_apply_args a = {
        .of = whole, .step = pool_typed(&p, step, ROWS * D, KERN_F32), .w = got};
    a.of.first = FIRST;
    a.of.n = N;
    RUN(run, digit_apply, &a);
    expect_close("w", got, KERN_F32, want, N, 1e-6);
    for (int64_t i = CODES * D - FIRST; i < N; i++) assert_true(got[i] == (float)w[i]);
  }
  pool_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sums_are_those_of_the_codes_with_a_digit),
      cmocka_unit_test(test_parts_add_up_to_the_same_bits),
      cmocka_unit_test(test_steps_are_those_of_adamw),
      cmocka_unit_test(test_rows_move_by_the_steps_of_their_digits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
