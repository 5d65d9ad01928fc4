// Sums over flat ranges, in float64, over fixed blocks that are then added in order.
#include "kernels/cpu/cpu.h"

enum { BLOCK = 16384 };

static double sumsq_block(const float *restrict x, int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
  return sum;
}

typedef struct {
  const kern_sumsq_args *a;
  double *partial; // of each block
} sumsq_ctx;

static void sumsq_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const sumsq_ctx *c = ctx;
  c->partial[first / BLOCK] = sumsq_block(c->a->x + first, end - first);
}

orr_code CPU_FN(sumsq)(kern *k, const kern_sumsq_args *a) {
  const int64_t blocks = (a->n + BLOCK - 1) / BLOCK;
  void *workspace;
  ORR_TRY(cpu_workspace(k, (size_t)blocks * sizeof(double), &workspace));
  if (k->planning) return ORR_OK;
  double *partial = workspace;
  cpu_run(k, a->n, BLOCK, sumsq_part, &(sumsq_ctx){a, partial});
  double sum = 0;
  for (int64_t b = 0; b < blocks; b++) sum += partial[b];
  *a->sum = a->accumulate ? *a->sum + sum : sum;
  return ORR_OK;
}
