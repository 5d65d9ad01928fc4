// labels: quick
// QK-norm with RoPE on the device against the CPU: several heads a warp, one, and odd packs.
#include "tests/kernels/cuda/parity.h"

#include <math.h>

typedef struct {
  int64_t M, H, G, K, pos_div, pos_mod;
} shape;
static const shape shapes[] = {{1, 1, 1, 16, 1, 1},   {37, 4, 4, 64, 3, 5}, {11, 30, 3, 64, 1, 7},
                               {9, 2, 1, 128, 2, 3},  {21, 3, 3, 48, 1, 4}, {5, 2, 2, 256, 1, 5},
                               {90, 5, 1, 16, 9, 11}, {6, 3, 1, 10, 1, 6}};

typedef struct {
  const float *q_w, *k_w, *cos, *sin;
} tables;

static tables tables_of(side *s, const shape *h) {
  enum { MOST = 1024 };
  const int64_t n = h->pos_mod * h->K / 2;
  float cosine[MOST], sine[MOST];
  assert_true(n <= MOST);
  for (int64_t i = 0; i < n; i++) {
    cosine[i] = cosf((float)i);
    sine[i] = sinf((float)i);
  }
  return (tables){.q_w = side_draw(s, KERN_F32, h->K, 1.0),
                  .k_w = side_draw(s, KERN_F32, h->K, 1.0),
                  .cos = side_given(s, VALUE_F32, cosine, n),
                  .sin = side_given(s, VALUE_F32, sine, n)};
}

static void forward(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const tables t = tables_of(s, h);
  const int64_t heads = h->H + h->G;
  // sums of up to 256 terms in another order: measured 1.5e-7
  SIDE_RUN(s, qknorm_rope_fwd, .type = type, .M = h->M, .H = h->H, .G = h->G, .K = h->K,
           .qkv = side_draw(s, type, h->M * (heads + h->G) * h->K, 1.5), .q_w = t.q_w, .k_w = t.k_w,
           .cos = t.cos, .sin = t.sin, .pos_div = h->pos_div, .pos_mod = h->pos_mod,
           .qk = side_out(s, "qk", value_of(type), h->M * heads * h->K, 1e-6),
           .rstd = side_out(s, "rstd", VALUE_F32, h->M * heads, 1e-6));
}

static void backward(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const tables t = tables_of(s, h);
  const int64_t heads = h->H + h->G, width = (heads + h->G) * h->K;
  // dw sums up to 3000 terms in another order: measured 4e-7
  SIDE_RUN(s, qknorm_rope_bwd, .type = type, .M = h->M, .H = h->H, .G = h->G, .K = h->K,
           .qkv = side_draw(s, type, h->M * width, 1.0), .q_w = t.q_w, .k_w = t.k_w, .cos = t.cos,
           .sin = t.sin, .rstd = side_draw(s, KERN_F32, h->M * heads, 1.0), .pos_div = h->pos_div,
           .pos_mod = h->pos_mod, .dqk = side_draw(s, type, h->M * heads * h->K, 1.0),
           .dqkv = side_both(s, "dqkv", type, h->M * width, 1.0, 2e-6),
           .dq_w = side_both(s, "dq_w", KERN_F32, h->K, 1.0, 4e-6),
           .dk_w = side_both(s, "dk_w", KERN_F32, h->K, 1.0, 4e-6));
}

// Sums of every five rows and head.
static void backward_by_units(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const tables t = tables_of(s, h);
  const int64_t heads = h->H + h->G, width = (heads + h->G) * h->K, units = h->M > 40 ? 8 : h->M,
                M = 5 * units;
  SIDE_RUN(s, qknorm_rope_bwd, .type = type, .M = M, .H = h->H, .G = h->G, .K = h->K,
           .qkv = side_draw(s, type, M * width, 1.0), .q_w = t.q_w, .k_w = t.k_w, .cos = t.cos,
           .sin = t.sin, .rstd = side_draw(s, KERN_F32, M * heads, 1.0), .pos_div = h->pos_div,
           .pos_mod = h->pos_mod, .dqk = side_draw(s, type, M * heads * h->K, 1.0),
           .dqkv = side_both(s, "dqkv", type, M * width, 1.0, 2e-6), .unit = 5,
           .dw_units = side_out(s, "dw_units", VALUE_F32, units * heads * h->K, 4e-6));
}

static void test_backward_by_units_equals_the_cpu(void **state) {
  PARITY_SHAPES(backward_by_units, shapes, 1);
}

static void test_forward_equals_the_cpu(void **state) {
  PARITY_SHAPES(forward, shapes, 1);
}
static void test_backward_equals_the_cpu(void **state) {
  PARITY_SHAPES(backward, shapes, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_the_cpu),
      cmocka_unit_test(test_backward_equals_the_cpu),
      cmocka_unit_test(test_backward_by_units_equals_the_cpu),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
