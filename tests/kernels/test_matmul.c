// labels: quick
// The three products against plain loops in double, on every instruction set of this machine.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernels/cpu/cpu.h"
#include "tests/kernels/tensor.h"

typedef struct {
  int64_t M, N, K, ldx, ldy;
} shape;

// Real shapes in small, then odd ones; the last is tall enough for a packed operand.
static const shape shapes[] = {
    {68, 96, 32, 32, 96},   {1, 1, 1, 1, 1},          {5, 17, 8, 8, 17},
    {33, 40, 24, 31, 47},   {17, 3, 100, 100, 5},     {130, 64, 64, 96, 64},
    {1025, 7, 9, 9, 7},     {2100, 9, 8, 12, 10},     {300, 200, 40, 43, 200},
    {70, 33, 150, 150, 35}, {75, 40, 1056, 1060, 41}, {100, 576, 64, 70, 600},
};

typedef struct {
  kern_dtype type, y_type;
  cpu_level level;
  int threads;
} setting;

// Results are sums of K products of Normal(0,1) numbers. float32: measured 1.1e-6 sqrt(K).
// bfloat16 results: half a unit in the last place, at most 2^-8 relative, plus the float32 part.
static double allowed(kern_dtype out, int64_t depth, double wanted) {
  const double sum = 4e-6 * sqrt((double)depth);
  return out == KERN_BF16 ? sum + fabs(wanted) * 0x1p-8 : sum;
}

static void expect_close(kern_dtype type, const void *got, int64_t at, double wanted,
                         int64_t depth) {
  const double error = fabs(tensor_get(type, got, at) - wanted);
  if (!(error <= allowed(type, depth, wanted)))
    fail_msg("element %" PRId64 ": got %.9g, wanted %.9g", at, tensor_get(type, got, at), wanted);
}

static kern *create(const setting *s) {
  kern *k;
  assert_int_equal(cpu_create(s->threads, s->level, &k), ORR_OK);
  return k;
}

enum { NO_ADD, ADD, ADD_IN_PLACE };

// w [N,K] packed at the setting's level.
static void *pack(const setting *s, const shape *h, const void *w) {
  kern *k = create(s);
  void *packed = orr_malloc(kern_packed_bytes(k, s->type, h->N, h->K));
  TENSOR_RUN(
      k, pack_weight,
      &(kern_pack_weight_args){.type = s->type, .N = h->N, .K = h->K, .w = w, .packed = packed});
  kern_destroy(k);
  return packed;
}

static void check_fwd(const setting *s, const shape *h, bool with_bias, int how, bool with_pack) {
  void *x = tensor_random(s->type, h->M * h->ldx, 1, 1),
       *w = tensor_random(s->type, h->N * h->K, 2, 1);
  float *bias = tensor_random(KERN_F32, h->N, 3, 1);
  void *y = tensor_random(s->y_type, h->M * h->ldy, 4, 1);
  void *before = tensor_copy(s->y_type, h->M * h->ldy, y);
  void *other = tensor_random(s->y_type, h->M * h->ldy, 5, 1);
  const void *add = how == ADD ? other : how == ADD_IN_PLACE ? y : NULL;
  void *packed = with_pack ? pack(s, h, w) : NULL;
  kern *k = create(s);
  TENSOR_RUN(k, matmul_fwd,
             &(kern_matmul_fwd_args){.type = s->type,
                                     .y_type = s->y_type,
                                     .M = h->M,
                                     .N = h->N,
                                     .K = h->K,
                                     .x = x,
                                     .w = w,
                                     .packed = packed,
                                     .bias = with_bias ? bias : NULL,
                                     .add = add,
                                     .y = y,
                                     .ldx = h->ldx,
                                     .ldy = h->ldy});
  for (int64_t m = 0; m < h->M; m++)
    for (int64_t n = 0; n < h->ldy; n++) {
      double wanted = tensor_get(s->y_type, before, m * h->ldy + n);
      if (n < h->N) {
        if (how == ADD) wanted = tensor_get(s->y_type, other, m * h->ldy + n);
        if (how == NO_ADD) wanted = 0;
        if (with_bias) wanted += bias[n];
        for (int64_t c = 0; c < h->K; c++)
          wanted += tensor_get(s->type, x, m * h->ldx + c) * tensor_get(s->type, w, n * h->K + c);
      }
      expect_close(s->y_type, y, m * h->ldy + n, wanted, h->K);
    }
  kern_destroy(k);
  orr_free(packed), orr_free(other), orr_free(before), orr_free(y), orr_free(bias), orr_free(w),
      orr_free(x);
}

static void check_bwd_x(const setting *s, const shape *h, bool accumulate) {
  void *dy = tensor_random(s->type, h->M * h->ldy, 1, 1),
       *w = tensor_random(s->type, h->N * h->K, 2, 1);
  void *dx = tensor_random(s->type, h->M * h->ldx, 3, 1);
  void *before = tensor_copy(s->type, h->M * h->ldx, dx);
  kern *k = create(s);
  TENSOR_RUN(k, matmul_bwd_x,
             &(kern_matmul_bwd_x_args){.type = s->type,
                                       .M = h->M,
                                       .N = h->N,
                                       .K = h->K,
                                       .dy = dy,
                                       .w = w,
                                       .dx = dx,
                                       .lddy = h->ldy,
                                       .lddx = h->ldx,
                                       .accumulate = accumulate});
  for (int64_t m = 0; m < h->M; m++)
    for (int64_t c = 0; c < h->ldx; c++) {
      double wanted = accumulate || c >= h->K ? tensor_get(s->type, before, m * h->ldx + c) : 0;
      for (int64_t n = 0; n < h->N && c < h->K; n++)
        wanted += tensor_get(s->type, dy, m * h->ldy + n) * tensor_get(s->type, w, n * h->K + c);
      expect_close(s->type, dx, m * h->ldx + c, wanted, h->N);
    }
  kern_destroy(k);
  orr_free(before), orr_free(dx), orr_free(w), orr_free(dy);
}

static void check_bwd_w(const setting *s, const shape *h, bool overwrite, bool with_bias) {
  void *dy = tensor_random(s->type, h->M * h->ldy, 1, 1),
       *x = tensor_random(s->type, h->M * h->ldx, 2, 1);
  float *dw = tensor_random(KERN_F32, h->N * h->K, 3, 1),
        *dbias = tensor_random(KERN_F32, h->N, 4, 1);
  float *dw_before = tensor_copy(KERN_F32, h->N * h->K, dw);
  float *dbias_before = tensor_copy(KERN_F32, h->N, dbias);
  kern *k = create(s);
  TENSOR_RUN(k, matmul_bwd_w,
             &(kern_matmul_bwd_w_args){.type = s->type,
                                       .M = h->M,
                                       .N = h->N,
                                       .K = h->K,
                                       .dy = dy,
                                       .x = x,
                                       .dw = dw,
                                       .dbias = with_bias ? dbias : NULL,
                                       .lddy = h->ldy,
                                       .ldx = h->ldx,
                                       .overwrite = overwrite});
  for (int64_t n = 0; n < h->N; n++) {
    for (int64_t c = 0; c < h->K; c++) {
      double wanted = overwrite ? 0 : dw_before[n * h->K + c];
      for (int64_t m = 0; m < h->M; m++)
        wanted += tensor_get(s->type, dy, m * h->ldy + n) * tensor_get(s->type, x, m * h->ldx + c);
      expect_close(KERN_F32, dw, n * h->K + c, wanted, h->M);
    }
    double wanted = overwrite && with_bias ? 0 : dbias_before[n];
    for (int64_t m = 0; m < h->M && with_bias; m++)
      wanted += tensor_get(s->type, dy, m * h->ldy + n);
    expect_close(KERN_F32, dbias, n, wanted, h->M);
  }
  kern_destroy(k);
  orr_free(dbias_before), orr_free(dw_before), orr_free(dbias), orr_free(dw), orr_free(x),
      orr_free(dy);
}

// Calls check(setting, shape) for every shape, level and type; float32 results of bfloat16 too.
static void for_each(void (*check)(const setting *, const shape *)) {
  static const kern_dtype types[][2] = {
      {KERN_F32, KERN_F32}, {KERN_BF16, KERN_BF16}, {KERN_BF16, KERN_F32}};
  for (int level = 0; level <= (int)cpu_level_detect(); level++)
    for (int t = 0; t < 3; t++)
      for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check(&(setting){types[t][0], types[t][1], (cpu_level)level, 1 + (int)i % 2}, &shapes[i]);
}

static void fwd(const setting *s, const shape *h) {
  for (int packed = 0; packed < 2; packed++) {
    check_fwd(s, h, false, NO_ADD, packed);
    check_fwd(s, h, true, ADD, packed);
    check_fwd(s, h, true, ADD_IN_PLACE, packed);
  }
}
static void bwd_x(const setting *s, const shape *h) {
  check_bwd_x(s, h, false);
  check_bwd_x(s, h, true);
}
static void bwd_w(const setting *s, const shape *h) {
  check_bwd_w(s, h, true, true);
  check_bwd_w(s, h, false, true);
  check_bwd_w(s, h, false, false);
}

static void test_forward_equals_sums_in_double(void **state) {
  for_each(fwd);
}
static void test_input_gradient_equals_sums_in_double(void **state) {
  for_each(bwd_x);
}
static void test_weight_gradient_equals_sums_in_double(void **state) {
  for_each(bwd_w);
}

static void test_bias_gradient_has_the_same_bits_for_any_number_of_threads(void **state) {
  const int64_t M = 1000, N = 67, K = 8;
  float *dy = tensor_random(KERN_F32, M * N, 1, 1), *x = tensor_random(KERN_F32, M * K, 2, 1);
  float dw[67 * 8], dbias[2][67];
  for (int threads = 1; threads <= 2; threads++) {
    kern *k = create(&(setting){.level = cpu_level_detect(), .threads = threads});
    TENSOR_RUN(k, matmul_bwd_w,
               &(kern_matmul_bwd_w_args){.M = M,
                                         .N = N,
                                         .K = K,
                                         .dy = dy,
                                         .x = x,
                                         .dw = dw,
                                         .dbias = dbias[threads - 1],
                                         .overwrite = true});
    kern_destroy(k);
  }
  assert_memory_equal(dbias[0], dbias[1], sizeof dbias[0]);
  orr_free(x), orr_free(dy);
}

static void test_tiles_give_the_same_bits_for_any_number_of_threads(void **state) {
  enum { M = 300, N = 224, K = 96 };
  if (cpu_level_detect() < CPU_LEVEL_AMX) {
    print_message("skipped: this machine has no AMX tiles\n");
    skip();
  }
  uint16_t *x = tensor_random(KERN_BF16, M * K, 1, 1), *w = tensor_random(KERN_BF16, N * K, 2, 1);
  uint16_t *dy = tensor_random(KERN_BF16, M * N, 3, 1);
  uint16_t *y = orr_calloc(3 * M * N, 2), *dx = orr_calloc(3 * M * K, 2);
  float *dw = orr_calloc(3 * N * K, sizeof *dw);
  for (int i = 0; i < 3; i++) {
    kern *k = create(&(setting){.level = CPU_LEVEL_AMX, .threads = i + 1});
    assert_int_equal(kern_commit(k), ORR_OK);
    const kern_matmul_fwd_args f = {.type = KERN_BF16,
                                    .y_type = KERN_BF16,
                                    .M = M,
                                    .N = N,
                                    .K = K,
                                    .x = x,
                                    .w = w,
                                    .y = y + i * M * N};
    const kern_matmul_bwd_x_args b = {
        .type = KERN_BF16, .M = M, .N = N, .K = K, .dy = dy, .w = w, .dx = dx + i * M * K};
    const kern_matmul_bwd_w_args g = {.type = KERN_BF16,
                                      .M = M,
                                      .N = N,
                                      .K = K,
                                      .dy = dy,
                                      .x = x,
                                      .dw = dw + i * N * K,
                                      .overwrite = true};
    assert_int_equal(kern_matmul_fwd(k, &f), ORR_OK);
    assert_int_equal(kern_matmul_bwd_x(k, &b), ORR_OK);
    assert_int_equal(kern_matmul_bwd_w(k, &g), ORR_OK);
    kern_destroy(k);
    assert_memory_equal(y, y + i * M * N, M * N * 2);
    assert_memory_equal(dx, dx + i * M * K, M * K * 2);
    assert_memory_equal(dw, dw + i * N * K, N * K * sizeof *dw);
  }
  orr_free(dw), orr_free(dx), orr_free(y), orr_free(dy), orr_free(w), orr_free(x);
}

static void rows_alone(const setting *s, const shape *h) {
  if (h->M > 300) return; // a matter of seconds, and nothing new
  void *x = tensor_random(s->type, h->M * h->ldx, 1, 1),
       *w = tensor_random(s->type, h->N * h->K, 2, 1);
  void *y = tensor_random(s->y_type, h->M * h->ldy, 3, 1),
       *one = tensor_copy(s->y_type, h->M * h->ldy, y);
  void *packed = pack(s, h, w);
  kern_matmul_fwd_args a = {.type = s->type,
                            .y_type = s->y_type,
                            .M = h->M,
                            .N = h->N,
                            .K = h->K,
                            .x = x,
                            .w = w,
                            .packed = packed,
                            .y = y,
                            .ldx = h->ldx,
                            .ldy = h->ldy};
  kern *k = create(&(setting){s->type, s->y_type, s->level, 3});
  assert_int_equal(kern_commit(k), ORR_OK);
  assert_int_equal(kern_matmul_fwd(k, &a), ORR_OK);
  kern_destroy(k);
  k = create(&(setting){s->type, s->y_type, s->level, 1});
  assert_int_equal(kern_commit(k), ORR_OK);
  const int64_t several[] = {1, 2, 5, 3, 7, 4, 11, 6, 13};
  for (int64_t m = 0, i = 0; m < h->M; m += a.M, i++) {
    a.M = h->M - m < several[i % 9] ? h->M - m : several[i % 9];
    a.x = (char *)x + (size_t)(m * h->ldx) * kern_dtype_size(s->type);
    a.y = (char *)one + (size_t)(m * h->ldy) * kern_dtype_size(s->y_type);
    assert_int_equal(kern_matmul_fwd(k, &a), ORR_OK);
  }
  assert_memory_equal(y, one, (size_t)(h->M * h->ldy) * kern_dtype_size(s->y_type));
  kern_destroy(k);
  orr_free(packed), orr_free(one), orr_free(y), orr_free(w), orr_free(x);
}

static void test_with_packed_weights_a_row_has_its_bits_whatever_rows_there_are(void **state) {
  for_each(rows_alone);
}

static void test_no_rows_give_no_gradient(void **state) {
  kern *k = create(&(setting){.level = cpu_level_detect(), .threads = 1});
  float dw[4] = {1, 2, 3, 4}, dbias[2] = {5, 6};
  kern_matmul_bwd_w_args a = {.M = 0, .N = 2, .K = 2, .dw = dw, .dbias = dbias};
  TENSOR_RUN(k, matmul_bwd_w, &a);
  assert_true(dw[3] == 4 && dbias[1] == 6);
  a.overwrite = true;
  assert_int_equal(kern_matmul_bwd_w(k, &a), ORR_OK);
  assert_true(dw[3] == 0 && dbias[1] == 0);
  kern_destroy(k);
}

static void test_a_shape_that_was_not_planned_runs_and_is_counted(void **state) {
  float x[2] = {2, 3}, w[2] = {5, 7}, y = 0;
  kern *k = create(&(setting){.level = cpu_level_detect(), .threads = 1});
  assert_int_equal(kern_commit(k), ORR_OK);
  const kern_matmul_fwd_args a = {.M = 1, .N = 1, .K = 2, .x = x, .w = w, .y = &y};
  assert_int_equal(kern_matmul_fwd(k, &a), ORR_OK);
  const int64_t late = k->late_plans;
  assert_true(late >= 1);
  assert_true(y == 31.0f);
  assert_int_equal(kern_matmul_fwd(k, &a), ORR_OK);
  assert_int_equal(k->late_plans, late);
  kern_destroy(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_sums_in_double),
      cmocka_unit_test(test_input_gradient_equals_sums_in_double),
      cmocka_unit_test(test_weight_gradient_equals_sums_in_double),
      cmocka_unit_test(test_bias_gradient_has_the_same_bits_for_any_number_of_threads),
      cmocka_unit_test(test_tiles_give_the_same_bits_for_any_number_of_threads),
      cmocka_unit_test(test_with_packed_weights_a_row_has_its_bits_whatever_rows_there_are),
      cmocka_unit_test(test_no_rows_give_no_gradient),
      cmocka_unit_test(test_a_shape_that_was_not_planned_runs_and_is_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
