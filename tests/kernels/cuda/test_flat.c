// labels: quick
// Elementwise ops, the optimizer and sums on the device against the CPU: whole packs and tails.
#include "tests/kernels/cuda/parity.h"

#include <math.h>

static const int64_t lengths[] = {1, 7, 64, 1023, 5000};

typedef struct {
  int64_t M, F;
} shape;
static const shape shapes[] = {{1, 8}, {3, 24}, {5, 7}, {2, 2056}, {300, 32}};

static void swiglu_forward(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  // the exponential of another library: measured 1.2e-7
  SIDE_RUN(s, swiglu_fwd, .type = type, .M = h->M, .F = h->F,
           .gu = side_draw(s, type, 2 * h->M * h->F, 2.0),
           .h = side_out(s, "h", value_of(type), h->M * h->F, 1e-6));
}

static void swiglu_backward(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  SIDE_RUN(s, swiglu_bwd, .type = type, .M = h->M, .F = h->F,
           .gu = side_draw(s, type, 2 * h->M * h->F, 2.0),
           .dh = side_draw(s, type, h->M * h->F, 1.0),
           .dgu = side_out(s, "dgu", value_of(type), 2 * h->M * h->F, 1e-6));
}

static void swiglu_in_place(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  void *gu = side_both(s, "dgu", type, 2 * h->M * h->F, 2.0, 1e-6);
  SIDE_RUN(s, swiglu_bwd, .type = type, .M = h->M, .F = h->F, .gu = gu,
           .dh = side_draw(s, type, h->M * h->F, 1.0), .dgu = gu);
}

static void test_swiglu_equals_the_cpu(void **state) {
  PARITY_SHAPES(swiglu_forward, shapes, 1);
  PARITY_SHAPES(swiglu_backward, shapes, 1);
  PARITY_SHAPES(swiglu_in_place, shapes, 0);
}

static void cast_there(side *s, const void *of, kern_dtype type) { // exact, NaN and Inf included
  const int64_t n = *(const int64_t *)of;
  const kern_dtype to = type == KERN_F32 ? KERN_BF16 : KERN_F32;
  SIDE_RUN(s, cast, .n = n, .from = type, .to = to, .x = side_draw(s, type, n, 3.0),
           .y = side_out(s, "y", value_of(to), n, 0));
}

static void cast_same(side *s, const void *of, kern_dtype type) {
  const int64_t n = *(const int64_t *)of;
  SIDE_RUN(s, cast, .n = n, .from = type, .to = type, .x = side_draw(s, type, n, 3.0),
           .y = side_out(s, "y", value_of(type), n, 0));
}

static void axpby(side *s, const void *of, kern_dtype type) {
  const int64_t n = *(const int64_t *)of;
  SIDE_RUN(s, axpby, .type = type, .n = n, .a = 0.7f, .b = -1.3f, .x = side_draw(s, type, n, 1.0),
           .y = side_both(s, "y", type, n, 1.0, 2e-7)); // one rounding more without fma
}

static void axpby_fresh(side *s, const void *of, kern_dtype type) {
  const int64_t n = *(const int64_t *)of;
  SIDE_RUN(s, axpby, .type = type, .n = n, .a = 0.7f, .x = side_draw(s, type, n, 1.0),
           .y = side_out(s, "y", value_of(type), n, 0));
}

static void test_casts_and_sums_of_two_equal_the_cpu(void **state) {
  PARITY_SHAPES(cast_there, lengths, 1);
  PARITY_SHAPES(cast_same, lengths, 1);
  PARITY_SHAPES(axpby, lengths, 1);
  PARITY_SHAPES(axpby_fresh, lengths, 1);
}

// type: whether there is a bfloat16 copy and an average.
static void adamw_with(side *s, int64_t n, bool more, bool skip) {
  const kern_clip_result verdict = {.scale = 0.5f, .skip = skip};
  kern_adamw_rates rates;
  side_ok(s, kern_adamw_rates_of(1e-2, 0.9, 0.95, 3, &rates));
  float v[5000];
  for (int64_t i = 0; i < n; i++) v[i] = 1e-3f * (float)(i % 17);
  // sums of three with and without fma: measured 1.2e-7
  SIDE_RUN(s, adamw, .n = n, .w = side_both(s, "w", KERN_F32, n, 1.0, 1e-6),
           .g = side_draw(s, KERN_F32, n, 0.1), .m = side_both(s, "m", KERN_F32, n, 0.1, 1e-6),
           .v = side_both_given(s, "v", VALUE_F32, v, n, 1e-6),
           .ema = more ? side_both(s, "ema", KERN_F32, n, 1.0, 1e-6) : NULL,
           .w_bf16 = more ? side_both(s, "w_bf16", KERN_BF16, n, 1.0, 1e-6) : NULL, .beta1 = 0.9f,
           .beta2 = 0.95f, .eps = 1e-8f, .weight_decay = 0.1f, .ema_decay = 0.99f,
           .rates = side_given(s, VALUE_RAW, &rates, sizeof rates),
           .verdict = side_given(s, VALUE_RAW, &verdict, sizeof verdict));
}

static void adamw(side *s, const void *of, kern_dtype type) {
  adamw_with(s, *(const int64_t *)of, type == KERN_BF16, false);
}
static void adamw_skipped(side *s, const void *of, kern_dtype type) {
  adamw_with(s, *(const int64_t *)of, type == KERN_BF16, true);
}

static void test_adamw_equals_the_cpu_and_skips(void **state) {
  PARITY_SHAPES(adamw, lengths, 0);
  PARITY_SHAPES(adamw_skipped, lengths, 0);
}

static void muon_blend_with(side *s, int64_t n, bool skip) {
  const kern_clip_result verdict = {.scale = 0.5f, .skip = skip};
  SIDE_RUN(s, muon_blend, .n = n, .g = side_both(s, "g", KERN_F32, n, 0.1, 1e-6),
           .m = side_both(s, "m", KERN_F32, n, 0.1, 1e-6), .momentum = 0.95f,
           .verdict = side_given(s, VALUE_RAW, &verdict, sizeof verdict));
}
static void muon_blend(side *s, const void *of, kern_dtype type) {
  muon_blend_with(s, *(const int64_t *)of, false);
}
static void muon_blend_skipped(side *s, const void *of, kern_dtype type) {
  muon_blend_with(s, *(const int64_t *)of, true);
}

static void muon_norm(side *s, const void *of, kern_dtype type) {
  const int64_t n = *(const int64_t *)of;
  const double sumsq = n == 64 ? 0.0 : 7.25;
  SIDE_RUN(s, muon_norm, .type = type, .n = n, .g = side_draw(s, KERN_F32, n, 1.0),
           .sumsq = side_given(s, VALUE_F64, &sumsq, 1),
           .x = side_out(s, "x", value_of(type), n, 1e-6));
}

// With a bfloat16 copy and an average where x is bfloat16.
static void muon_apply_with(side *s, int64_t n, kern_dtype type, bool skip) {
  const kern_clip_result verdict = {.scale = 0.5f, .skip = skip};
  const kern_adamw_rates rates = {.lr = 1e-2f};
  const bool more = type == KERN_BF16;
  SIDE_RUN(s, muon_apply, .type = type, .n = n, .x = side_draw(s, type, n, 1.0),
           .w = side_both(s, "w", KERN_F32, n, 1.0, 1e-6),
           .ema = more ? side_both(s, "ema", KERN_F32, n, 1.0, 1e-6) : NULL,
           .w_bf16 = more ? side_both(s, "w_bf16", KERN_BF16, n, 1.0, 1e-6) : NULL, .gain = 3.0f,
           .weight_decay = 0.1f, .ema_decay = 0.99f,
           .rates = side_given(s, VALUE_RAW, &rates, sizeof rates),
           .verdict = side_given(s, VALUE_RAW, &verdict, sizeof verdict));
}
static void muon_apply(side *s, const void *of, kern_dtype type) {
  muon_apply_with(s, *(const int64_t *)of, type, false);
}
static void muon_apply_skipped(side *s, const void *of, kern_dtype type) {
  muon_apply_with(s, *(const int64_t *)of, type, true);
}

static void test_muon_equals_the_cpu_and_skips(void **state) {
  PARITY_SHAPES(muon_blend, lengths, 0);
  PARITY_SHAPES(muon_blend_skipped, lengths, 0);
  PARITY_SHAPES(muon_norm, lengths, 1);
  PARITY_SHAPES(muon_apply, lengths, 1);
  PARITY_SHAPES(muon_apply_skipped, lengths, 1);
}

// Two of three codes, from within a row on, and the mask's row.
static const kern_digits of_digits = {.n = 35, .first = 10, .D = 15, .digits = 2, .level = {1, 2}};

static void digit_sums(side *s, const void *of, kern_dtype type) {
  SIDE_RUN(s, digit_sums, .of = of_digits, .m = side_draw(s, KERN_F32, of_digits.n, 1.0),
           .v = side_draw(s, KERN_F32, of_digits.n, 1.0),
           .sums = side_out(s, "sums", VALUE_F64, 90, 0));
}
static void digit_steps(side *s, const void *of, kern_dtype type) {
  double sums[90];
  for (int i = 0; i < 90; i++) sums[i] = i < 45 ? 0.1 * i - 2.0 : 1e-3 * (i - 45);
  const kern_clip_result verdict = {.scale = 1.0f, .skip = *(const int32_t *)of};
  const kern_adamw_rates rates = {.rate = 2e-2f, .root_bias = 1.5f};
  SIDE_RUN(s, digit_steps, .n = 45, .sums = side_given(s, VALUE_F64, sums, 90), .share = 0.5f,
           .eps = 1e-8f, .rates = side_given(s, VALUE_RAW, &rates, sizeof rates),
           .verdict = side_given(s, VALUE_RAW, &verdict, sizeof verdict),
           .step = side_out(s, "step", VALUE_F32, 45, 1e-6));
}
static void digit_apply(side *s, const void *of, kern_dtype type) {
  SIDE_RUN(s, digit_apply, .of = of_digits, .step = side_draw(s, KERN_F32, 45, 1.0),
           .w = side_both(s, "w", KERN_F32, of_digits.n, 1.0, 1e-6));
}

static void test_steps_of_digits_equal_the_cpu_and_skip(void **state) {
  static const int32_t skip[] = {0, 1};
  PARITY_SHAPES(digit_sums, skip, 0);
  PARITY_SHAPES(digit_steps, skip, 0);
  PARITY_SHAPES(digit_apply, skip, 0);
}

static void clip(side *s, const void *of, kern_dtype type) {
  const double *sumsq_limit_loss = of; // and units, largest loss and norm
  const kern_clip_result none = {.scale = NAN, .skip = -1};
  SIDE_RUN(s, clip, .sumsq = side_given(s, VALUE_F64, &sumsq_limit_loss[0], 1),
           .limit = sumsq_limit_loss[1],
           .loss_sum = side_given(s, VALUE_F64, &sumsq_limit_loss[2], 1),
           .bounds = side_given(s, VALUE_F64, &sumsq_limit_loss[3], 3),
           .out = side_both_given(s, "verdict", VALUE_RAW, &none, sizeof none, 0));
}

static void test_verdicts_equal_the_cpu(void **state) {
  const double any = INFINITY;
  const double cases[][6] = {{4, 1, 3, 1, any, any},   {4, 0, 3, 1, any, any},
                             {4, 3, 3, 1, any, any},   {INFINITY, 1, 3, 1, any, any},
                             {NAN, 1, 3, 1, any, any}, {4, 1, NAN, 1, any, any},
                             {4, 1, 3, 2, 1.4, any},   {4, 1, 3, 2, 1.6, any},
                             {4, 1, 3, 1, any, 1.9},   {4, 1, 3, 0, 0, any}};
  for (int i = 0; i < 10; i++) parity_check(clip, cases[i], KERN_F32, 0);
}

static void sumsq(side *s, const void *of, kern_dtype type) {
  const int64_t n = *(const int64_t *)of;
  const double before = 2.5;
  // float64 in another order
  SIDE_RUN(s, sumsq, .n = n, .x = side_draw(s, KERN_F32, n, 1.0),
           .sum = side_both_given(s, "sum", VALUE_F64, &before, 1, 1e-13),
           .accumulate = type == KERN_BF16);
}

static void test_sums_of_squares_equal_the_cpu(void **state) {
  PARITY_SHAPES(sumsq, lengths, 0);
  const int64_t more[] = {0, 20000, 300001};
  PARITY_SHAPES(sumsq, more, 0);
}

static void fingerprint(side *s, const void *of, kern_dtype type) {
  const int64_t n = *(const int64_t *)of;
  const uint64_t before = 1ull << 63;
  SIDE_RUN(s, fingerprint, .n = n, .x = side_draw(s, KERN_F32, n, 1.0), .first = 1ll << 33,
           .sum = side_both_given(s, "sum", VALUE_RAW, &before, sizeof before, 0),
           .accumulate = type == KERN_BF16);
}

static void test_fingerprints_are_those_of_the_cpu(void **state) {
  PARITY_SHAPES(fingerprint, lengths, 1);
  const int64_t more[] = {0, 20000, 300001};
  PARITY_SHAPES(fingerprint, more, 1);
}

// As part of a matrix of rows of 7, whose places are 20 apart.
static void placed_fingerprint(side *s, const void *of, kern_dtype type) {
  const int64_t n = *(const int64_t *)of;
  const uint64_t before = 3;
  SIDE_RUN(s, fingerprint, .n = n, .x = side_draw(s, KERN_F32, n, 1.0), .first = 100, .width = 7,
           .pitch = 20, .offset = 3,
           .sum = side_both_given(s, "sum", VALUE_RAW, &before, sizeof before, 0),
           .accumulate = type == KERN_BF16);
}

static void test_fingerprints_by_places_are_those_of_the_cpu(void **state) {
  const int64_t more[] = {1, 5, 3000, 40001};
  PARITY_SHAPES(placed_fingerprint, more, 1);
}

// Where a window's total overflows its lower word depends on the backend's blocks; what it stands
// for does not.
static void squares(side *s, const void *of, kern_dtype type) {
  const int64_t n = *(const int64_t *)of;
  static const int64_t before[KERN_SQUARES_BINS] = {[3] = 5};
  int64_t *bins = side_given(s, VALUE_RAW, before, sizeof before);
  const kern_squares_args all = {
      .n = n, .x = side_draw(s, KERN_F32, n, type == KERN_BF16 ? 1e-18 : 1.0), .bins = bins};
  const kern_squares_sum_args value = {
      .count = 1, .bins = bins, .sum = side_out(s, "sum", VALUE_F64, 1, 0)};
  side_ok(s, kern_squares(s->k, &all));
  side_ok(s, kern_squares_sum(s->k, &value));
  side_begin(s);
  side_ok(s, kern_squares(s->k, &all));
  side_ok(s, kern_squares_sum(s->k, &value));
  side_end(s);
}

static void squares_sum(side *s, const void *of, kern_dtype type) {
  static const int64_t bins[2 * KERN_SQUARES_BINS] = {[33] = 5, [40] = 1 << 20, [70] = 3};
  SIDE_RUN(s, squares_sum, .count = 2, .bins = side_given(s, VALUE_RAW, bins, sizeof bins),
           .sum = side_out(s, "sum", VALUE_F64, 2, 0));
}

// Arrays that lie in groups of 3, with merges as of nodes on two ranks.
static void tree_sum(side *s, const void *of, kern_dtype type) {
  const int64_t n = *(const int64_t *)of;
  static const uint8_t merges[6] = {0, 0, 1, 0, 2, 0};
  SIDE_RUN(s, tree_sum, .type = type, .n = n, .count = 6, .x = side_draw(s, KERN_F32, 8 * n, 1.0),
           .inner = 3, .inner_stride = n, .outer_stride = 4 * n,
           .merges = n % 2 ? side_given(s, VALUE_RAW, merges, sizeof merges) : NULL,
           .add = n % 3 ? side_draw(s, type, n, 1.0) : NULL,
           .y = side_both(s, "y", type, n, 1.0, 0), .accumulate = type == KERN_F32 && n % 5 == 0);
}

static void add_up(side *s, const void *of, kern_dtype type) {
  static const double x[] = {1e16, 1.0, -1e16, 3.1}; // 3.1 in this order and in float64 alone
  SIDE_RUN(s, add_up, .n = 4, .x = side_given(s, VALUE_F64, x, 4),
           .sum = side_out(s, "sum", VALUE_F64, 1, 0));
}

static void test_sums_in_a_given_order_are_those_of_the_cpu(void **state) {
  const int64_t more[] = {1, 10, 33, 1000, 5005}, all[] = {0};
  PARITY_SHAPES(squares, more, 0);
  PARITY_SHAPES(tree_sum, more, 1);
  PARITY_SHAPES(squares_sum, all, 0);
  PARITY_SHAPES(add_up, all, 0);
}

static void bias(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  // sums of up to 700 terms in another order: measured 4e-7
  SIDE_RUN(s, matmul_bwd_w, .type = type, .M = h->M, .N = h->F, .K = 8,
           .dy = side_draw(s, type, h->M * (h->F + 8), 1.0), .x = side_draw(s, type, h->M * 8, 1.0),
           .dw = side_draw(s, KERN_F32, h->F * 8, 1.0),
           .dbias = side_both(s, "dbias", KERN_F32, h->F, 1.0, 2e-6), .lddy = h->F + 8,
           .overwrite = h->M % 2);
}

static void test_bias_gradients_equal_the_cpu(void **state) {
  const shape more[] = {{1, 8}, {700, 40}, {65, 7}, {130, 300}};
  PARITY_SHAPES(bias, more, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_swiglu_equals_the_cpu),
      cmocka_unit_test(test_casts_and_sums_of_two_equal_the_cpu),
      cmocka_unit_test(test_adamw_equals_the_cpu_and_skips),
      cmocka_unit_test(test_muon_equals_the_cpu_and_skips),
      cmocka_unit_test(test_steps_of_digits_equal_the_cpu_and_skip),
      cmocka_unit_test(test_verdicts_equal_the_cpu),
      cmocka_unit_test(test_sums_of_squares_equal_the_cpu),
      cmocka_unit_test(test_fingerprints_are_those_of_the_cpu),
      cmocka_unit_test(test_fingerprints_by_places_are_those_of_the_cpu),
      cmocka_unit_test(test_sums_in_a_given_order_are_those_of_the_cpu),
      cmocka_unit_test(test_bias_gradients_equal_the_cpu),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
