// labels: quick
// Attention, forward, backward and decoding, against plain loops in double and finite differences,
// on every instruction set of this machine.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernels/cpu/cpu.h"
#include "tests/kernels/tensor.h"

typedef struct {
  kern_dtype type;
  cpu_level level;
  int threads;
} setting;

// Sequences lie as in a space block (L adjacent rows) or as in a time block (rows `seqs` apart);
// q, k, v share one row of ld elements, as they do after one projection.
typedef struct {
  int64_t seqs, L, H, G, K;
  bool time, causal;
  int64_t window;
} shape;

static const shape shapes[] = {
    {3, 68, 2, 2, 64, false, false, 0}, {4, 16, 2, 1, 64, true, true, 0},
    {5, 5, 5, 1, 8, true, true, 3},     {2, 100, 2, 2, 24, false, true, 0},
    {3, 1, 3, 3, 16, true, true, 0},    {2, 17, 4, 2, 40, false, false, 0},
    {2, 37, 2, 1, 32, true, true, 7},   {1, 130, 2, 1, 64, false, true, 20},
    {6, 13, 6, 3, 128, true, false, 0}, {1, 16, 1, 1, 33, false, true, 1},
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct {
  int64_t rows, ld, inner, outer_stride, inner_stride, pos_stride;
} layout;

static layout layout_of(const shape *h) {
  layout l = {.rows = h->seqs * h->L, .ld = (h->H + 2 * h->G) * h->K + 3};
  l.inner = h->time ? h->seqs : 1;
  l.outer_stride = h->time ? 0 : h->L;
  l.inner_stride = 1;
  l.pos_stride = h->time ? h->seqs : 1;
  return l;
}

static int64_t row_of(const layout *l, int64_t s, int64_t i) {
  return s / l->inner * l->outer_stride + s % l->inner * l->inner_stride + i * l->pos_stride;
}

static bool sees(const shape *h, int64_t i, int64_t j) {
  return !h->causal || (j <= i && (h->window == 0 || j > i - h->window || j == 0));
}

// One head of one sequence in double, the definition: o, lse and, with d, the gradients.
typedef struct {
  double *q, *k, *v, *d;    // [L,K]
  double *o, *dq, *dk, *dv; // [L,K], dk and dv accumulated
  double *lse, *p, *ds;     // [L], [L], [L]
} head;

static head head_create(int64_t L, int64_t K) {
  head e = {0};
  double **const square[] = {&e.q, &e.k, &e.v, &e.d, &e.o, &e.dq, &e.dk, &e.dv};
  for (size_t i = 0; i < sizeof square / sizeof *square; i++)
    *square[i] = orr_calloc((size_t)(L * K), sizeof(double));
  e.lse = orr_calloc((size_t)L, sizeof(double));
  e.p = orr_calloc((size_t)L, sizeof(double));
  e.ds = orr_calloc((size_t)L, sizeof(double));
  return e;
}

static void head_destroy(head *e) {
  double *const all[] = {e->q, e->k, e->v, e->d, e->o, e->dq, e->dk, e->dv, e->lse, e->p, e->ds};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) orr_free(all[i]);
}

static double dot(const double *a, const double *b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static void head_row(head *e, const shape *h, int64_t i) {
  const int64_t L = h->L, K = h->K;
  const double scale = 1 / sqrt((double)K);
  double sum = 0, largest = -INFINITY, delta = 0;
  for (int64_t j = 0; j < L; j++)
    if (sees(h, i, j)) largest = fmax(largest, dot(e->q + i * K, e->k + j * K, K) * scale);
  for (int64_t j = 0; j < L; j++) {
    e->p[j] = sees(h, i, j) ? exp(dot(e->q + i * K, e->k + j * K, K) * scale - largest) : 0;
    sum += e->p[j];
  }
  e->lse[i] = largest + log(sum);
  for (int64_t c = 0; c < K; c++) e->o[i * K + c] = e->dq[i * K + c] = 0;
  for (int64_t j = 0; j < L; j++) {
    e->p[j] /= sum;
    for (int64_t c = 0; c < K; c++) e->o[i * K + c] += e->p[j] * e->v[j * K + c];
  }
  delta = dot(e->o + i * K, e->d + i * K, K);
  for (int64_t j = 0; j < L; j++) {
    const double ds = e->p[j] * (dot(e->d + i * K, e->v + j * K, K) - delta) * scale;
    for (int64_t c = 0; c < K; c++) {
      e->dq[i * K + c] += ds * e->k[j * K + c];
      e->dk[j * K + c] += ds * e->q[i * K + c];
      e->dv[j * K + c] += e->p[j] * e->d[i * K + c];
    }
  }
}

// The tensors of one case: qkv [rows, ld] with q, k, v side by side, o and do [rows, H K].
typedef struct {
  void *qkv, *o, *d, *dqkv;
  float *lse;
} tensors;

static void *part(kern_dtype type, void *p, int64_t at) {
  return (char *)p + (size_t)at * kern_dtype_size(type);
}

static tensors tensors_create(kern_dtype type, const shape *h) {
  const layout l = layout_of(h);
  tensors t = {.qkv = tensor_random(type, l.rows * l.ld, 1, 1),
               .o = tensor_random(type, l.rows * h->H * h->K, 2, 1),
               .d = tensor_random(type, l.rows * h->H * h->K, 3, 1),
               .dqkv = tensor_random(type, l.rows * l.ld, 4, 1),
               .lse = tensor_random(KERN_F32, h->seqs * h->H * h->L, 5, 1)};
  return t;
}

static void tensors_destroy(tensors *t) {
  orr_free(t->qkv), orr_free(t->o), orr_free(t->d), orr_free(t->dqkv), orr_free(t->lse);
}

static kern_sequences sequences_of(const shape *h) {
  const layout l = layout_of(h);
  return (kern_sequences){.seqs = h->seqs,
                          .L = h->L,
                          .inner = l.inner,
                          .outer_stride = l.outer_stride,
                          .inner_stride = l.inner_stride,
                          .pos_stride = l.pos_stride,
                          .causal = h->causal,
                          .window = h->window};
}

static kern_attention_fwd_args fwd_args(kern_dtype type, const shape *h, tensors *t) {
  const layout l = layout_of(h);
  return (kern_attention_fwd_args){.type = type,
                                   .seq = sequences_of(h),
                                   .H = h->H,
                                   .G = h->G,
                                   .K = h->K,
                                   .q = t->qkv,
                                   .k = part(type, t->qkv, h->H * h->K),
                                   .v = part(type, t->qkv, (h->H + h->G) * h->K),
                                   .ldq = l.ld,
                                   .ldk = l.ld,
                                   .ldv = l.ld,
                                   .ldo = h->H * h->K,
                                   .o = t->o,
                                   .lse = t->lse};
}

static kern_attention_bwd_args bwd_args(kern_dtype type, const shape *h, tensors *t) {
  const layout l = layout_of(h);
  return (kern_attention_bwd_args){.type = type,
                                   .seq = sequences_of(h),
                                   .H = h->H,
                                   .G = h->G,
                                   .K = h->K,
                                   .q = t->qkv,
                                   .k = part(type, t->qkv, h->H * h->K),
                                   .v = part(type, t->qkv, (h->H + h->G) * h->K),
                                   .o = t->o,
                                   .do_ = t->d,
                                   .ldq = l.ld,
                                   .ldk = l.ld,
                                   .ldv = l.ld,
                                   .ldo = h->H * h->K,
                                   .dq = t->dqkv,
                                   .dk = part(type, t->dqkv, h->H * h->K),
                                   .dv = part(type, t->dqkv, (h->H + h->G) * h->K),
                                   .lddq = l.ld,
                                   .lddk = l.ld,
                                   .lddv = l.ld,
                                   .lse = t->lse};
}

// Runs forward and backward on one kern, planning both first.
static void run(const setting *s, const shape *h, tensors *t) {
  kern *k;
  const kern_attention_fwd_args f = fwd_args(s->type, h, t);
  const kern_attention_bwd_args b = bwd_args(s->type, h, t);
  assert_int_equal(cpu_create(s->threads, s->level, &k), ORR_OK);
  assert_int_equal(kern_attention_fwd(k, &f), ORR_OK);
  assert_int_equal(kern_attention_bwd(k, &b), ORR_OK);
  const size_t announced = k->workspace_bytes;
  assert_int_equal(kern_commit(k), ORR_OK);
  assert_int_equal(kern_attention_fwd(k, &f), ORR_OK);
  assert_int_equal(kern_attention_bwd(k, &b), ORR_OK);
  assert_int_equal(k->late_plans, 0);
  assert_true(k->workspace_bytes == announced);
  kern_destroy(k);
}

static void load(kern_dtype type, const shape *h, const layout *l, int64_t s, const void *x,
                 int64_t ld, int64_t at, double *out) {
  for (int64_t i = 0; i < h->L; i++)
    for (int64_t c = 0; c < h->K; c++)
      out[i * h->K + c] = tensor_get(type, x, row_of(l, s, i) * ld + at + c);
}

// The largest error of one head's rows beside the largest value there.
static double error_of(kern_dtype type, const shape *h, const layout *l, int64_t s, const void *x,
                       int64_t ld, int64_t at, const double *wanted) {
  double error = 0, size = 0;
  for (int64_t i = 0; i < h->L; i++)
    for (int64_t c = 0; c < h->K; c++) {
      const double w = wanted[i * h->K + c];
      error = fmax(error, fabs(tensor_get(type, x, row_of(l, s, i) * ld + at + c) - w));
      size = fmax(size, fabs(w));
    }
  return error / (size + 0.1); // a gradient that is 0 in exact arithmetic (L = 1) has size 0
}

// float32: measured 2e-6. bfloat16: results and, with AMX, p and ds are rounded to 8 bits.
static double allowed(kern_dtype type) {
  return type == KERN_F32 ? 1e-5 : 0x1p-6;
}

#define EXPECT(what, error)                                                                        \
  do {                                                                                             \
    const double error_ = (error);                                                                 \
    if (!(error_ <= allowed(s->type)))                                                             \
      fail_msg("%s of shape %d at level %d: relative error %.3g", what, (int)(h - shapes),         \
               (int)s->level, error_);                                                             \
  } while (0)

static void check(const setting *s, const shape *h) {
  const layout l = layout_of(h);
  tensors t = tensors_create(s->type, h);
  run(s, h, &t);
  head e = head_create(h->L, h->K);
  const int64_t K = h->K, L = h->L, group = h->H / h->G, ldo = h->H * K;
  for (int64_t n = 0; n < h->seqs; n++)
    for (int64_t g = 0; g < h->G; g++) {
      load(s->type, h, &l, n, t.qkv, l.ld, (h->H + g) * K, e.k);
      load(s->type, h, &l, n, t.qkv, l.ld, (h->H + h->G + g) * K, e.v);
      memset(e.dk, 0, (size_t)(L * K) * sizeof(double));
      memset(e.dv, 0, (size_t)(L * K) * sizeof(double));
      for (int64_t a = g * group; a < (g + 1) * group; a++) {
        load(s->type, h, &l, n, t.qkv, l.ld, a * K, e.q);
        load(s->type, h, &l, n, t.d, ldo, a * K, e.d);
        for (int64_t i = 0; i < L; i++) {
          head_row(&e, h, i);
          EXPECT("lse", fabs(t.lse[(n * h->H + a) * L + i] - e.lse[i]) * 0.1);
        }
        EXPECT("o", error_of(s->type, h, &l, n, t.o, ldo, a * K, e.o));
        EXPECT("dq", error_of(s->type, h, &l, n, t.dqkv, l.ld, a * K, e.dq));
      }
      EXPECT("dk", error_of(s->type, h, &l, n, t.dqkv, l.ld, (h->H + g) * K, e.dk));
      EXPECT("dv", error_of(s->type, h, &l, n, t.dqkv, l.ld, (h->H + h->G + g) * K, e.dv));
    }
  head_destroy(&e);
  tensors_destroy(&t);
}

static void for_each_level(kern_dtype type) {
  for (int level = 0; level <= (int)cpu_level_detect(); level++)
    for (int i = 0; i < SHAPES; i++)
      check(&(setting){type, (cpu_level)level, 1 + i % 2}, &shapes[i]);
}

static void test_float32_equals_loops_in_double(void **state) {
  for_each_level(KERN_F32);
}
static void test_bfloat16_equals_loops_in_double(void **state) {
  for_each_level(KERN_BF16);
}

static void test_thread_count_does_not_change_a_bit(void **state) {
  for (int i = 0; i < SHAPES; i++)
    for (int type = 0; type < 2; type++) {
      const shape *h = &shapes[i];
      const layout l = layout_of(h);
      tensors t[2];
      for (int n = 0; n < 2; n++) {
        t[n] = tensors_create((kern_dtype)type, h);
        run(&(setting){(kern_dtype)type, cpu_level_detect(), 1 + n}, h, &t[n]);
      }
      const size_t size = kern_dtype_size((kern_dtype)type);
      assert_memory_equal(t[0].o, t[1].o, (size_t)(l.rows * h->H * h->K) * size);
      assert_memory_equal(t[0].dqkv, t[1].dqkv, (size_t)(l.rows * l.ld) * size);
      tensors_destroy(&t[0]), tensors_destroy(&t[1]);
    }
}

static void test_columns_between_rows_are_left_alone(void **state) {
  const shape *h = &shapes[0];
  const layout l = layout_of(h);
  for (int type = 0; type < 2; type++) {
    tensors t = tensors_create((kern_dtype)type, h);
    void *before = tensor_copy((kern_dtype)type, l.rows * l.ld, t.dqkv);
    run(&(setting){(kern_dtype)type, cpu_level_detect(), 2}, h, &t);
    for (int64_t m = 0; m < l.rows; m++)
      for (int64_t c = (h->H + 2 * h->G) * h->K; c < l.ld; c++)
        assert_true(tensor_get((kern_dtype)type, t.dqkv, m * l.ld + c) ==
                    tensor_get((kern_dtype)type, before, m * l.ld + c));
    orr_free(before);
    tensors_destroy(&t);
  }
}

static double weighted_output(const shape *h, tensors *t) {
  const setting s = {KERN_F32, cpu_level_detect(), 1};
  kern *k;
  const kern_attention_fwd_args f = fwd_args(s.type, h, t);
  double sum = 0;
  assert_int_equal(cpu_create(s.threads, s.level, &k), ORR_OK);
  TENSOR_RUN(k, attention_fwd, &f);
  kern_destroy(k);
  const float *o = t->o, *d = t->d;
  for (int64_t i = 0; i < h->seqs * h->L * h->H * h->K; i++) sum += (double)o[i] * d[i];
  return sum;
}

static void test_gradients_equal_finite_differences(void **state) {
  const shape *h = &shapes[2];
  const layout l = layout_of(h);
  tensors t = tensors_create(KERN_F32, h);
  run(&(setting){KERN_F32, cpu_level_detect(), 1}, h, &t);
  float *qkv = t.qkv;
  const float *dqkv = t.dqkv;
  for (int64_t i = 0; i < l.rows * l.ld; i += 7) {
    if (i % l.ld >= (h->H + 2 * h->G) * h->K) continue;
    const float was = qkv[i], step = 1.0f / 64;
    qkv[i] = was + step;
    const double up = weighted_output(h, &t);
    qkv[i] = was - step;
    const double down = weighted_output(h, &t);
    qkv[i] = was;
    /* third derivative times step^2, and float32 sums over step: measured 3e-4 */
    assert_true(fabs((up - down) / (2 * step) - dqkv[i]) < 1e-3);
  }
  tensors_destroy(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_float32_equals_loops_in_double),
      cmocka_unit_test(test_bfloat16_equals_loops_in_double),
      cmocka_unit_test(test_thread_count_does_not_change_a_bit),
      cmocka_unit_test(test_columns_between_rows_are_left_alone),
      cmocka_unit_test(test_gradients_equal_finite_differences),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
