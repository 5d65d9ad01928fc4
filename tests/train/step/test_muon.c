// labels: quick
// Muon: Newton-Schulz against the same iterations in float64, what it makes of the singular values,
// and which parameters of a model it updates, each matrix as itself.
#include "tests/train/toy_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/bf16.h"
#include "train/step/muon.h"
#include "train/step/state.h"

// -- the iterations -------------------------------------------------------------------------

// out[n,n] (=) x x^T of x [n,k].
static void gram_in_double(const double *x, int64_t n, int64_t k, double *out) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t e = 0; e < k; e++) sum += x[i * k + e] * x[j * k + e];
      out[i * n + j] = sum;
    }
}

// Jordan et al. 2024, in float64 and always with X X^T: x [rows,cols] (=) its orthogonal factor.
static void newton_schulz(double *x, int64_t rows, int64_t cols, int64_t steps) {
  double *A = calloc((size_t)(rows * rows), 8), *AA = calloc((size_t)(rows * rows), 8),
         *y = calloc((size_t)(rows * cols), 8), norm = 0;
  for (int64_t i = 0; i < rows * cols; i++) norm += x[i] * x[i];
  for (int64_t i = 0; i < rows * cols; i++) x[i] /= sqrt(norm);
  for (int64_t step = 0; step < steps; step++) {
    gram_in_double(x, rows, cols, A);
    gram_in_double(A, rows, rows, AA); // A is symmetric
    for (int64_t i = 0; i < rows * rows; i++) AA[i] = -4.7750 * A[i] + 2.0315 * AA[i];
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < cols; j++) {
        double sum = 3.4445 * x[i * cols + j];
        for (int64_t e = 0; e < rows; e++) sum += AA[i * rows + e] * x[e * cols + j];
        y[i * cols + j] = sum;
      }
    memcpy(x, y, (size_t)(rows * cols) * sizeof *x);
  }
  free(y);
  free(AA);
  free(A);
}

typedef struct {
  int64_t rows, cols, steps;
} shape;

static void draw_matrix(const shape *s, float *u) {
  for (int64_t i = 0; i < s->rows * s->cols; i++)
    u[i] = 1e-3f * toy_normal(7, (uint64_t)s->rows, i);
}

// Runs it in `type` on a list of that one matrix; x [rows*cols] gets the result.
static void orthogonal(kern_dtype type, const shape *s, const float *u, double *out) {
  kern *k;
  train_params list;
  train_muon m;
  orr_arena arena;
  const void *x;
  double sumsq = 0;
  for (int64_t i = 0; i < s->rows * s->cols; i++) sumsq += (double)u[i] * (double)u[i];
  assert_ok(kern_create(KERN_DEVICE_CPU, 2, &k));
  train_params_init(&list);
  assert_ok(train_params_add(
      &list, &(train_param_spec){.ndim = 2, .shape = {s->rows, s->cols}, .of_block = true}, NULL,
      "m"));
  kern_arena_init(k, &arena, "test");
  train_muon_init(&m, k, type, &list);
  train_muon_place(&m, &arena);
  assert_ok(train_muon_orthogonal(&m, s->rows, s->cols, s->steps, &x));
  assert_ok(kern_commit(k));
  assert_ok(orr_arena_commit(&arena));
  train_muon_place(&m, &arena);
  assert_ok(orr_arena_check(&arena));
  assert_ok(kern_muon_norm(
      k, &(kern_muon_norm_args){
             .type = type, .n = s->rows * s->cols, .g = u, .sumsq = &sumsq, .x = m.x[0]}));
  assert_ok(train_muon_orthogonal(&m, s->rows, s->cols, s->steps, &x));
  assert_int_equal(k->late_plans, 0);
  for (int64_t i = 0; i < s->rows * s->cols; i++)
    out[i] = type == KERN_F32 ? ((const float *)x)[i] : kern_bf16_to_f32(((const uint16_t *)x)[i]);
  orr_arena_release(&arena);
  train_params_release(&list);
  kern_destroy(k);
}

// In float32 the 1 x 40 and those of 33 x 95 and 95 x 33 iterate on their gram.
static const shape shapes[] = {{1, 1, 5},   {1, 40, 5},  {48, 32, 5}, {32, 48, 5},
                               {64, 64, 3}, {33, 95, 4}, {95, 33, 5}};
enum { SHAPES = sizeof shapes / sizeof *shapes, MOST = 64 * 95 };

static void test_iterations_equal_those_in_float64(void **state) {
  static float u[MOST];
  static double got[MOST], want[MOST];
  for (int i = 0; i < SHAPES; i++) {
    const shape *s = &shapes[i];
    draw_matrix(s, u);
    for (int64_t e = 0; e < s->rows * s->cols; e++) want[e] = u[e];
    newton_schulz(want, s->rows, s->cols, s->steps);
    for (int type = KERN_F32; type <= KERN_BF16; type++) {
      orthogonal((kern_dtype)type, s, u, got);
      double off = 0, sum = 0;
      for (int64_t e = 0; e < s->rows * s->cols; e++) {
        off += (got[e] - want[e]) * (got[e] - want[e]);
        sum += want[e] * want[e];
      }
      /* float32: measured 2e-6 on X; on the gram all factors are one sum of terms as large as
         3.4445^5 = 485 times what comes of it, in steps of 6e-8: measured 3e-5.
         bfloat16 rounds every X and A: measured 2e-2 */
      const bool long_sides = s->rows > 2 * s->cols || s->cols > 2 * s->rows;
      const double within = type == KERN_BF16 ? 5e-2 : long_sides ? 1e-4 : 1e-5;
      if (!(sqrt(off / sum) < within))
        fail_msg("%dx%d in %s: off by %g", (int)s->rows, (int)s->cols, type ? "bf16" : "fp32",
                 sqrt(off / sum));
    }
  }
}

// The mean of the squared singular values is that of X's squares times its longer side.
static void test_singular_values_come_to_lie_about_one(void **state) {
  static float u[MOST];
  static double x[MOST], gram[64 * 64];
  const shape s = {32, 48, 5};
  draw_matrix(&s, u);
  orthogonal(KERN_F32, &s, u, x);
  gram_in_double(x, s.rows, s.cols, gram);
  double trace = 0, beside = 0;
  for (int64_t i = 0; i < s.rows * s.rows; i++) {
    if (i % (s.rows + 1) == 0)
      trace += gram[i];
    else
      beside = fmax(beside, fabs(gram[i]));
  }
  assert_true(trace / (double)s.rows > 0.5 && trace / (double)s.rows < 1.3);
  assert_true(beside < 0.4);
}

static void test_the_work_of_an_update_is_counted(void **state) {
  // one iteration on 2 x 3: X X^T 2*2*2*3, A A 2*2*2*2, B X 2*2*2*3
  assert_true(train_muon_flops(KERN_F32, 2, 3, 1) == 24 + 16 + 24);
  assert_true(train_muon_flops(KERN_BF16, 3, 2, 5) == 5 * 64);
  // float32 on the gram alone: X X^T and the last product 24 each; 5 squares, 4 products of
  // factors, 4 updates of the gram of two each: 17 times 16
  assert_true(train_muon_flops(KERN_F32, 2, 6, 5) == 2 * 48 + 17 * 16);
}

// -- in a model -----------------------------------------------------------------------------

static void draw_gradient(toy_state *m, uint64_t step) {
  for (int i = 0; i < m->s.params.count; i++) {
    const train_param *p = &m->s.params.list[i];
    for (int64_t j = 0; j < p->count; j++)
      m->s.weights.grad[p->at + j] = toy_normal(step, 200 + (uint64_t)i, j);
  }
}

static void update(toy_state *m, double lr, int64_t step) {
  kern_adamw_rates rates;
  const kern_clip_result verdict = {.scale = 0.5f};
  assert_ok(kern_adamw_rates_of(lr, m->c->optim.beta1, m->c->optim.beta2, step, &rates));
  assert_ok(train_state_update(&m->s, m->c, &rates, &verdict, NULL, NULL));
}

// Its m and w in float64 after another step.
static void step_in_double(const train_param *p, const float *g, double lr, double *m, double *w) {
  double *u = calloc((size_t)p->count, 8);
  const double gain = 0.2 * sqrt((double)(p->shape[0] > p->shape[1] ? p->shape[0] : p->shape[1]));
  for (int64_t j = 0; j < p->count; j++) {
    m[j] = 0.95 * m[j] + 0.05 * 0.5 * g[j];
    u[j] = 0.95 * m[j] + 0.05 * 0.5 * g[j];
  }
  newton_schulz(u, p->shape[0], p->shape[1], 5);
  for (int64_t j = 0; j < p->count; j++) w[j] -= lr * (gain * u[j] + 0.1 * w[j]);
  free(u);
}

static bool is_matrix_of_a_block(const char *name) {
  return strstr(name, "attn.q.") || strstr(name, "attn.k.") || strstr(name, "attn.v.") ||
         strstr(name, "attn.o.") || strstr(name, "mlp.");
}

static void test_every_matrix_of_a_block_follows_muon_and_the_rest_adamw(void **state) {
  enum { STEPS = 3 };
  toy_state m, other;
  const double lr = 0.03;
  toy_state_open(&m, KERN_F32, true, "optim.optimizer=muon");
  toy_state_open(&other, KERN_F32, true, "optim.optimizer=adamw");
  const int64_t n = m.s.params.total;
  double *want_w = calloc((size_t)n, 8), *want_m = calloc((size_t)n, 8), off = 0;
  for (int64_t i = 0; i < n; i++) want_w[i] = m.s.weights.master[i];
  for (int step = 1; step <= STEPS; step++) {
    draw_gradient(&m, (uint64_t)step);
    draw_gradient(&other, (uint64_t)step);
    for (int i = 0; i < m.s.params.count; i++) {
      const train_param *p = &m.s.params.list[i];
      if (p->of_block)
        step_in_double(p, m.s.weights.grad + p->at, lr, want_m + p->at, want_w + p->at);
    }
    update(&m, lr, step);
    update(&other, lr, step);
  }
  for (int i = 0; i < m.s.params.count; i++) {
    const train_param *p = &m.s.params.list[i];
    assert_int_equal(p->of_block, is_matrix_of_a_block(p->name));
    for (int64_t j = p->at; j < p->at + p->count; j++)
      if (p->of_block) {
        off = fmax(off, fabs(want_w[j] - (double)m.s.weights.master[j]));
        off = fmax(off, fabs(want_m[j] - (double)m.s.m[j]));
      } else {
        assert_true(m.s.weights.master[j] == other.s.weights.master[j]);
        assert_true(m.s.ema[j] == other.s.ema[j]);
      }
  }
  /* fp32 beside float64 over three updates, some on grams alone: measured 9e-6 */
  if (!(off < 3e-5)) fail_msg("off by %g", off);
  free(want_m);
  free(want_w);
  toy_state_close(&other);
  toy_state_close(&m);
}

static void test_updates_of_all_shapes_have_one_size(void **state) {
  toy_state m;
  toy_state_open(&m, KERN_BF16, true, "optim.optimizer=muon");
  m.c->optim.weight_decay = 0.0;
  float *before = calloc((size_t)m.s.params.total, sizeof *before);
  memcpy(before, m.s.weights.master, (size_t)m.s.params.total * sizeof *before);
  draw_gradient(&m, 1);
  update(&m, 1.0, 1);
  for (int i = 0; i < m.s.params.count; i++) {
    const train_param *p = &m.s.params.list[i];
    double sum = 0;
    if (!p->of_block) continue;
    for (int64_t j = p->at; j < p->at + p->count; j++) {
      const double d = (double)m.s.weights.master[j] - (double)before[j];
      sum += d * d;
    }
    const double rms = sqrt(sum / (double)p->count);
    if (!(rms > 0.13 && rms < 0.25)) fail_msg("%s changed by %g", p->name, rms);
  }
  free(before);
  toy_state_close(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_iterations_equal_those_in_float64),
      cmocka_unit_test(test_singular_values_come_to_lie_about_one),
      cmocka_unit_test(test_the_work_of_an_update_is_counted),
      cmocka_unit_test(test_every_matrix_of_a_block_follows_muon_and_the_rest_adamw),
      cmocka_unit_test(test_updates_of_all_shapes_have_one_size),
  };
  return cmocka_run_group_tests_name("train/muon", tests, NULL, NULL);
}
