// labels: quick
// RMSNorm against double loops and finite differences.
#include "tests/kernels/harness.h"

typedef struct {
  int64_t M, D;
} shape;
static const shape shapes[] = {{1, 24}, {3, 40}, {17, 100}, {70, 8}, {40, 33}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

// The inputs, as doubles.
typedef struct {
  int64_t M, D;
  double *x, *w, *dy;
} norm;

static void norm_forward(const norm *n, double *y, double *rstd) {
  for (int64_t m = 0; m < n->M; m++) {
    double squares = 0;
    for (int64_t i = 0; i < n->D; i++) squares += n->x[m * n->D + i] * n->x[m * n->D + i];
    rstd[m] = 1 / sqrt(squares / (double)n->D + 1e-6);
    for (int64_t i = 0; i < n->D; i++) y[m * n->D + i] = n->x[m * n->D + i] * rstd[m] * n->w[i];
  }
}

// sum of dy * y
static double norm_loss(const void *ctx) {
  const norm *n = ctx;
  double loss = 0;
  for (int64_t m = 0; m < n->M; m++) {
    double squares = 0, dot = 0;
    for (int64_t i = 0; i < n->D; i++) {
      double x = n->x[m * n->D + i];
      squares += x * x;
      dot += x * n->w[i] * n->dy[m * n->D + i];
    }
    loss += dot / sqrt(squares / (double)n->D + 1e-6);
  }
  return loss;
}

static norm draw_norm(pool *p, shape s, kern_dtype type) {
  norm n = {.M = s.M, .D = s.D};
  n.x = pool_draw(p, s.M * s.D, type, 1.5);
  n.w = pool_draw(p, s.D, KERN_F32, 1.0);
  n.dy = pool_draw(p, s.M * s.D, type, 1.0);
  return n;
}

static void check_forward(shape s, kern_dtype type) {
  pool p = {0};
  norm n = draw_norm(&p, s, type);
  double *y = pool_take(&p, (size_t)(s.M * s.D) * sizeof *y);
  double *rstd = pool_take(&p, (size_t)s.M * sizeof *rstd);
  norm_forward(&n, y, rstd);
  void *kept = NULL;
  FOR_SETUPS(run) {
    void *got = pool_take(&p, (size_t)(s.M * s.D) * kern_dtype_size(type));
    float *got_rstd = pool_take(&p, (size_t)s.M * sizeof *got_rstd);
    kern_rmsnorm_fwd_args a = {.type = type,
                               .M = s.M,
                               .D = s.D,
                               .x = pool_typed(&p, n.x, s.M * s.D, type),
                               .w = pool_typed(&p, n.w, s.D, KERN_F32),
                               .y = got,
                               .rstd = got_rstd};
    RUN(run, rmsnorm_fwd, &a);
    /* sums of 100 float32 terms and three roundings: measured 1.3e-7 */
    expect_close("y", got, type, y, s.M * s.D, 5e-7);
    expect_close("rstd", got_rstd, KERN_F32, rstd, s.M, 5e-7);
    expect_same_bits(&p, &kept, run, got, (size_t)(s.M * s.D) * kern_dtype_size(type));
  }
  pool_free(&p);
}

static void test_forward_equals_double_loops(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    check_forward(shapes[i], KERN_F32);
    check_forward(shapes[i], KERN_BF16);
  }
}

// `in_place`: the residual branch's gradient lies in dx.
static void check_backward(shape s, kern_dtype type, bool with_add, bool in_place) {
  pool p = {0};
  const int64_t n = s.M * s.D;
  norm in = draw_norm(&p, s, type);
  double *add = pool_draw(&p, n, type, 1.0), *dw0 = pool_draw(&p, s.D, KERN_F32, 1.0);
  double *y = pool_take(&p, (size_t)n * sizeof *y),
         *rstd = pool_take(&p, (size_t)s.M * sizeof *rstd);
  double *dx = pool_take(&p, (size_t)n * sizeof *dx), *dw = pool_take(&p, (size_t)s.D * sizeof *dw);
  norm_forward(&in, y, rstd);
  slopes(norm_loss, &in, in.x, n, dx);
  slopes(norm_loss, &in, in.w, s.D, dw);
  for (int64_t i = 0; i < n && with_add; i++) dx[i] += add[i];
  for (int64_t i = 0; i < s.D; i++) dw[i] += dw0[i];
  void *kept_dx = NULL, *kept_dw = NULL;
  FOR_SETUPS(run) {
    void *add_typed = pool_typed(&p, add, n, type);
    void *got = in_place ? add_typed : pool_take(&p, (size_t)n * kern_dtype_size(type));
    float *got_dw = pool_typed(&p, dw0, s.D, KERN_F32);
    kern_rmsnorm_bwd_args a = {.type = type,
                               .M = s.M,
                               .D = s.D,
                               .dy = pool_typed(&p, in.dy, n, type),
                               .x = pool_typed(&p, in.x, n, type),
                               .w = pool_typed(&p, in.w, s.D, KERN_F32),
                               .rstd = pool_typed(&p, rstd, s.M, KERN_F32),
                               .add = with_add ? add_typed : NULL,
                               .dx = got,
                               .dw = got_dw};
    RUN(run, rmsnorm_bwd, &a);
    /* float32 against differences of step 1e-4: measured 2.4e-7 */
    expect_close("dx", got, type, dx, n, 2e-6);
    expect_close("dw", got_dw, KERN_F32, dw, s.D, 2e-6);
    expect_same_bits(&p, &kept_dx, run, got, (size_t)n * kern_dtype_size(type));
    expect_same_bits(&p, &kept_dw, run, got_dw, (size_t)s.D * sizeof *got_dw);
  }
  pool_free(&p);
}

static void test_backward_equals_finite_differences(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    check_backward(shapes[i], KERN_F32, false, false);
    check_backward(shapes[i], KERN_BF16, false, false);
  }
}

static void test_backward_adds_the_residual_gradient_also_in_place(void **state) {
  check_backward(shapes[2], KERN_F32, true, false);
  check_backward(shapes[2], KERN_F32, true, true);
  check_backward(shapes[2], KERN_BF16, true, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_double_loops),
      cmocka_unit_test(test_backward_equals_finite_differences),
      cmocka_unit_test(test_backward_adds_the_residual_gradient_also_in_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
