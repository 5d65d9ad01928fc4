// labels: quick
// Drawn codes against orr_rng_draw and double arithmetic, and against the distribution.
#include "tests/kernels/harness.h"

typedef struct {
  int64_t M, V, rows_per_sample;
  float temperature;
  uint64_t seed;
} shape;
static const shape shapes[] = {{1, 1, 1, 1.0f, 5},
                               {3, 3, 2, 0.7f, 5},
                               {17, 256, 5, 1.5f, 0x1234567890abcdefull},
                               {9, 257, 4, 1.0f, 5},
                               {8, 1000, 8, 2.0f, 0xffffffffull}};
enum { SHAPES = sizeof shapes / sizeof *shapes };
static const uint64_t samples[] = {77, 0xfedcba9876543210ull, 0, 3, 1ull << 32};
// Draws that let the counter's low word overflow inside a row, and differ by sample.
static uint64_t draw_of(const shape *s, int64_t b) {
  return (uint64_t)b +
         ((1ull << 32) + (uint64_t)(s->rows_per_sample * s->V) - 1) /
             (uint64_t)(s->rows_per_sample * s->V) -
         1;
}

static double noise(const shape *s, int64_t m, int64_t v) {
  const int64_t b = m / s->rows_per_sample;
  const uint64_t row =
      draw_of(s, b) * (uint64_t)s->rows_per_sample + (uint64_t)(m % s->rows_per_sample);
  const uint64_t position = row * (uint64_t)s->V + (uint64_t)v;
  const uint32_t bits =
      orr_rng_draw(s->seed + (uint64_t)b, ORR_STREAM_DECODE, samples[b], position).v[0];
  return -log(-log(((bits >> 9) + 0.5) / 8388608));
}

static double log_prob_of(const double *l, int64_t V, int64_t code) {
  double sum = 0;
  for (int64_t v = 0; v < V; v++) sum += exp(l[v] - l[code]);
  return -log(sum);
}

static void check_draws(const shape *s) {
  pool p = {0};
  double *l = pool_draw(&p, s->M * s->V, KERN_F32, 2.0),
         *log_prob = pool_take(&p, (size_t)s->M * 8);
  int64_t *want = pool_take(&p, (size_t)s->M * sizeof *want);
  for (int64_t m = 0; m < s->M; m++) {
    double best = -INFINITY;
    for (int64_t v = 0; v < s->V; v++) {
      const double value = l[m * s->V + v] / s->temperature + noise(s, m, v);
      if (value > best) best = value, want[m] = v;
    }
    log_prob[m] = log_prob_of(l + m * s->V, s->V, want[m]);
  }
  uint64_t seed[5], draw[5];
  float temperature[5];
  for (int b = 0; b < 5; b++) {
    seed[b] = s->seed + (uint64_t)b;
    draw[b] = draw_of(s, b);
    temperature[b] = s->temperature;
  }
  FOR_SETUPS(run) {
    int32_t *code = pool_take(&p, (size_t)s->M * sizeof *code);
    float *got = pool_take(&p, (size_t)s->M * sizeof *got);
    kern_sample_args a = {.M = s->M,
                          .V = s->V,
                          .rows_per_sample = s->rows_per_sample,
                          .logits = pool_typed(&p, l, s->M * s->V, KERN_F32),
                          .temperature = temperature,
                          .seed = seed,
                          .sample = samples,
                          .draw = draw,
                          .code = code,
                          .log_prob = got};
    RUN(run, sample, &a);
    for (int64_t m = 0; m < s->M; m++) assert_int_equal(code[m], want[m]);
    /* a float32 sum of 1000 exponentials: measured 9.9e-8 */
    expect_close("log_prob", got, KERN_F32, log_prob, s->M, 5e-7);
  }
  pool_free(&p);
}

static void test_draws_equal_double_arithmetic_on_the_same_noise(void **state) {
  for (int i = 0; i < SHAPES; i++) check_draws(&shapes[i]);
}

static void test_shares_of_draws_follow_the_softmax(void **state) {
  enum { M = 20000, V = 4 };
  const double logit[V] = {0.0, 1.0, -1.0, 2.0}, temperature = 1.5;
  pool p = {0};
  float *logits = pool_take(&p, M * V * sizeof *logits),
        *log_prob = pool_take(&p, M * sizeof *log_prob);
  int32_t *code = pool_take(&p, M * sizeof *code);
  for (int i = 0; i < M * V; i++) logits[i] = (float)logit[i % V];
  FOR_SETUPS(run) {
    kern_sample_args a = {.M = M,
                          .V = V,
                          .rows_per_sample = M,
                          .logits = logits,
                          .temperature = &(float){(float)temperature},
                          .seed = &(uint64_t){11},
                          .sample = samples,
                          .draw = &(uint64_t){0},
                          .code = code,
                          .log_prob = log_prob};
    RUN(run, sample, &a);
    double share[V] = {0}, sum = 0;
    for (int i = 0; i < M; i++) share[code[i]] += 1.0 / M;
    for (int v = 0; v < V; v++) sum += exp(logit[v] / temperature);
    for (int v = 0; v < V; v++) {
      const double want = exp(logit[v] / temperature) / sum;
      /* three standard deviations of a share of 20,000 draws; the seed is fixed */
      assert_true(fabs(share[v] - want) < 3 * sqrt(want * (1 - want) / M));
    }
  }
  pool_free(&p);
}

static void test_temperature_0_takes_the_first_of_the_largest(void **state) {
  enum { V = 600 };
  float logits[2 * V], log_prob[2];
  int32_t code[2];
  for (int i = 0; i < 2 * V; i++) logits[i] = (float)(i % 7);
  logits[V + 399] = 9;
  FOR_SETUPS(run) {
    kern_sample_args a = {.M = 2,
                          .V = V,
                          .rows_per_sample = 1,
                          .logits = logits,
                          .temperature = (float[]){0.0f, -1.0f},
                          .code = code,
                          .log_prob = log_prob};
    RUN(run, sample, &a);
    assert_int_equal(code[0], 6);
    assert_int_equal(code[1], 399);
  }
}

static void test_rows_of_nan_still_give_a_code_in_range(void **state) {
  enum { V = 300 };
  float logits[V], log_prob = 0;
  for (int v = 0; v < V; v++) logits[v] = NAN;
  FOR_SETUPS(run) {
    int32_t code = -7;
    kern_sample_args a = {.M = 1,
                          .V = V,
                          .rows_per_sample = 1,
                          .logits = logits,
                          .temperature = &(float){1.0f},
                          .seed = &(uint64_t){0},
                          .sample = samples,
                          .draw = &(uint64_t){0},
                          .code = &code,
                          .log_prob = &log_prob};
    RUN(run, sample, &a);
    assert_in_range(code, 0, V - 1);
    assert_true(isnan(log_prob));
  }
}

// Largest confidences first, in a loop over ranks; noise from orr_rng_uniform.
static void test_the_most_confident_masked_positions_take_their_codes(void **state) {
  enum { B = 3, S = 37, V = 50 };
  const float noise[B] = {0.0f, 1.5f, 0.7f};
  const int32_t left[B] = {20, 11, 0};
  const uint64_t seed[B] = {1, 2, 2}, sample[B] = {5, 5, 6}, draw[B] = {0, 3, 9};
  pool p = {0};
  double *l = pool_draw(&p, B * S, KERN_F32, 1.0);
  int32_t code[B * S], before[B * S], want[B * S];
  double nll[B] = {0};
  for (int i = 0; i < B * S; i++) {
    l[i] = -fabs(l[i]);
    code[i] = i % V;
    before[i] = want[i] = i % 3 == 0 ? (i * 7) % V : V;
  }
  for (int b = 0; b < B; b++)
    for (int n = 0;; n++) {
      int masked = 0, best = -1;
      double most = -INFINITY;
      for (int s = 0; s < S; s++) {
        if (want[b * S + s] != V) continue;
        const double u =
            orr_rng_uniform(seed[b], ORR_STREAM_CHOICE, sample[b], draw[b] * S + (uint64_t)s);
        const double v = l[b * S + s] + noise[b] * -log(-log(u));
        masked++;
        if (v > most) most = v, best = s;
      }
      if (masked <= left[b]) break;
      want[b * S + best] = code[b * S + best];
      nll[b] -= l[b * S + best];
    }
  FOR_SETUPS(run) {
    int32_t tokens[B * S];
    double got[B] = {0};
    memcpy(tokens, before, sizeof tokens);
    kern_choose_args a = {.B = B,
                          .S = S,
                          .V = V,
                          .code = code,
                          .log_prob = pool_typed(&p, l, B * S, KERN_F32),
                          .noise = noise,
                          .left = left,
                          .seed = seed,
                          .sample = sample,
                          .draw = draw,
                          .tokens = tokens,
                          .nll = got};
    RUN(run, choose, &a);
    assert_memory_equal(tokens, want, sizeof want);
    for (int b = 0; b < B; b++)
      assert_true(fabs(got[b] - nll[b]) < 1e-9); // sums of 37 float32 values
  }
  pool_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_draws_equal_double_arithmetic_on_the_same_noise),
      cmocka_unit_test(test_shares_of_draws_follow_the_softmax),
      cmocka_unit_test(test_temperature_0_takes_the_first_of_the_largest),
      cmocka_unit_test(test_rows_of_nan_still_give_a_code_in_range),
      cmocka_unit_test(test_the_most_confident_masked_positions_take_their_codes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
