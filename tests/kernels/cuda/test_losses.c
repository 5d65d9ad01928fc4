// labels: quick
// Losses, quantization, patches and draws on the device against the CPU.
#include "tests/kernels/cuda/parity.h"

#include <math.h>

typedef struct {
  int64_t M, V, v_first;
} shape;
static const shape shapes[] = {{1, 3, 0}, {7, 40, 0}, {5, 1000, 8}, {3, 1031, 500}, {9, 4096, 0}};

// Targets of rows: within the columns, elsewhere, none.
static const int32_t *targets_of(side *s, const shape *h) {
  int32_t target[16];
  for (int64_t m = 0; m < h->M; m++)
    target[m] = m % 3 == 2 ? -1 : (int32_t)((m * 37 + 2) % (h->V + h->v_first));
  return side_given(s, VALUE_I32, target, h->M);
}

static void stats(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  // 4096 exponentials, which the CPU adds one after the other where its build has no vectors: 3e-6
  SIDE_RUN(s, xent_stats, .M = h->M, .V = h->V, .logits = side_draw(s, KERN_F32, h->M * h->V, 4.0),
           .target = targets_of(s, h), .v_first = h->v_first,
           .largest = side_out(s, "largest", VALUE_F32, h->M, 0),
           .sum = side_out(s, "sum", VALUE_F32, h->M, 1e-5),
           .target_logit = side_out(s, "target_logit", VALUE_F32, h->M, 0));
}

// Sums of slices, from a largest logit that is given; the statistics without their sum.
static void sums(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const float most[] = {5, 6, 7, 8, 9, 10, 11, 12, 13};
  kern_slices slices = {.count = 4, .segments = 1};
  for (int i = 0; i <= 4; i++) slices.at[0][i] = h->V * i / 4;
  SIDE_RUN(s, xent_sum, .M = h->M, .V = h->V, .logits = side_draw(s, KERN_F32, h->M * h->V, 4.0),
           .target = targets_of(s, h), .largest = side_given(s, VALUE_F32, most, h->M),
           .slices = &slices, .sum = side_out(s, "sum", VALUE_F32, h->M, 1e-5));
}
static void largest_alone(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  SIDE_RUN(s, xent_stats, .M = h->M, .V = h->V, .logits = side_draw(s, KERN_F32, h->M * h->V, 4.0),
           .target = targets_of(s, h), .v_first = h->v_first,
           .largest = side_out(s, "largest", VALUE_F32, h->M, 0),
           .target_logit = side_out(s, "target_logit", VALUE_F32, h->M, 0));
}
static void test_sums_of_slices_equal_the_cpu(void **state) {
  PARITY_SHAPES(sums, shapes, 1);
  PARITY_SHAPES(largest_alone, shapes, 1);
}

static void rescale(side *s, const void *of, kern_dtype type) {
  const float sum[] = {0.0f, 3.0f, 5.0f}, own[] = {-INFINITY, 1.0f, -2.0f},
              all[] = {-INFINITY, 1.0f, 4.0f};
  SIDE_RUN(s, xent_rescale, .M = 3, .own_largest = side_given(s, VALUE_F32, own, 3),
           .largest = side_given(s, VALUE_F32, all, 3),
           .sum = side_both_given(s, "sum", VALUE_F32, sum, 3, 5e-7));
}

static void gradient_with(side *s, const shape *h, kern_dtype type, bool loss_only, bool weighed) {
  const float scale = 0.375f;
  const double before = 0.25;
  float largest[16], sum[16], weight[16];
  for (int64_t m = 0; m < h->M; m++) {
    largest[m] = 12.0f + (float)m;
    sum[m] = 1.5f + (float)m;
    weight[m] = 0.5f + (float)(m % 3);
  }
  SIDE_RUN(s, xent_grad, .type = type, .M = h->M, .V = h->V,
           .logits = side_draw(s, KERN_F32, h->M * h->V, 4.0), .target = targets_of(s, h),
           .v_first = h->v_first, .largest = side_given(s, VALUE_F32, largest, h->M),
           .sum = side_given(s, VALUE_F32, sum, h->M),
           .target_logit = side_draw(s, KERN_F32, h->M, 4.0),
           .weight = weighed ? side_given(s, VALUE_F32, weight, h->M) : NULL, .z_loss = 1e-3f,
           .scale = side_given(s, VALUE_F32, &scale, 1),
           .loss_sum = side_both_given(s, "loss_sum", VALUE_F64, &before, 1, 1e-6),
           .dlogits = loss_only ? NULL : side_out(s, "dlogits", value_of(type), h->M * h->V, 1e-6));
}
static void gradient(side *s, const void *of, kern_dtype type) {
  gradient_with(s, of, type, false, false);
}
static void weighed(side *s, const void *of, kern_dtype type) {
  gradient_with(s, of, type, false, true);
}
static void loss_only(side *s, const void *of, kern_dtype type) {
  gradient_with(s, of, type, true, true);
}

static void test_cross_entropy_equals_the_cpu(void **state) {
  PARITY_SHAPES(stats, shapes, 1);
  PARITY_SHAPES(gradient, shapes, 1);
  PARITY_SHAPES(weighed, shapes, 1);
  PARITY_SHAPES(loss_only, shapes, 0);
  parity_check(rescale, NULL, KERN_F32, 0);
}

// -- quantization ---------------------------------------------------------------------------

typedef struct {
  int64_t M;
  int n;
  int32_t levels[8];
} grid;
static const grid grids[] = {{1, 1, {2}}, {300, 4, {8, 5, 5, 5}}, {33, 6, {3, 4, 2, 9, 16, 5}}};

static void quantize(side *s, const void *of, kern_dtype type) {
  const grid *g = of;
  SIDE_RUN(s, fsq_fwd, .type = type, .M = g->M, .n = g->n, .levels = g->levels,
           .z = side_draw(s, KERN_F32, g->M * g->n, 1.5),
           .code = side_out(s, "code", value_of(type), g->M * g->n, 0),
           .index = side_out(s, "index", VALUE_I32, g->M, 0));
}

static void quantize_backward(side *s, const void *of, kern_dtype type) {
  const grid *g = of;
  SIDE_RUN(s, fsq_bwd, .type = type, .M = g->M, .n = g->n, .levels = g->levels,
           .z = side_draw(s, KERN_F32, g->M * g->n, 1.5),
           .dcode = side_draw(s, type, g->M * g->n, 1.0),
           .dz = side_out(s, "dz", VALUE_F32, g->M * g->n, 1e-6));
}

static void look_up(side *s, const void *of, kern_dtype type) {
  const grid *g = of;
  int32_t codes = 1;
  for (int i = 0; i < g->n; i++) codes *= g->levels[i];
  SIDE_RUN(s, fsq_lookup, .type = type, .M = g->M, .n = g->n, .levels = g->levels,
           .index = side_ints(s, g->M, 0, codes),
           .code = side_out(s, "code", value_of(type), g->M * g->n, 0));
}

static void test_quantization_equals_the_cpu(void **state) {
  PARITY_SHAPES(quantize, grids, 1);
  PARITY_SHAPES(quantize_backward, grids, 1);
  PARITY_SHAPES(look_up, grids, 1);
}

// -- pixels ---------------------------------------------------------------------------------

typedef struct {
  int64_t B, rows, cols, p;
  bool u8;
} film;
static const film films[] = {{1, 1, 1, 1, true},
                             {2, 3, 2, 4, true},
                             {2, 3, 2, 4, false},
                             {1, 2, 3, 5, true},
                             {3, 4, 4, 8, false}};

static int64_t values_of(const film *f) {
  return f->B * f->rows * f->cols * 3 * f->p * f->p;
}
static const uint8_t *bytes_of(side *s, const film *f) {
  uint8_t v[16384];
  for (int64_t i = 0; i < values_of(f); i++) v[i] = (uint8_t)(i * 151 % 256);
  return f->u8 ? side_given(s, VALUE_U8, v, values_of(f)) : NULL;
}

static void patchify(side *s, const void *of, kern_dtype type) {
  const film *f = of;
  SIDE_RUN(s, patchify, .type = type, .B = f->B, .rows = f->rows, .cols = f->cols, .p = f->p,
           .frames_u8 = bytes_of(s, f),
           .frames_f32 = f->u8 ? NULL : side_draw(s, KERN_F32, values_of(f), 0.5),
           .x = side_out(s, "x", value_of(type), values_of(f), 1e-7));
}

static void unpatchify(side *s, const void *of, kern_dtype type) {
  const film *f = of;
  SIDE_RUN(s, unpatchify, .type = type, .B = f->B, .rows = f->rows, .cols = f->cols, .p = f->p,
           .x = side_draw(s, type, values_of(f), 1.0),
           .frames_u8 = side_out(s, "frames_u8", VALUE_U8, values_of(f), 0),
           .frames_f32 = f->u8 ? NULL : side_out(s, "frames_f32", VALUE_F32, values_of(f), 0));
}

static void pixel_loss_with(side *s, const film *f, kern_dtype type, bool loss_only) {
  const float scale = 0.01f;
  const double before = 1.5;
  // float32 inside runs: measured 1e-7
  SIDE_RUN(s, pixel_loss, .type = type, .B = f->B, .rows = f->rows, .cols = f->cols, .p = f->p,
           .x = side_draw(s, type, values_of(f), 1.0), .frames_u8 = bytes_of(s, f),
           .frames_f32 = f->u8 ? NULL : side_draw(s, KERN_F32, values_of(f), 0.5), .l2 = 0.8,
           .l1 = 0.3, .scale = side_given(s, VALUE_F32, &scale, 1),
           .loss_sum = side_both_given(s, "loss_sum", VALUE_F64, &before, 1, 1e-6),
           .dx = loss_only ? NULL : side_out(s, "dx", value_of(type), values_of(f), 1e-6));
}
static void pixel_loss(side *s, const void *of, kern_dtype type) {
  pixel_loss_with(s, of, type, false);
}
static void pixel_loss_only(side *s, const void *of, kern_dtype type) {
  pixel_loss_with(s, of, type, true);
}

static void test_patches_and_their_loss_equal_the_cpu(void **state) {
  PARITY_SHAPES(patchify, films, 1);
  PARITY_SHAPES(unpatchify, films, 1);
  PARITY_SHAPES(pixel_loss, films, 1);
  PARITY_SHAPES(pixel_loss_only, films, 0);
}

// -- draws ----------------------------------------------------------------------------------

static void sample_at(side *s, const shape *h, float temperature) {
  const uint64_t samples[] = {77, 0xfedcba9876543210ull, 0, 3, 1ull << 32};
  // the counter's low word overflows inside a sample
  const uint64_t over = ((1ull << 32) - 1) / (uint64_t)(2 * h->V), draws[] = {over, 1, 2, 3, 4};
  const uint64_t seeds[] = {0x1234567890abcdefull, 1, 2, 3, 4};
  const float temperatures[] = {temperature, temperature, temperature, temperature, temperature};
  SIDE_RUN(s, sample, .M = h->M, .V = h->V, .rows_per_sample = 2,
           .logits = side_draw(s, KERN_F32, h->M * h->V, 2.0),
           .temperature = side_given(s, VALUE_F32, temperatures, 5),
           .seed = side_given(s, VALUE_RAW, seeds, sizeof seeds),
           .sample = side_given(s, VALUE_RAW, samples, sizeof samples),
           .draw = side_given(s, VALUE_RAW, draws, sizeof draws),
           .code = side_out(s, "code", VALUE_I32, h->M, 0),
           .log_prob = side_out(s, "log_prob", VALUE_F32, h->M, 1e-6));
}
static void sample(side *s, const void *of, kern_dtype type) {
  sample_at(s, of, 0.7f);
}
static void largest(side *s, const void *of, kern_dtype type) {
  sample_at(s, of, 0.0f);
}

static void ties(side *s, const void *of, kern_dtype type) {
  float logits[2 * 700] = {0};
  logits[1] = logits[300] = logits[699] = 2.0f;
  for (int i = 0; i < 700; i++) logits[700 + i] = i == 5 ? NAN : -INFINITY;
  SIDE_RUN(s, sample, .M = 2, .V = 700, .rows_per_sample = 2,
           .logits = side_given(s, VALUE_F32, logits, 2 * 700),
           .temperature = side_given(s, VALUE_F32, &(float){0.0f}, 1),
           .code = side_out(s, "code", VALUE_I32, 2, 0),
           .log_prob = side_out(s, "log_prob", VALUE_F32, 2, -1e-6)); // NaN on both sides
}

static void test_draws_are_the_cpus(void **state) {
  PARITY_SHAPES(sample, shapes, 0);
  PARITY_SHAPES(largest, shapes, 0);
  parity_check(ties, NULL, KERN_F32, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sums_of_slices_equal_the_cpu),
      cmocka_unit_test(test_cross_entropy_equals_the_cpu),
      cmocka_unit_test(test_quantization_equals_the_cpu),
      cmocka_unit_test(test_patches_and_their_loss_equal_the_cpu),
      cmocka_unit_test(test_draws_are_the_cpus),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
