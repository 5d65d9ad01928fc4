// Sums over flat ranges, in float64, over fixed blocks that are then added in order.
#include "kernels/cpu/cpu.h"

enum { BLOCK = 16384 };

static double sumsq_block(const float *restrict x, int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
  return sum;
}

orr_code CPU_FN(sumsq)(kern *k, const kern_sumsq_args *a) {
  const int64_t blocks = (a->n + BLOCK - 1) / BLOCK;
  void *workspace;
  ORR_TRY(cpu_workspace(k, (size_t)blocks * sizeof(double), &workspace));
  if (k->planning) return ORR_OK;
  double *partial = workspace;
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t b = 0; b < blocks; b++) {
    int64_t n = a->n - b * BLOCK;
    partial[b] = sumsq_block(a->x + b * BLOCK, n < BLOCK ? n : BLOCK);
  }
  double sum = 0;
  for (int64_t b = 0; b < blocks; b++) sum += partial[b];
  *a->sum = a->accumulate ? *a->sum + sum : sum;
  return ORR_OK;
}
