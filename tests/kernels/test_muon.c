// labels: quick
// What Muon does to a matrix element by element, over several steps, against double.
#include "tests/kernels/harness.h"

enum { STEPS = 3 };
static const kern_clip_result quarter = {.scale = 0.25f};
static const kern_clip_result skipped = {.scale = NAN, .skip = 1};
static const kern_adamw_rates rates = {.lr = 1e-2f};

static void check_blend(int64_t n) {
  pool p = {0};
  double *g[STEPS], *u = pool_take(&p, (size_t)n * 8), *m = pool_take(&p, (size_t)n * 8);
  for (int t = 0; t < STEPS; t++) g[t] = pool_draw(&p, n, KERN_F32, 1.0);
  const double keep = 0.95f;
  for (int t = 0; t < STEPS; t++)
    for (int64_t i = 0; i < n; i++) {
      m[i] = keep * m[i] + (1 - keep) * 0.25 * g[t][i];
      u[i] = keep * m[i] + (1 - keep) * 0.25 * g[t][i];
    }
  void *kept = NULL;
  FOR_SETUPS(run) {
    kern_muon_blend_args a = {.n = n, .momentum = 0.95f, .verdict = &quarter};
    a.m = pool_take(&p, (size_t)n * 4);
    kern *k = NULL;
    assert_ok(cpu_create(run->threads, run->level, &k));
    assert_ok(kern_commit(k));
    for (int t = 0; t < STEPS; t++) {
      a.g = pool_typed(&p, g[t], n, KERN_F32);
      assert_ok(kern_muon_blend(k, &a));
    }
    kern_destroy(k);
    /* 1 - momentum is exact to 1e-7 of momentum only, 2e-6 of itself: measured 1.1e-7 */
    expect_close("m", a.m, KERN_F32, m, n, 2e-6);
    expect_close("u", a.g, KERN_F32, u, n, 2e-6);
    expect_same_bits(&p, &kept, run, a.g, (size_t)n * 4);
  }
  pool_free(&p);
}

static void test_momentum_and_direction_equal_those_in_double(void **state) {
  check_blend(7);
  check_blend(17);
  check_blend(3001);
}

static void check_norm(int64_t n, kern_dtype type) {
  pool p = {0};
  double *g = pool_draw(&p, n, KERN_F32, 1e-6), *want = pool_take(&p, (size_t)n * 8), sumsq = 0;
  for (int64_t i = 0; i < n; i++) sumsq += g[i] * g[i];
  for (int64_t i = 0; i < n; i++) want[i] = g[i] / sqrt(sumsq);
  FOR_SETUPS(run) {
    kern_muon_norm_args a = {.type = type, .n = n, .sumsq = &sumsq};
    a.g = pool_typed(&p, g, n, KERN_F32), a.x = pool_take(&p, (size_t)n * 4);
    RUN(run, muon_norm, &a);
    expect_close("x", a.x, type, want, n, 2e-7);
  }
  pool_free(&p);
}

static void test_the_norm_is_divided_out(void **state) {
  check_norm(17, KERN_F32);
  check_norm(3001, KERN_F32);
  check_norm(3001, KERN_BF16);
}

static void test_nothing_divided_by_nothing_is_nothing(void **state) {
  FOR_SETUPS(run) {
    const float g[3] = {0, 0, 0};
    float x[3] = {NAN, NAN, NAN};
    const double sumsq = 0;
    RUN(run, muon_norm, &((kern_muon_norm_args){.n = 3, .g = g, .sumsq = &sumsq, .x = x}));
    assert_true(x[0] == 0 && x[1] == 0 && x[2] == 0);
  }
}

static void check_apply(int64_t n, kern_dtype type) {
  pool p = {0};
  double *w0 = pool_draw(&p, n, KERN_F32, 1.0), *x = pool_draw(&p, n, type, 1.0),
         *w = pool_take(&p, (size_t)n * 8), *ema = pool_take(&p, (size_t)n * 8);
  for (int64_t i = 0; i < n; i++) {
    w[i] = w0[i] * (1 - 1e-3) - 1e-2 * 3 * x[i];
    ema[i] = 0.9 * w0[i] + 0.1 * w[i];
  }
  FOR_SETUPS(run) {
    kern_muon_apply_args a = {.type = type,
                              .n = n,
                              .gain = 3,
                              .weight_decay = 0.1f,
                              .ema_decay = 0.9f,
                              .rates = &rates,
                              .verdict = &skipped};
    a.x = pool_typed(&p, x, n, type), a.w = pool_typed(&p, w0, n, KERN_F32);
    a.ema = pool_typed(&p, w0, n, KERN_F32), a.w_bf16 = pool_take(&p, (size_t)n * 2);
    RUN(run, muon_apply, &a);
    expect_close("w of a skipped update", a.w, KERN_F32, w0, n, 0);
    expect_close("ema of a skipped update", a.ema, KERN_F32, w0, n, 0);
    a.verdict = &quarter;
    kern *k = NULL;
    assert_ok(cpu_create(run->threads, run->level, &k));
    assert_ok(kern_commit(k));
    assert_ok(kern_muon_apply(k, &a));
    kern_destroy(k);
    expect_close("w", a.w, KERN_F32, w, n, 1e-6);
    expect_close("ema", a.ema, KERN_F32, ema, n, 1e-6);
    for (int64_t i = 0; i < n; i++) assert_int_equal(a.w_bf16[i], kern_f32_to_bf16(a.w[i]));
  }
  pool_free(&p);
}

static void test_updates_equal_those_in_double_and_skipped_ones_leave_every_bit(void **state) {
  check_apply(17, KERN_F32);
  check_apply(3001, KERN_F32);
  check_apply(3001, KERN_BF16);
}

static void test_a_skipped_step_leaves_momentum_and_gradient(void **state) {
  FOR_SETUPS(run) {
    float g = 2, m = 0.5f;
    RUN(run, muon_blend,
        &((kern_muon_blend_args){.n = 1, .g = &g, .m = &m, .momentum = 0.9f, .verdict = &skipped}));
    assert_true(g == 2 && m == 0.5f);
  }
}

static void test_momentum_decays_to_zero_and_not_into_denormals(void **state) {
  FOR_SETUPS(run) {
    float g[2] = {0, 0}, m[2] = {1e-36f, 1e-30f};
    kern_muon_blend_args a = {.n = 2, .g = g, .m = m, .momentum = 0.9f, .verdict = &quarter};
    RUN(run, muon_blend, &a);
    assert_true(m[0] == 0 && g[0] == 0 && m[1] > 0 && g[1] > 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_momentum_and_direction_equal_those_in_double),
      cmocka_unit_test(test_the_norm_is_divided_out),
      cmocka_unit_test(test_nothing_divided_by_nothing_is_nothing),
      cmocka_unit_test(test_updates_equal_those_in_double_and_skipped_ones_leave_every_bit),
      cmocka_unit_test(test_a_skipped_step_leaves_momentum_and_gradient),
      cmocka_unit_test(test_momentum_decays_to_zero_and_not_into_denormals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
