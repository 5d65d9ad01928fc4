// labels: quick
// FSQ against values that were computed from the definition elsewhere (Python, float64), against
// its own inverse on every code, and finite differences of the bound.
#include "tests/kernels/harness.h"

enum { MOST = 4 };

typedef struct {
  int n;
  int32_t levels[MOST];
  int32_t codes; // product of the levels
} grid;
static const grid grids[] = {{4, {8, 5, 5, 5}, 1000}, {3, {7, 5, 2}, 70}, {3, {5, 4, 3}, 60}};
enum { GRIDS = sizeof grids / sizeof *grids };

typedef struct {
  int grid;
  float z[MOST];
  double code[MOST];
  int32_t index;
} known;

static const known knowns[] = {
    {0, {-3.0f, 0.3f, -0.9f, 2.0f}, {-1.0, 0.5, -0.5, 1.0}, 864},
    {0, {0, 0, 0, 0}, {0, 0, 0, 0}, 500},
    {0, {0.7f, -0.45f, 1.3f, -2.5f}, {0.5, -0.5, 1.0, -1.0}, 174},
    {0, {5, 5, 5, 5}, {0.75, 1, 1, 1}, 999},
    {0, {-5, -5, -5, -5}, {-1, -1, -1, -1}, 0},
    {0, {-0.2f, 0.9f, -0.1f, 0.4f}, {-0.25, 0.5, 0, 0.5}, 707},
    {1, {-3.0f, 0.3f, -0.9f}, {-1.0, 0.5, 0.0}, 56},
    {1, {0.7f, -0.45f, 1.3f}, {2.0 / 3, -0.5, 0}, 47},
    {1, {5, 5, 5}, {1, 1, 0}, 69},
    {1, {-5, -5, -5}, {-1, -1, -1}, 0},
    {1, {-0.2f, 0.9f, -0.1f}, {-1.0 / 3, 0.5, 0}, 58},
    {2, {-3.0f, 0.3f, -0.9f}, {-1.0, 0, -1.0}, 10},
    {2, {0, 0, 0}, {0, 0, 0}, 32},
    {2, {0.7f, -0.45f, 1.3f}, {0.5, -0.5, 1}, 48},
    {2, {5, 5, 5}, {1, 0.5, 1}, 59},
    {2, {-0.2f, 0.9f, -0.1f}, {0, 0.5, 0}, 37},
};

static void test_codes_and_indices_equal_known_values(void **state) {
  FOR_SETUPS(run) {
    for (size_t i = 0; i < sizeof knowns / sizeof *knowns; i++) {
      const known *want = &knowns[i];
      const grid *g = &grids[want->grid];
      for (kern_dtype type = KERN_F32; type <= KERN_BF16; type++) {
        float code[MOST] = {0}; // room for either type
        int32_t index = -1;
        kern_fsq_fwd_args a = {.type = type,
                               .M = 1,
                               .n = g->n,
                               .levels = g->levels,
                               .z = want->z,
                               .code = code,
                               .index = &index};
        RUN(run, fsq_fwd, &a);
        assert_int_equal(index, want->index);
        for (int d = 0; d < g->n; d++)
          assert_true(tensor_get(type, code, d) == rounded(want->code[d], type));
      }
    }
  }
}

// Middle of the interval of z that is rounded to `level`, in -L/2 .. (L-1)/2.
static double z_of_level(int32_t L, int32_t level) {
  const double half = (L - 1) * 1.001 / 2, offset = L % 2 == 0 ? 0.5 : 0.0;
  return atanh((level + offset) / half) - atanh(offset / half);
}

static void check_every_code(const grid *g, kern_dtype type) {
  pool p = {0};
  const int64_t M = g->codes;
  const size_t bytes = (size_t)(M * g->n) * kern_dtype_size(type);
  float *z = pool_take(&p, (size_t)(M * g->n) * sizeof *z);
  int32_t *all = pool_take(&p, (size_t)M * sizeof *all),
          *index = pool_take(&p, (size_t)M * sizeof *index);
  for (int64_t m = 0; m < M; m++) {
    int32_t rest = all[m] = (int32_t)m;
    for (int d = 0; d < g->n; d++) {
      const int32_t L = g->levels[d];
      z[m * g->n + d] = (float)z_of_level(L, rest % L - L / 2);
      rest /= L;
    }
  }
  FOR_SETUPS(run) {
    void *code = pool_take(&p, bytes), *looked_up = pool_take(&p, bytes);
    kern_fsq_fwd_args f = {
        .type = type, .M = M, .n = g->n, .levels = g->levels, .z = z, .code = code, .index = index};
    RUN(run, fsq_fwd, &f);
    assert_memory_equal(index, all, (size_t)M * sizeof *all);
    kern_fsq_lookup_args l = {
        .type = type, .M = M, .n = g->n, .levels = g->levels, .index = all, .code = looked_up};
    RUN(run, fsq_lookup, &l);
    assert_memory_equal(looked_up, code, bytes);
    f.index = NULL;
    RUN(run, fsq_fwd, &f);
    assert_memory_equal(looked_up, code, bytes);
  }
  pool_free(&p);
}

static void test_every_code_is_reached_and_looked_up_alike(void **state) {
  for (int i = 0; i < GRIDS; i++) {
    check_every_code(&grids[i], KERN_F32);
    check_every_code(&grids[i], KERN_BF16);
  }
}

typedef struct {
  const grid *g;
  int64_t M;
  double *z, *dcode;
} bound;

// sum of dcode times the codes before rounding. The constants are float32, as in the definition:
// for two levels the shift lies where atanh is so steep that this shows in the 5th digit.
static double bound_loss(const void *ctx) {
  const bound *b = ctx;
  double loss = 0;
  for (int64_t i = 0; i < b->M * b->g->n; i++) {
    const int32_t L = b->g->levels[i % b->g->n];
    const float half = (float)(L - 1) * 1.001f / 2, offset = L % 2 == 0 ? 0.5f : 0.0f;
    const float shift = atanhf(offset / half);
    loss += b->dcode[i] * (tanh(b->z[i] + shift) * half - offset) / (L / 2);
  }
  return loss;
}

static void check_backward(const grid *g, int64_t M, kern_dtype type) {
  pool p = {0};
  const int64_t n = M * g->n;
  bound b = {
      .g = g, .M = M, .z = pool_draw(&p, n, KERN_F32, 1.0), .dcode = pool_draw(&p, n, type, 1.0)};
  double *dz = pool_take(&p, (size_t)n * sizeof *dz);
  slopes(bound_loss, &b, b.z, n, dz);
  FOR_SETUPS(run) {
    float *got = pool_take(&p, (size_t)n * sizeof *got);
    kern_fsq_bwd_args a = {.type = type,
                           .M = M,
                           .n = g->n,
                           .levels = g->levels,
                           .z = pool_typed(&p, b.z, n, KERN_F32),
                           .dcode = pool_typed(&p, b.dcode, n, type),
                           .dz = got};
    RUN(run, fsq_bwd, &a);
    /* 1 - tanh^2 in float32: measured 2.3e-7 */
    expect_close("dz", got, KERN_F32, dz, n, 1e-6);
  }
  pool_free(&p);
}

static void test_backward_equals_finite_differences_of_the_bound(void **state) {
  for (int i = 0; i < GRIDS; i++) {
    check_backward(&grids[i], 1, KERN_F32);
    check_backward(&grids[i], 17, KERN_F32);
    check_backward(&grids[i], 17, KERN_BF16);
  }
}

static void expect_refused(int n, const int32_t *levels, const char *words) {
  kern *k = NULL;
  assert_ok(cpu_create(1, cpu_level_detect(), &k));
  kern_fsq_fwd_args a = {.M = 1, .n = n, .levels = levels};
  assert_int_equal(kern_fsq_fwd(k, &a), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), words));
  kern_destroy(k);
}

static void test_impossible_levels_are_refused(void **state) {
  const int32_t many[17] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
  const int32_t one[2] = {5, 1}, huge[3] = {65536, 65536, 2};
  expect_refused(17, many, "17 dimensions");
  expect_refused(0, many, "0 dimensions");
  expect_refused(2, one, "1 levels");
  expect_refused(3, huge, "2^31-1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_codes_and_indices_equal_known_values),
      cmocka_unit_test(test_every_code_is_reached_and_looked_up_alike),
      cmocka_unit_test(test_backward_equals_finite_differences_of_the_bound),
      cmocka_unit_test(test_impossible_levels_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
