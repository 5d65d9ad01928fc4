// labels: quick
// The three products on the device against the CPU: every combination of types, strides, bias,
// addition and accumulation that training uses.
#include "tests/kernels/cuda/parity.h"

typedef struct {
  int64_t M, N, K;
  int64_t more; // elements of a row that belong to somebody else
} shape;
static const shape shapes[] = {
    {1, 8, 8, 0}, {64, 48, 40, 0}, {33, 17, 9, 0}, {70, 24, 56, 8}, {5, 130, 3, 1}};

// float32 sums in another order: measured 3e-7; bfloat16 by one unit of the last place
enum { F32_PER_BILLION = 3000 };
#define TOLERANCE (F32_PER_BILLION * 1e-9)

typedef struct {
  const shape *of;
  kern_dtype y_type;
  bool bias, add, in_place;
  bool late; // of slices: some have nothing of the first segment
} fwd;

static void forward(side *s, const void *of, kern_dtype type) {
  const fwd *f = of;
  const shape *h = f->of;
  const int64_t ldx = h->K + h->more, ldy = h->N + h->more; // dense ones are given as 0
  const void *x = side_draw(s, type, h->M * ldx, 1.0), *w = side_draw(s, type, h->N * h->K, 1.0);
  void *y = side_both(s, "y", f->y_type, h->M * ldy, 1.0, TOLERANCE);
  SIDE_RUN(s, matmul_fwd, .type = type, .y_type = f->y_type, .M = h->M, .N = h->N, .K = h->K,
           .x = x, .w = w, .bias = f->bias ? side_draw(s, KERN_F32, h->N, 2.0) : NULL,
           .add = f->in_place ? y
                  : f->add    ? side_draw(s, f->y_type, h->M * ldy, 3.0)
                              : NULL,
           .y = y, .ldx = h->more ? ldx : 0, .ldy = h->more ? ldy : 0);
}

static void test_forward_equals_the_cpu(void **state) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (int bits = 0; bits < 6; bits++) {
      const fwd f = {&shapes[i], KERN_F32, bits & 1, bits / 2 == 1, bits / 2 == 2};
      fwd rounded = f;
      rounded.y_type = KERN_BF16;
      parity_check(forward, &f, KERN_F32, 1);
      parity_check(forward, &f, KERN_BF16, 1);
      parity_check(forward, &rounded, KERN_BF16, 1);
    }
}

typedef struct {
  const shape *of;
  bool accumulate, bias;
} bwd;

static void backward_x(side *s, const void *of, kern_dtype type) {
  const bwd *b = of;
  const shape *h = b->of;
  const int64_t lddy = h->N + h->more, lddx = h->K + h->more;
  SIDE_RUN(s, matmul_bwd_x, .type = type, .M = h->M, .N = h->N, .K = h->K,
           .dy = side_draw(s, type, h->M * lddy, 1.0), .w = side_draw(s, type, h->N * h->K, 1.0),
           .dx = side_both(s, "dx", type, h->M * lddx, 1.0, TOLERANCE), .lddy = h->more ? lddy : 0,
           .lddx = h->more ? lddx : 0, .accumulate = b->accumulate);
}

static void backward_w(side *s, const void *of, kern_dtype type) {
  const bwd *b = of;
  const shape *h = b->of;
  const int64_t lddy = h->N + h->more, ldx = h->K + h->more;
  SIDE_RUN(s, matmul_bwd_w, .type = type, .M = h->M, .N = h->N, .K = h->K,
           .dy = side_draw(s, type, h->M * lddy, 1.0), .x = side_draw(s, type, h->M * ldx, 1.0),
           .dw = side_both(s, "dw", KERN_F32, h->N * h->K, 1.0, TOLERANCE),
           .dbias = b->bias ? side_both(s, "dbias", KERN_F32, h->N, 1.0, TOLERANCE) : NULL,
           .lddy = h->more ? lddy : 0, .ldx = h->more ? ldx : 0, .overwrite = !b->accumulate);
}

static void test_backward_equals_the_cpu(void **state) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (int bits = 0; bits < 4; bits++) {
      const bwd b = {&shapes[i], bits & 1, bits & 2};
      for (kern_dtype type = KERN_F32; type <= KERN_BF16; type++) {
        if (!b.bias) parity_check(backward_x, &b, type, 1);
        parity_check(backward_w, &b, type, 1);
      }
    }
}

// Two segments of `depth` in eight slices each; `late`: the first four have nothing of the first
// segment.
static kern_slices eight_of(int64_t depth, bool late) {
  kern_slices slices = {.count = 8, .segments = 2};
  for (int i = 0; i <= 8; i++) {
    slices.at[0][i] = late ? depth / 2 * (i > 4 ? i - 4 : 0) / 4 : depth / 2 * i / 8;
    slices.at[1][i] = depth / 2 + depth / 2 * i / 8;
  }
  return slices;
}

static void sliced_forward(side *s, const void *of, kern_dtype type) {
  const fwd *f = of;
  const shape *h = f->of;
  const kern_slices slices = eight_of(h->K, f->late);
  SIDE_RUN(s, matmul_fwd, .type = type, .y_type = type, .M = h->M, .N = h->N, .K = h->K,
           .x = side_draw(s, type, h->M * h->K, 1.0), .w = side_draw(s, type, h->N * h->K, 1.0),
           .add = f->add ? side_draw(s, type, h->M * h->N, 3.0) : NULL,
           .y = side_out(s, "y", type, h->M * h->N, TOLERANCE), .slices = &slices);
}

static void sliced_backward(side *s, const void *of, kern_dtype type) {
  const fwd *f = of;
  const shape *h = f->of;
  const kern_slices slices = eight_of(h->N, f->late);
  SIDE_RUN(s, matmul_bwd_x, .type = type, .M = h->M, .N = h->N, .K = h->K,
           .dy = side_draw(s, type, h->M * h->N, 1.0), .w = side_draw(s, type, h->N * h->K, 1.0),
           .dx = side_both(s, "dx", type, h->M * h->K, 1.0, TOLERANCE), .accumulate = f->add,
           .slices = &slices);
}

static void test_products_in_slices_equal_the_cpu(void **state) {
  static const shape sliced[] = {{5, 16, 32, 0}, {64, 48, 80, 0}, {33, 32, 16, 0}};
  for (size_t i = 0; i < sizeof sliced / sizeof *sliced; i++)
    for (int add = 0; add < 2; add++) {
      const fwd f = {.of = &sliced[i], .add = add, .late = i == 0};
      for (kern_dtype type = KERN_F32; type <= KERN_BF16; type++) {
        parity_check(sliced_forward, &f, type, 1);
        parity_check(sliced_backward, &f, type, 1);
      }
    }
}

static void no_rows(side *s, const void *of, kern_dtype type) {
  const int64_t N = 6, K = 5;
  SIDE_RUN(s, matmul_bwd_w, .type = type, .M = 0, .N = N, .K = K, .dy = side_draw(s, type, 1, 1.0),
           .x = side_draw(s, type, 1, 1.0), .dw = side_both(s, "dw", KERN_F32, N * K, 1.0, 0),
           .overwrite = *(const bool *)of);
}

static void test_a_product_of_no_rows_is_zero_or_nothing(void **state) {
  const bool overwrite[] = {false, true};
  PARITY_SHAPES(no_rows, overwrite, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_the_cpu),
      cmocka_unit_test(test_backward_equals_the_cpu),
      cmocka_unit_test(test_products_in_slices_equal_the_cpu),
      cmocka_unit_test(test_a_product_of_no_rows_is_zero_or_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
