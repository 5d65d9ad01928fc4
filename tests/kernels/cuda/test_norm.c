// labels: quick
// RMSNorm on the device against the CPU: rows of a warp, of several warps, wide and single access.
#include "tests/kernels/cuda/parity.h"

typedef struct {
  int64_t M, D;
} shape;
static const shape shapes[] = {{1, 8},     {70, 64},  {5, 100},  {3, 33}, {9, 256},
                               {33, 1920}, {2, 3800}, {3, 1001}, {90, 24}};

static void forward(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  // another order of the sum: measured 2e-7
  SIDE_RUN(s, rmsnorm_fwd, .type = type, .M = h->M, .D = h->D,
           .x = side_draw(s, type, h->M * h->D, 1.5), .w = side_draw(s, KERN_F32, h->D, 1.0),
           .y = side_out(s, "y", value_of(type), h->M * h->D, 1e-6),
           .rstd = side_out(s, "rstd", VALUE_F32, h->M, 1e-6));
}

static void backward(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  SIDE_RUN(s, rmsnorm_bwd, .type = type, .M = h->M, .D = h->D,
           .dy = side_draw(s, type, h->M * h->D, 1.0), .x = side_draw(s, type, h->M * h->D, 1.5),
           .w = side_draw(s, KERN_F32, h->D, 1.0), .rstd = side_draw(s, KERN_F32, h->M, 1.0),
           .add = h->M % 2 ? side_draw(s, type, h->M * h->D, 1.0) : NULL,
           .dx = side_out(s, "dx", value_of(type), h->M * h->D, 2e-6),
           .dw = side_both(s, "dw", KERN_F32, h->D, 1.0, 2e-6));
}

// Sums of every three rows.
static void backward_by_units(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const int64_t M = 3 * h->M;
  SIDE_RUN(s, rmsnorm_bwd, .type = type, .M = M, .D = h->D, .dy = side_draw(s, type, M * h->D, 1.0),
           .x = side_draw(s, type, M * h->D, 1.5), .w = side_draw(s, KERN_F32, h->D, 1.0),
           .rstd = side_draw(s, KERN_F32, M, 1.0),
           .dx = side_out(s, "dx", value_of(type), M * h->D, 2e-6), .unit = 3,
           .dw_units = side_out(s, "dw_units", VALUE_F32, h->M * h->D, 2e-6));
}
static void backward_in_place(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  void *dx = side_both(s, "dx", type, h->M * h->D, 1.0, 2e-6);
  SIDE_RUN(s, rmsnorm_bwd, .type = type, .M = h->M, .D = h->D,
           .dy = side_draw(s, type, h->M * h->D, 1.0), .x = side_draw(s, type, h->M * h->D, 1.5),
           .w = side_draw(s, KERN_F32, h->D, 1.0), .rstd = side_draw(s, KERN_F32, h->M, 1.0),
           .add = dx, .dx = dx, .dw = side_both(s, "dw", KERN_F32, h->D, 1.0, 2e-6));
}

static void test_forward_equals_the_cpu(void **state) {
  PARITY_SHAPES(forward, shapes, 1);
}
static void test_backward_equals_the_cpu(void **state) {
  PARITY_SHAPES(backward, shapes, 1);
}
static void test_backward_in_place_equals_the_cpu(void **state) {
  PARITY_SHAPES(backward_by_units, shapes, 1);
  PARITY_SHAPES(backward_in_place, shapes, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_the_cpu),
      cmocka_unit_test(test_backward_equals_the_cpu),
      cmocka_unit_test(test_backward_in_place_equals_the_cpu),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
