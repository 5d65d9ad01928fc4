// labels: quick
// The list of parameters: places in flat memory, and initial values that follow from names alone.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "train/model/params.h"

static orr_code add(train_params *p, int64_t rows, int64_t cols, train_init init, bool fuse,
                    const char *name) {
  const train_param_spec s = {.ndim = cols ? 2 : 1,
                              .shape = {rows, cols},
                              .init = init,
                              .std = 0.02f,
                              .decay = cols > 0,
                              .adjoins_previous = fuse};
  return train_params_add(p, &s, NULL, "%s", name);
}

static void test_parameters_are_aligned_and_fused_ones_adjacent(void **state) {
  train_params p;
  train_params_init(&p);
  assert_int_equal(add(&p, 5, 0, TRAIN_INIT_ONES, false, "norm"), ORR_OK);
  assert_int_equal(add(&p, 3, 7, TRAIN_INIT_NORMAL, false, "q"), ORR_OK);
  assert_int_equal(add(&p, 2, 7, TRAIN_INIT_NORMAL, true, "k"), ORR_OK);
  assert_int_equal(add(&p, 2, 7, TRAIN_INIT_NORMAL, true, "v"), ORR_OK);
  assert_int_equal(add(&p, 4, 7, TRAIN_INIT_NORMAL, false, "o"), ORR_OK);
  assert_int_equal(p.list[0].at, 0);
  assert_int_equal(p.list[1].at, TRAIN_PARAM_ALIGN);
  assert_int_equal(p.list[2].at, p.list[1].at + 21);
  assert_int_equal(p.list[3].at, p.list[2].at + 14);
  assert_int_equal(p.list[4].at, 3 * TRAIN_PARAM_ALIGN);
  assert_int_equal(p.total, 4 * TRAIN_PARAM_ALIGN);
  assert_int_equal(train_params_elements(&p), 5 + 21 + 14 + 14 + 28);
  assert_ptr_equal(train_params_find(&p, "k"), &p.list[2]);
  assert_null(train_params_find(&p, "blocks.0"));
  train_params_release(&p);
  assert_int_equal(p.count, 0);
}

static double distance(const float *a, const float *b, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += (double)(a[i] - b[i]) * (double)(a[i] - b[i]);
  return sqrt(sum);
}

// Levels 4 x 3: code 5 has digits 1, 1; code 6 has 2, 1; code 10 has 2, 2.
static void test_codes_start_from_their_digits_alike_in_every_table(void **state) {
  enum { CODES = 12, D = 64 };
  const train_code_levels levels = {.n = 2, .level = {4, 3}};
  train_params p;
  train_params_init(&p);
  const train_param_spec s = {.ndim = 2,
                              .shape = {CODES + 1, D},
                              .init = TRAIN_INIT_CODES,
                              .std = 0.02f,
                              .levels = &levels};
  assert_int_equal(train_params_add(&p, &s, NULL, "embed"), ORR_OK);
  assert_int_equal(train_params_add(&p, &s, NULL, "head"), ORR_OK);
  float *w = orr_calloc((size_t)p.total, sizeof *w);
  train_params_fill(&p, 1, 0, p.total, w);
  const float *embed = w + p.list[0].at, *head = w + p.list[1].at;
  assert_memory_equal(embed, head, CODES * D * sizeof *w);
  // the row after the codes is nobody's digit
  assert_true(memcmp(embed + CODES * D, head + CODES * D, D * sizeof *w) != 0);
  double square = 0.0;
  for (int64_t i = 0; i < CODES * D; i++) square += (double)embed[i] * (double)embed[i];
  // 7 digits' rows of 64 draws: the law's deviation within its own of 3 %, five times
  assert_float_equal(sqrt(square / (CODES * D)), 0.02, 0.003);
  const double one = distance(embed + 5 * D, embed + 6 * D, D),
               two = distance(embed + 5 * D, embed + 10 * D, D);
  assert_true(one > 0.0 && one < two);
  // what a digit adds is the same beside any other digit: 5 - 6 = 1 - 2
  for (int64_t i = 0; i < D; i++)
    assert_float_equal(embed[5 * D + i] - embed[6 * D + i], embed[D + i] - embed[2 * D + i], 1e-6);
  orr_free(w);
  train_params_release(&p);
}

static void test_many_parameters_keep_their_names_and_shapes(void **state) {
  train_params p;
  ckpt_tensor *t = NULL;
  train_params_init(&p);
  for (int i = 0; i < 500; i++) {
    char name[32];
    snprintf(name, sizeof name, "blocks.%d.weight", i);
    assert_int_equal(add(&p, 1 + i, 2, TRAIN_INIT_NORMAL, false, name), ORR_OK);
  }
  assert_int_equal(train_params_tensors(&p, &t), ORR_OK);
  for (int i = 0; i < 500; i++) {
    assert_string_equal(t[i].name, p.list[i].name);
    assert_int_equal(t[i].ndim, 2);
    assert_int_equal(t[i].shape[0], 1 + i);
    assert_int_equal(t[i].shape[1], 2);
    assert_int_equal(p.list[i].count, 2 * (1 + i));
    if (i) assert_true(p.list[i].at >= p.list[i - 1].at + p.list[i - 1].count);
  }
  orr_free(t);
  train_params_release(&p);
}

static float *filled(const train_params *p, uint64_t seed) {
  float *flat = orr_malloc((size_t)p->total * sizeof *flat);
  memset(flat, 0, (size_t)p->total * sizeof *flat);
  // in two pieces, cut anywhere
  const int64_t cut = p->total / 3 + 1;
  train_params_fill(p, seed, 0, cut, flat);
  train_params_fill(p, seed, cut, p->total - cut, flat + cut);
  return flat;
}

static void test_initial_values_follow_from_seed_and_name_not_from_the_order(void **state) {
  train_params a, b;
  train_params_init(&a);
  train_params_init(&b);
  assert_int_equal(add(&a, 9, 9, TRAIN_INIT_NORMAL, false, "x"), ORR_OK);
  assert_int_equal(add(&a, 9, 9, TRAIN_INIT_NORMAL, false, "y"), ORR_OK);
  assert_int_equal(add(&b, 9, 9, TRAIN_INIT_NORMAL, false, "y"), ORR_OK);
  assert_int_equal(add(&b, 40, 3, TRAIN_INIT_NORMAL, false, "between"), ORR_OK);
  assert_int_equal(add(&b, 9, 9, TRAIN_INIT_NORMAL, false, "x"), ORR_OK);
  float *fa = filled(&a, 1), *fb = filled(&b, 1), *other = filled(&a, 2);
  const size_t bytes = 81 * sizeof(float);
  assert_memory_equal(fa + a.list[0].at, fb + b.list[2].at, bytes);
  assert_memory_equal(fa + a.list[1].at, fb + b.list[0].at, bytes);
  assert_memory_not_equal(fa + a.list[0].at, fa + a.list[1].at, bytes);
  assert_memory_not_equal(fa, other, bytes);
  orr_free(other);
  orr_free(fb);
  orr_free(fa);
  train_params_release(&b);
  train_params_release(&a);
}

static void test_initial_values_have_their_law_and_padding_is_zero(void **state) {
  train_params p;
  double mean = 0.0, square = 0.0, fourth = 0.0;
  const int n = 301 * 301;
  train_params_init(&p);
  assert_int_equal(add(&p, 301, 301, TRAIN_INIT_NORMAL, false, "normal"), ORR_OK);
  assert_int_equal(add(&p, 7, 0, TRAIN_INIT_ONES, false, "ones"), ORR_OK);
  assert_int_equal(add(&p, 7, 0, TRAIN_INIT_ZEROS, false, "zeros"), ORR_OK);
  float *w = filled(&p, 3);
  for (int i = 0; i < n; i++) {
    const double x = w[i] / 0.02;
    mean += x / n;
    square += x * x / n;
    fourth += x * x * x * x / n;
  }
  // N(0,1), 90601 draws: 5 standard errors of the first, second and fourth moment
  assert_true(fabs(mean) < 0.017);
  assert_true(fabs(square - 1.0) < 0.024);
  assert_true(fabs(fourth - 3.0) < 0.17);
  for (int64_t i = n; i < p.total; i++) {
    const bool one = i >= p.list[1].at && i < p.list[1].at + 7;
    assert_true(w[i] == (one ? 1.0f : 0.0f));
  }
  orr_free(w);
  train_params_release(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parameters_are_aligned_and_fused_ones_adjacent),
      cmocka_unit_test(test_codes_start_from_their_digits_alike_in_every_table),
      cmocka_unit_test(test_many_parameters_keep_their_names_and_shapes),
      cmocka_unit_test(test_initial_values_follow_from_seed_and_name_not_from_the_order),
      cmocka_unit_test(test_initial_values_have_their_law_and_padding_is_zero),
  };
  return cmocka_run_group_tests_name("train/params", tests, NULL, NULL);
}
