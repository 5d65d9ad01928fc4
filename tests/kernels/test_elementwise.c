// labels: quick
// Conversions bit for bit, and a x + b y.
#include "tests/kernels/harness.h"

enum { N = 9001 }; // more than two strips, and a tail

// Every sign, exponent and upper mantissa with low bits below, at and above the tie.
static void fill_with_hard_cases(float *x) {
  static const uint32_t low[] = {0x0000, 0x0001, 0x7fff, 0x8000, 0x8001, 0xffff};
  for (int i = 0; i < N; i++) {
    uint32_t u = ((uint32_t)i * 0x9E3779B1u & 0xffff0000u) | low[i % 6];
    memcpy(x + i, &u, sizeof u);
  }
  x[0] = NAN, x[1] = -NAN, x[2] = INFINITY, x[3] = -INFINITY, x[4] = 3.4e38f, x[5] = 1e-45f;
}

static void test_casts_equal_the_scalar_conversions_bit_for_bit(void **state) {
  pool p = {0};
  float *x = pool_take(&p, N * sizeof *x), *back = pool_take(&p, N * sizeof *back);
  uint16_t *half = pool_take(&p, N * sizeof *half), *copy = pool_take(&p, N * sizeof *copy);
  fill_with_hard_cases(x);
  FOR_SETUPS(run) {
    kern_cast_args down = {.n = N, .from = KERN_F32, .to = KERN_BF16, .x = x, .y = half};
    RUN(run, cast, &down);
    kern_cast_args up = {.n = N, .from = KERN_BF16, .to = KERN_F32, .x = half, .y = back};
    RUN(run, cast, &up);
    kern_cast_args same = {.n = N, .from = KERN_BF16, .to = KERN_BF16, .x = half, .y = copy};
    RUN(run, cast, &same);
    for (int i = 0; i < N; i++) {
      assert_int_equal(half[i], kern_f32_to_bf16(x[i]));
      assert_int_equal(copy[i], half[i]);
      const float want = kern_bf16_to_f32(half[i]);
      assert_memory_equal(&back[i], &want, sizeof want);
    }
  }
  pool_free(&p);
}

static void check_axpby(kern_dtype type, float a, float b) {
  pool p = {0};
  double *x = pool_draw(&p, N, type, 1.0), *y = pool_draw(&p, N, type, 1.0);
  double *want = pool_take(&p, N * sizeof *want);
  for (int i = 0; i < N; i++) want[i] = (double)a * x[i] + (b == 0 ? 0 : (double)b * y[i]);
  if (b == 0) y[7] = NAN; // never read
  void *kept = NULL;
  FOR_SETUPS(run) {
    void *got = pool_typed(&p, y, N, type);
    kern_axpby_args args = {
        .type = type, .n = N, .a = a, .b = b, .x = pool_typed(&p, x, N, type), .y = got};
    RUN(run, axpby, &args);
    /* two float32 products and a sum: measured 7.5e-8 */
    expect_close("axpby", got, type, want, N, 2e-7);
    expect_same_bits(&p, &kept, run, got, N * kern_dtype_size(type));
  }
  pool_free(&p);
}

static void test_axpby_equals_double_and_never_reads_y_for_b_0(void **state) {
  for (kern_dtype type = KERN_F32; type <= KERN_BF16; type++) {
    check_axpby(type, 0.7f, -1.3f);
    check_axpby(type, 1.0f, 1.0f);
    check_axpby(type, -2.5f, 0.0f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_casts_equal_the_scalar_conversions_bit_for_bit),
      cmocka_unit_test(test_axpby_equals_double_and_never_reads_y_for_b_0),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
