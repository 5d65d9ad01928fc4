#include "kernels/cuda/trial.h"

#include <stdlib.h>

#include "kernels/cuda/table.h"

enum { ROUNDS = 5, RUNS = 4 }; // medians of ROUNDS timings of RUNS runs each

// One block of device memory, and what lies in it.
typedef struct {
  void *block;
  cuda_product_operands operands;
  void *expected, *scratch;
  int32_t *differs;
  size_t c_bytes;
} bench;

static size_t round_up(size_t bytes) {
  return (bytes + 255) & ~(size_t)255;
}

static char *take(char **at, size_t bytes) {
  char *p = *at;
  *at += round_up(bytes);
  return p;
}

static orr_code bench_create(kern *k, const cuda_trial *t, bench *b) {
  const size_t sum = round_up(t->a_bytes) + round_up(t->b_bytes) + round_up(t->bias_bytes) +
                     2 * round_up(t->c_bytes) + round_up(t->scratch_bytes) +
                     round_up(sizeof *b->differs);
  ORR_TRY(cuda_alloc(k, KERN_DEVICE, sum, "trial of algorithms", &b->block));
  char *at = b->block, *a = take(&at, t->a_bytes), *w = take(&at, t->b_bytes);
  char *bias = take(&at, t->bias_bytes), *c = take(&at, t->c_bytes);
  b->operands =
      (cuda_product_operands){.a = a, .b = w, .bias = t->bias_bytes ? bias : NULL, .c = c};
  b->expected = take(&at, t->c_bytes);
  b->scratch = take(&at, t->scratch_bytes);
  b->differs = (int32_t *)take(&at, sizeof *b->differs);
  b->c_bytes = round_up(t->c_bytes);
  orr_code rc = cuda_trial_fill(k, a, round_up(t->a_bytes), t->type, 0);
  if (rc == ORR_OK) rc = cuda_trial_fill(k, w, round_up(t->b_bytes), t->type, 1);
  if (rc == ORR_OK) rc = cuda_trial_fill(k, bias, round_up(t->bias_bytes), KERN_F32, 2);
  if (rc != ORR_OK) cuda_free(k, KERN_DEVICE, b->block);
  return rc;
}

static orr_code clear(kern *k, void *x, size_t bytes) {
  return cuda_check(cudaMemsetAsync(x, 0, bytes, cuda_impl_of(k)->stream), "clear a trial");
}

// One run into c. *runs (=) whether the library takes it; a fault of the device is an error.
static orr_code run_once(kern *k, const cuda_trial *t, const bench *b, int candidate, bool *runs) {
  const orr_code rc = t->run(k, t->ctx, candidate, &b->operands, b->scratch);
  *runs = rc == ORR_OK;
  if (!*runs) orr_status_clear();
  return cuda_sync(k);
}

// Whether the candidate runs, and gives the bits that candidate 0 left in `expected`.
static orr_code agrees(kern *k, const cuda_trial *t, const bench *b, int candidate, bool *same) {
  int32_t differs = 0;
  ORR_TRY(clear(k, b->operands.c, b->c_bytes));
  ORR_TRY(clear(k, b->differs, sizeof *b->differs));
  ORR_TRY(run_once(k, t, b, candidate, same));
  if (!*same) return ORR_OK;
  ORR_TRY(cuda_trial_compare(k, b->operands.c, b->expected, b->c_bytes, b->differs));
  ORR_TRY(cuda_check(cudaMemcpyAsync(&differs, b->differs, sizeof differs, cudaMemcpyDeviceToHost,
                                     cuda_impl_of(k)->stream),
                     "read a trial"));
  ORR_TRY(cuda_sync(k));
  *same = differs == 0;
  return ORR_OK;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static orr_code median_ms(kern *k, const cuda_trial *t, const bench *b, int candidate, double *ms) {
  enum { FROM = KERN_MARKS - 2, TO = KERN_MARKS - 1 };
  double took[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    ORR_TRY(cuda_mark(k, FROM));
    for (int j = 0; j < RUNS; j++) ORR_TRY(t->run(k, t->ctx, candidate, &b->operands, b->scratch));
    ORR_TRY(cuda_mark(k, TO));
    ORR_TRY(cuda_await(k, TO));
    ORR_TRY(cuda_elapsed(k, FROM, TO, &took[i]));
  }
  qsort(took, ROUNDS, sizeof *took, by_value);
  *ms = took[ROUNDS / 2];
  return ORR_OK;
}

static orr_code compete(kern *k, const cuda_trial *t, bench *b, int *fastest) {
  double best = 0.0;
  void *const c = b->operands.c;
  bool same;
  b->operands.c = b->expected;
  orr_code rc = run_once(k, t, b, 0, &same);
  b->operands.c = c;
  ORR_TRY(rc);
  for (int i = 0; i < t->candidates; i++) {
    double ms;
    ORR_TRY(agrees(k, t, b, i, &same));
    if (!same && i == 0) return ORR_OK; // it does not even agree with itself, or does not run
    if (!same) continue;
    ORR_TRY(median_ms(k, t, b, i, &ms));
    if (i > 0 && ms >= best) continue;
    best = ms;
    *fastest = i;
  }
  return ORR_OK;
}

orr_code cuda_trial_fastest(kern *k, const cuda_trial *t, int *fastest) {
  bench b = {0};
  *fastest = 0;
  if (t->candidates < 2) return ORR_OK;
  orr_code rc = bench_create(k, t, &b);
  if (rc == ORR_ENOMEM) {
    orr_status_clear(); // the first does
    return ORR_OK;
  }
  ORR_TRY(rc);
  rc = compete(k, t, &b, fastest);
  cuda_free(k, KERN_DEVICE, b.block);
  return rc;
}
