// labels: quick
// Norm and rotation of q and k heads against double loops and finite differences.
#include "tests/kernels/harness.h"

typedef struct {
  int64_t M, H, G, K, pos_div, pos_mod;
} shape;
static const shape shapes[] = {{1, 1, 1, 8, 1, 1},
                               {17, 4, 2, 8, 1, 5},
                               {35, 3, 1, 24, 7, 5},
                               {36, 2, 2, 40, 3, 4},
                               {3, 2, 1, 64, 1, 3}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct {
  shape s;
  double *qkv, *q_w, *k_w, *cos, *sin, *dqk;
} heads;

static double rstd_of(const double *x, int64_t K) {
  double squares = 0;
  for (int64_t j = 0; j < K; j++) squares += x[j] * x[j];
  return 1 / sqrt(squares / (double)K + 1e-6);
}

// qk and rstd may be NULL. Returns sum of dqk * qk.
static double rope_forward(const heads *in, double *qk, double *rstd) {
  const shape s = in->s;
  const int64_t half = s.K / 2, n = s.H + s.G;
  double loss = 0;
  for (int64_t m = 0; m < s.M; m++) {
    for (int64_t h = 0; h < n; h++) {
      const double *x = in->qkv + (m * (n + s.G) + h) * s.K, *w = h < s.H ? in->q_w : in->k_w;
      const double r = rstd_of(x, s.K);
      const int64_t out = (m * n + h) * s.K, at = m / s.pos_div % s.pos_mod * half;
      if (rstd) rstd[m * n + h] = r;
      for (int64_t j = 0; j < half; j++) {
        const double p = x[j] * r * w[j], q = x[j + half] * r * w[j + half];
        const double c = in->cos[at + j], d = in->sin[at + j];
        loss += in->dqk[out + j] * (p * c - q * d) + in->dqk[out + j + half] * (q * c + p * d);
        if (!qk) continue;
        qk[out + j] = p * c - q * d;
        qk[out + j + half] = q * c + p * d;
      }
    }
  }
  return loss;
}

static double rope_loss(const void *ctx) {
  return rope_forward(ctx, NULL, NULL);
}

static heads draw_heads(pool *p, shape s, kern_dtype type) {
  heads in = {.s = s};
  in.qkv = pool_draw(p, s.M * (s.H + 2 * s.G) * s.K, type, 2.0);
  in.q_w = pool_draw(p, s.K, KERN_F32, 1.0);
  in.k_w = pool_draw(p, s.K, KERN_F32, 1.0);
  in.dqk = pool_draw(p, s.M * (s.H + s.G) * s.K, type, 1.0);
  const int64_t n = s.pos_mod * s.K / 2;
  in.cos = pool_draw(p, n, KERN_F32, 3.0);
  in.sin = pool_take(p, (size_t)n * sizeof *in.sin);
  for (int64_t i = 0; i < n; i++) {
    const double angle = in.cos[i];
    in.cos[i] = rounded(cos(angle), KERN_F32);
    in.sin[i] = rounded(sin(angle), KERN_F32);
  }
  return in;
}

static void check_forward(shape s, kern_dtype type) {
  pool p = {0};
  heads in = draw_heads(&p, s, type);
  const int64_t n = s.M * (s.H + s.G);
  double *qk = pool_take(&p, (size_t)(n * s.K) * sizeof *qk);
  double *rstd = pool_take(&p, (size_t)n * sizeof *rstd);
  rope_forward(&in, qk, rstd);
  void *kept = NULL;
  FOR_SETUPS(run) {
    void *got = pool_take(&p, (size_t)(n * s.K) * kern_dtype_size(type));
    float *got_rstd = pool_take(&p, (size_t)n * sizeof *got_rstd);
    kern_qknorm_rope_fwd_args a = {.type = type,
                                   .M = s.M,
                                   .H = s.H,
                                   .G = s.G,
                                   .K = s.K,
                                   .qkv = pool_typed(&p, in.qkv, s.M * (s.H + 2 * s.G) * s.K, type),
                                   .q_w = pool_typed(&p, in.q_w, s.K, KERN_F32),
                                   .k_w = pool_typed(&p, in.k_w, s.K, KERN_F32),
                                   .cos = pool_typed(&p, in.cos, s.pos_mod * s.K / 2, KERN_F32),
                                   .sin = pool_typed(&p, in.sin, s.pos_mod * s.K / 2, KERN_F32),
                                   .pos_div = s.pos_div,
                                   .pos_mod = s.pos_mod,
                                   .qk = got,
                                   .rstd = got_rstd};
    RUN(run, qknorm_rope_fwd, &a);
    /* a handful of float32 roundings: measured 1.8e-7 */
    expect_close("qk", got, type, qk, n * s.K, 5e-7);
    expect_close("rstd", got_rstd, KERN_F32, rstd, n, 5e-7);
    expect_same_bits(&p, &kept, run, got, (size_t)(n * s.K) * kern_dtype_size(type));
  }
  pool_free(&p);
}

static void test_forward_equals_double_loops(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    check_forward(shapes[i], KERN_F32);
    check_forward(shapes[i], KERN_BF16);
  }
}

static void add_to(double *v, const double *add, int64_t n) {
  for (int64_t i = 0; i < n; i++) v[i] += add[i];
}

static void check_backward(shape s, kern_dtype type) {
  pool p = {0};
  heads in = draw_heads(&p, s, type);
  const int64_t n = s.M * (s.H + s.G), in_n = s.M * (s.H + 2 * s.G) * s.K;
  double *rstd = pool_take(&p, (size_t)n * sizeof *rstd);
  double *dqkv = pool_take(&p, (size_t)in_n * sizeof *dqkv);
  double *dq_w = pool_take(&p, (size_t)s.K * sizeof *dq_w),
         *dk_w = pool_take(&p, (size_t)s.K * sizeof *dk_w);
  double *dq_w0 = pool_draw(&p, s.K, KERN_F32, 1.0), *dk_w0 = pool_draw(&p, s.K, KERN_F32, 1.0);
  double *before = pool_draw(&p, in_n, type, 1.0); // what lies in dqkv: v's part has to stay
  rope_forward(&in, NULL, rstd);
  slopes(rope_loss, &in, in.qkv, in_n, dqkv);
  slopes(rope_loss, &in, in.q_w, s.K, dq_w);
  slopes(rope_loss, &in, in.k_w, s.K, dk_w);
  add_to(dq_w, dq_w0, s.K);
  add_to(dk_w, dk_w0, s.K);
  const int64_t row = (s.H + 2 * s.G) * s.K, v_first = (s.H + s.G) * s.K;
  for (int64_t m = 0; m < s.M; m++)
    memcpy(dqkv + m * row + v_first, before + m * row + v_first,
           (size_t)(s.G * s.K) * sizeof *dqkv);
  void *kept[3] = {0};
  FOR_SETUPS(run) {
    void *got = pool_typed(&p, before, in_n, type);
    float *got_q = pool_typed(&p, dq_w0, s.K, KERN_F32),
          *got_k = pool_typed(&p, dk_w0, s.K, KERN_F32);
    kern_qknorm_rope_bwd_args a = {.type = type,
                                   .M = s.M,
                                   .H = s.H,
                                   .G = s.G,
                                   .K = s.K,
                                   .qkv = pool_typed(&p, in.qkv, in_n, type),
                                   .q_w = pool_typed(&p, in.q_w, s.K, KERN_F32),
                                   .k_w = pool_typed(&p, in.k_w, s.K, KERN_F32),
                                   .cos = pool_typed(&p, in.cos, s.pos_mod * s.K / 2, KERN_F32),
                                   .sin = pool_typed(&p, in.sin, s.pos_mod * s.K / 2, KERN_F32),
                                   .rstd = pool_typed(&p, rstd, n, KERN_F32),
                                   .pos_div = s.pos_div,
                                   .pos_mod = s.pos_mod,
                                   .dqk = pool_typed(&p, in.dqk, n * s.K, type),
                                   .dqkv = got,
                                   .dq_w = got_q,
                                   .dk_w = got_k};
    RUN(run, qknorm_rope_bwd, &a);
    /* float32 against differences of step 1e-4: measured 4.8e-7 */
    expect_close("dqkv", got, type, dqkv, in_n, 2e-6);
    expect_close("dq_w", got_q, KERN_F32, dq_w, s.K, 2e-6);
    expect_close("dk_w", got_k, KERN_F32, dk_w, s.K, 2e-6);
    expect_same_bits(&p, &kept[0], run, got, (size_t)in_n * kern_dtype_size(type));
    expect_same_bits(&p, &kept[1], run, got_q, (size_t)s.K * sizeof *got_q);
    expect_same_bits(&p, &kept[2], run, got_k, (size_t)s.K * sizeof *got_k);
  }
  pool_free(&p);
}

static void test_backward_equals_finite_differences_and_leaves_v_alone(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    check_backward(shapes[i], KERN_F32);
    check_backward(shapes[i], KERN_BF16);
  }
}

static void test_an_odd_head_width_is_refused(void **state) {
  setup run = {cpu_level_detect(), 1};
  kern *k = NULL;
  assert_ok(cpu_create(run.threads, run.level, &k));
  kern_qknorm_rope_fwd_args fwd = {.M = 1, .H = 1, .G = 1, .K = 7, .pos_div = 1, .pos_mod = 1};
  kern_qknorm_rope_bwd_args bwd = {.M = 1, .H = 1, .G = 1, .K = 7, .pos_div = 1, .pos_mod = 1};
  assert_int_equal(kern_qknorm_rope_fwd(k, &fwd), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "head width 7"));
  assert_int_equal(kern_qknorm_rope_bwd(k, &bwd), ORR_EINVAL);
  kern_destroy(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_double_loops),
      cmocka_unit_test(test_backward_equals_finite_differences_and_leaves_v_alone),
      cmocka_unit_test(test_an_odd_head_width_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
