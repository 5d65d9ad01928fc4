// labels: quick
// Cross-entropy with z-loss against double loops and finite differences, whole and sharded.
#include "tests/kernels/harness.h"

typedef struct {
  int64_t M, V;
  float z_loss;
} shape;
static const shape shapes[] = {{1, 3, 0.0f}, {3, 17, 1e-2f}, {17, 40, 1e-4f}, {5, 1000, 1e-3f}};
enum { SHAPES = sizeof shapes / sizeof *shapes };
static const float scale = 0.375f;

typedef struct {
  shape s;
  double *logits;
  int32_t *target;
  float *weight; // NULL: all rows count alike
} xent;

static double lse_of(const double *l, int64_t V) {
  double largest = l[0], sum = 0;
  for (int64_t v = 0; v < V; v++) largest = fmax(largest, l[v]);
  for (int64_t v = 0; v < V; v++) sum += exp(l[v] - largest);
  return largest + log(sum);
}

static double xent_loss(const void *ctx) {
  const xent *x = ctx;
  double loss = 0;
  for (int64_t m = 0; m < x->s.M; m++) {
    if (x->target[m] < 0) continue;
    const double *l = x->logits + m * x->s.V, lse = lse_of(l, x->s.V);
    loss += (x->weight ? x->weight[m] : 1.0) * (lse - l[x->target[m]] + x->s.z_loss * lse * lse);
  }
  return loss;
}

// The last row, when there are several, and every 5th are ignored.
static xent draw_xent(pool *p, shape s) {
  xent x = {.s = s, .logits = pool_draw(p, s.M * s.V, KERN_F32, 4.0)};
  x.target = pool_take(p, (size_t)s.M * sizeof *x.target);
  for (int64_t m = 0; m < s.M; m++)
    x.target[m] = m % 5 == 4 || (m && m == s.M - 1) ? -1 : (int32_t)((m * 7 + 2) % s.V);
  return x;
}

// The statistics of columns [first, first + V) of logits with rows of `stride`.
typedef struct {
  int64_t first, V;
  float *logits, *largest, *sum, *target_logit;
} shard;

static shard cut_shard(pool *p, const xent *x, int64_t first, int64_t V) {
  const size_t rows = (size_t)x->s.M * sizeof(float);
  shard d = {.first = first,
             .V = V,
             .logits = pool_take(p, rows * (size_t)V),
             .largest = pool_take(p, rows),
             .sum = pool_take(p, rows),
             .target_logit = pool_take(p, rows)};
  for (int64_t i = 0; i < x->s.M * V; i++)
    d.logits[i] = (float)x->logits[i / V * x->s.V + first + i % V];
  return d;
}

static void run_stats(const setup *run, const xent *x, shard *d) {
  kern_xent_stats_args a = {.M = x->s.M,
                            .V = d->V,
                            .logits = d->logits,
                            .target = x->target,
                            .v_first = d->first,
                            .largest = d->largest,
                            .sum = d->sum,
                            .target_logit = d->target_logit};
  RUN(run, xent_stats, &a);
}

static void run_grad(const setup *run, const xent *x, const shard *d, kern_dtype type, double *loss,
                     void *dlogits) {
  kern_xent_grad_args a = {.type = type,
                           .M = x->s.M,
                           .V = d->V,
                           .logits = d->logits,
                           .target = x->target,
                           .v_first = d->first,
                           .largest = d->largest,
                           .sum = d->sum,
                           .target_logit = d->target_logit,
                           .weight = x->weight,
                           .z_loss = x->s.z_loss,
                           .scale = &scale,
                           .loss_sum = loss,
                           .dlogits = dlogits};
  RUN(run, xent_grad, &a);
}

static void check_whole(shape s, kern_dtype type, bool weighed) {
  pool p = {0};
  xent x = draw_xent(&p, s);
  if (weighed) x.weight = pool_take(&p, (size_t)s.M * sizeof *x.weight);
  for (int64_t m = 0; weighed && m < s.M; m++) x.weight[m] = 0.5f + (float)(m % 4);
  const int64_t n = s.M * s.V;
  double *want = pool_take(&p, (size_t)n * sizeof *want);
  const double want_loss = xent_loss(&x);
  slopes(xent_loss, &x, x.logits, n, want);
  for (int64_t i = 0; i < n; i++) want[i] *= scale;
  void *kept = NULL, *kept_loss = NULL;
  FOR_SETUPS(run) {
    shard d = cut_shard(&p, &x, 0, s.V);
    double *before = pool_draw(&p, n, type, 1.0);
    void *got = pool_typed(&p, before, n, type);
    double loss = 0.25, loss_only = 0.25;
    run_stats(run, &x, &d);
    run_grad(run, &x, &d, type, &loss, got);
    run_grad(run, &x, &d, type, &loss_only, NULL);
    /* float32 statistics of 1000 columns: measured 6e-8 */
    assert_true(fabs(loss - 0.25 - want_loss) <= 1e-6 * want_loss);
    assert_true(loss == loss_only);
    /* float32 against differences of step 1e-4: measured 6.7e-7 */
    expect_close("dlogits", got, type, want, n, 2e-6);
    expect_same_bits(&p, &kept, run, got, (size_t)n * kern_dtype_size(type));
    expect_same_bits(&p, &kept_loss, run, &loss, sizeof loss);
  }
  pool_free(&p);
}

static void test_loss_and_gradient_equal_double_and_finite_differences(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    for (int weighed = 0; weighed < 2; weighed++) {
      check_whole(shapes[i], KERN_F32, weighed);
      check_whole(shapes[i], KERN_BF16, weighed);
    }
  }
}

static void test_ignored_rows_have_empty_statistics_and_no_gradient(void **state) {
  pool p = {0};
  xent x = draw_xent(&p, shapes[2]);
  FOR_SETUPS(run) {
    shard d = cut_shard(&p, &x, 0, x.s.V);
    uint16_t *got = pool_take(&p, (size_t)(x.s.M * x.s.V) * sizeof *got);
    memset(got, 0x41, (size_t)(x.s.M * x.s.V) * sizeof *got);
    double loss = 0;
    run_stats(run, &x, &d);
    run_grad(run, &x, &d, KERN_BF16, &loss, got);
    for (int64_t m = 0; m < x.s.M; m++) {
      if (x.target[m] >= 0) continue;
      assert_true(d.largest[m] == -INFINITY && d.sum[m] == 0 && d.target_logit[m] == 0);
      for (int64_t v = 0; v < x.s.V; v++) assert_int_equal(got[m * x.s.V + v], 0);
    }
  }
  pool_free(&p);
}

// What the ranks do between the two parts.
static void combine(const setup *run, pool *p, int64_t M, shard *a, shard *b) {
  float *largest = pool_take(p, (size_t)M * sizeof *largest);
  for (int64_t m = 0; m < M; m++) largest[m] = fmaxf(a->largest[m], b->largest[m]);
  for (shard *s = a;; s = b) {
    kern_xent_rescale_args r = {
        .M = M, .own_largest = s->largest, .largest = largest, .sum = s->sum};
    RUN(run, xent_rescale, &r);
    if (s == b) break;
  }
  for (int64_t m = 0; m < M; m++) {
    a->target_logit[m] = b->target_logit[m] = a->target_logit[m] + b->target_logit[m];
    a->largest[m] = b->largest[m] = largest[m];
    a->sum[m] = b->sum[m] = a->sum[m] + b->sum[m];
  }
}

static void check_halves(shape s, int64_t cut) {
  pool p = {0};
  xent x = draw_xent(&p, s);
  setup run = {cpu_level_detect() < CPU_LEVEL_V4 ? cpu_level_detect() : CPU_LEVEL_V4, 2};
  shard whole = cut_shard(&p, &x, 0, s.V), low = cut_shard(&p, &x, 0, cut),
        high = cut_shard(&p, &x, cut, s.V - cut);
  float *d_whole = pool_take(&p, (size_t)(s.M * s.V) * 4),
        *d_low = pool_take(&p, (size_t)(s.M * s.V) * 4),
        *d_high = pool_take(&p, (size_t)(s.M * s.V) * 4);
  double loss = 0, loss_low = 0, loss_high = 0;
  run_stats(&run, &x, &whole);
  run_stats(&run, &x, &low);
  run_stats(&run, &x, &high);
  combine(&run, &p, s.M, &low, &high);
  run_grad(&run, &x, &whole, KERN_F32, &loss, d_whole);
  run_grad(&run, &x, &low, KERN_F32, &loss_low, d_low);
  run_grad(&run, &x, &high, KERN_F32, &loss_high, d_high);
  /* sums of 1000 float32 terms in another order: measured 3e-8 */
  assert_true(fabs(loss_low - loss) <= 1e-6 * loss && loss_low == loss_high);
  for (int64_t i = 0; i < s.M * s.V; i++) {
    const int64_t m = i / s.V, v = i % s.V;
    const float got = v < cut ? d_low[m * cut + v] : d_high[m * (s.V - cut) + v - cut];
    assert_true(fabsf(got - d_whole[i]) <= 1e-6f * scale);
  }
  pool_free(&p);
}

static void test_two_shards_of_the_vocabulary_equal_the_whole(void **state) {
  check_halves(shapes[1], 8);
  check_halves(shapes[2], 1);
  check_halves(shapes[3], 500);
}

static void test_a_nan_logit_shows_in_the_loss(void **state) {
  float logits[20] = {0}, largest, sum, at;
  int32_t target = 3;
  double loss = 0;
  logits[18] = NAN;
  FOR_SETUPS(run) {
    kern_xent_stats_args a = {1, 20, logits, &target, 0, &largest, &sum, &at};
    RUN(run, xent_stats, &a);
    kern_xent_grad_args g = {.M = 1,
                             .V = 20,
                             .logits = logits,
                             .target = &target,
                             .largest = &largest,
                             .sum = &sum,
                             .target_logit = &at,
                             .scale = &scale,
                             .loss_sum = &loss};
    RUN(run, xent_grad, &g);
    assert_true(isnan(loss));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_loss_and_gradient_equal_double_and_finite_differences),
      cmocka_unit_test(test_ignored_rows_have_empty_statistics_and_no_gradient),
      cmocka_unit_test(test_two_shards_of_the_vocabulary_equal_the_whole),
      cmocka_unit_test(test_a_nan_logit_shows_in_the_loss),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
