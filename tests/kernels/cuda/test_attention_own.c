// labels: quick
// Our own attention on the device against the CPU: tiles on tensor cores (bfloat16, heads of 64 and
// 128), rows (the rest), decoding. No library takes part, whatever it could compute.
#include <string.h>

#include "tests/kernels/cuda/device.h"
#include "tests/kernels/cuda/parity.h"

typedef struct {
  int64_t seqs, L, H, G, K;
  bool time, causal;
  int64_t window;
} shape;
// Sequences of a part of a tile, of one, of several; heads that share keys; windows that end inside
// tiles and steps; more units than a block takes.
static const shape shapes[] = {
    {3, 16, 2, 2, 64, true, true, 0},   {5, 5, 3, 1, 64, true, true, 3},
    {2, 33, 4, 2, 64, false, false, 0}, {1, 70, 2, 1, 64, true, true, 20},
    {2, 37, 2, 2, 128, true, true, 0},  {1, 40, 3, 1, 128, false, false, 0},
    {2, 40, 2, 1, 24, false, true, 7},  {3, 1, 3, 3, 16, true, true, 0},
    {1, 20, 1, 1, 33, false, true, 1},  {1, 70, 1, 1, 40, true, true, 33},
};

// q, k, v share rows, as after one projection; 8 columns more keep rows aligned.
typedef struct {
  int64_t rows, ld, ldo;
  kern_sequences sequences;
} layout;

static layout layout_of(const shape *h) {
  return (layout){.rows = h->seqs * h->L,
                  .ld = (h->H + 2 * h->G) * h->K + 8,
                  .ldo = h->H * h->K,
                  .sequences = {.seqs = h->seqs,
                                .L = h->L,
                                .inner = h->time ? h->seqs : 1,
                                .outer_stride = h->time ? 0 : h->L,
                                .inner_stride = 1,
                                .pos_stride = h->time ? h->seqs : 1,
                                .causal = h->causal,
                                .window = h->window}};
}

static void *at(kern_dtype type, void *p, int64_t elements) {
  return (char *)p + (size_t)elements * kern_dtype_size(type);
}

// float32: the order of sums, measured 6e-7. bfloat16: weights and ds are rounded, on the CPU with
// AMX only; measured 1.3e-3.
static double tolerance(kern_dtype type) {
  return type == KERN_BF16 ? 4e-3 : 5e-6;
}

static void forward_with(side *s, const shape *h, kern_dtype type, bool lse) {
  const layout l = layout_of(h);
  void *qkv = side_draw(s, type, l.rows * l.ld, 1.0);
  SIDE_RUN(s, attention_fwd, .type = type, .seq = l.sequences, .H = h->H, .G = h->G, .K = h->K,
           .q = qkv, .k = at(type, qkv, h->H * h->K), .v = at(type, qkv, (h->H + h->G) * h->K),
           .ldq = l.ld, .ldk = l.ld, .ldv = l.ld, .ldo = l.ldo,
           .o = side_out(s, "o", value_of(type), l.rows * l.ldo, tolerance(type)),
           .lse = lse ? side_out(s, "lse", VALUE_F32, h->seqs * h->H * h->L, 5e-6) : NULL);
}
static void forward(side *s, const void *of, kern_dtype type) {
  forward_with(s, of, type, true);
}
static void forward_alone(side *s, const void *of, kern_dtype type) {
  forward_with(s, of, type, false);
}

// lse as a forward pass over such draws leaves them, about ln(L) and more.
static const float *lse_of(side *s, const shape *h) {
  float lse[512];
  const int64_t n = h->seqs * h->H * h->L;
  assert_true(n <= 512);
  for (int64_t i = 0; i < n; i++) lse[i] = 3.5f + 0.01f * (float)(i % 50);
  return side_given(s, VALUE_F32, lse, n);
}

static void backward(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const layout l = layout_of(h);
  void *qkv = side_draw(s, type, l.rows * l.ld, 1.0);
  void *dqkv = side_both(s, "dqkv", type, l.rows * l.ld, 1.0, tolerance(type));
  SIDE_RUN(s, attention_bwd, .type = type, .seq = l.sequences, .H = h->H, .G = h->G, .K = h->K,
           .q = qkv, .k = at(type, qkv, h->H * h->K), .v = at(type, qkv, (h->H + h->G) * h->K),
           .o = side_draw(s, type, l.rows * l.ldo, 0.5),
           .do_ = side_draw(s, type, l.rows * l.ldo, 1.0), .ldq = l.ld, .ldk = l.ld, .ldv = l.ld,
           .ldo = l.ldo, .dq = dqkv, .dk = at(type, dqkv, h->H * h->K),
           .dv = at(type, dqkv, (h->H + h->G) * h->K), .lddq = l.ld, .lddk = l.ld, .lddv = l.ld,
           .lse = lse_of(s, h));
}

static void test_forward_equals_the_cpu(void **state) {
  PARITY_SHAPES(forward, shapes, 1);
  parity_check(forward_alone, &shapes[1], KERN_BF16, 1);
}
static void test_backward_equals_the_cpu(void **state) {
  PARITY_SHAPES(backward, shapes, 1);
}

// The tolerances above are those of own kernels: a library that took the unmasked shapes would be
// tested here for what it is not. Plans alone show who computes.
static void test_no_library_takes_part(void **state) {
  kern *k = NULL;
  void *x;
  if (device_absent()) skip();
  assert_int_equal(device_create(&k), ORR_OK);
  const int64_t L = 33, K = 64, ld = 3 * K;
  assert_int_equal(kern_alloc(k, KERN_DEVICE, (size_t)(4 * L * ld), "a test", &x), ORR_OK);
  const kern_attention_fwd_args a = {
      .type = KERN_BF16,
      .seq = {.seqs = 1, .L = L, .inner = 1, .outer_stride = L, .pos_stride = 1},
      .H = 1,
      .G = 1,
      .K = K,
      .q = x,
      .k = at(KERN_BF16, x, K),
      .v = at(KERN_BF16, x, 2 * K),
      .ldq = ld,
      .ldk = ld,
      .ldv = ld,
      .ldo = ld,
      .o = at(KERN_BF16, x, L * ld)};
  assert_int_equal(kern_attention_fwd(k, &a), ORR_OK);
  assert_null(strstr(kern_attention_by(k, false, false), "cuDNN 9"));
  kern_free(k, KERN_DEVICE, x);
  kern_destroy(k);
}

// An argument: only who computes, not what.
int main(int argc, char **argv) {
  const struct CMUnitTest who[] = {cmocka_unit_test(test_no_library_takes_part)};
  device_choose_attention(KERN_ATTENTION_OWN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_the_cpu),
      cmocka_unit_test(test_backward_equals_the_cpu),
  };
  const int failed = cmocka_run_group_tests(who, NULL, NULL);
  return argc > 1 ? failed : failed + cmocka_run_group_tests(tests, NULL, NULL);
}
