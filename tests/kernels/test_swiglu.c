// labels: quick
// SwiGLU against double loops and finite differences.
#include "tests/kernels/harness.h"

typedef struct {
  int64_t M, F;
} shape;
static const shape shapes[] = {{1, 24}, {3, 40}, {17, 100}, {5, 33}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct {
  shape s;
  double *gu, *dh;
} glu;

static double glu_forward(const glu *in, double *h) {
  const int64_t F = in->s.F;
  double loss = 0;
  for (int64_t m = 0; m < in->s.M; m++) {
    for (int64_t i = 0; i < F; i++) {
      const double g = in->gu[m * 2 * F + i], u = in->gu[m * 2 * F + F + i];
      const double y = g / (1 + exp(-g)) * u;
      loss += in->dh[m * F + i] * y;
      if (h) h[m * F + i] = y;
    }
  }
  return loss;
}

static double glu_loss(const void *ctx) {
  return glu_forward(ctx, NULL);
}

static glu draw_glu(pool *p, shape s, kern_dtype type) {
  glu in = {.s = s};
  in.gu = pool_draw(p, 2 * s.M * s.F, type, 3.0);
  in.dh = pool_draw(p, s.M * s.F, type, 1.0);
  return in;
}

static void check_forward(shape s, kern_dtype type) {
  pool p = {0};
  glu in = draw_glu(&p, s, type);
  const int64_t n = s.M * s.F;
  double *h = pool_take(&p, (size_t)n * sizeof *h);
  glu_forward(&in, h);
  void *kept = NULL;
  FOR_SETUPS(run) {
    void *got = pool_take(&p, (size_t)n * kern_dtype_size(type));
    kern_swiglu_fwd_args a = {
        .type = type, .M = s.M, .F = s.F, .gu = pool_typed(&p, in.gu, 2 * n, type), .h = got};
    RUN(run, swiglu_fwd, &a);
    /* an exponential and four roundings: measured 1.3e-7 */
    expect_close("h", got, type, h, n, 4e-7);
    expect_same_bits(&p, &kept, run, got, (size_t)n * kern_dtype_size(type));
  }
  pool_free(&p);
}

static void test_forward_equals_double_loops(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    check_forward(shapes[i], KERN_F32);
    check_forward(shapes[i], KERN_BF16);
  }
}

static void check_backward(shape s, kern_dtype type, bool in_place) {
  pool p = {0};
  glu in = draw_glu(&p, s, type);
  const int64_t n = s.M * s.F;
  double *dgu = pool_take(&p, (size_t)(2 * n) * sizeof *dgu);
  slopes(glu_loss, &in, in.gu, 2 * n, dgu);
  void *kept = NULL;
  FOR_SETUPS(run) {
    void *gu = pool_typed(&p, in.gu, 2 * n, type);
    void *got = in_place ? gu : pool_take(&p, (size_t)(2 * n) * kern_dtype_size(type));
    kern_swiglu_bwd_args a = {.type = type,
                              .M = s.M,
                              .F = s.F,
                              .gu = gu,
                              .dh = pool_typed(&p, in.dh, n, type),
                              .dgu = got};
    RUN(run, swiglu_bwd, &a);
    /* float32 against differences of step 1e-4: measured 2.1e-7 */
    expect_close("dgu", got, type, dgu, 2 * n, 1e-6);
    expect_same_bits(&p, &kept, run, got, (size_t)(2 * n) * kern_dtype_size(type));
  }
  pool_free(&p);
}

static void test_backward_equals_finite_differences_also_in_place(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    for (int in_place = 0; in_place < 2; in_place++) {
      check_backward(shapes[i], KERN_F32, in_place);
      check_backward(shapes[i], KERN_BF16, in_place);
    }
  }
}

static void test_large_gates_saturate_without_overflow(void **state) {
  const double gate[] = {-1e30, -1000, -90, 90, 1000, 1e30};
  const double want[] = {0, 0, 0, 90, 1000, 1e30};
  pool p = {0};
  FOR_SETUPS(run) {
    for (int i = 0; i < 6; i++) {
      float gu[2] = {(float)gate[i], 1.0f}, h = -1, dh = 1, dgu[2] = {-1, -1};
      kern_swiglu_fwd_args fwd = {.M = 1, .F = 1, .gu = gu, .h = &h};
      RUN(run, swiglu_fwd, &fwd);
      /* the sigmoid stops at 1.6e-38, which leaves -1.6e-8 of -1e30 */
      assert_true(fabs(h - want[i]) <= 1e-7 * fabs(want[i]) + 1e-7);
      kern_swiglu_bwd_args bwd = {.M = 1, .F = 1, .gu = gu, .dh = &dh, .dgu = dgu};
      RUN(run, swiglu_bwd, &bwd);
      assert_true(fabs(dgu[0] - (gate[i] > 0)) <= 1e-6);
      assert_true(fabs(dgu[1] - want[i]) <= 1e-7 * fabs(want[i]) + 1e-7);
    }
  }
  pool_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_double_loops),
      cmocka_unit_test(test_backward_equals_finite_differences_also_in_place),
      cmocka_unit_test(test_large_gates_saturate_without_overflow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
