// Sums of squares as integers: the same in any order (kernels/squares.h).
#include "kernels/squares.h"

#include <stdatomic.h>

#include "kernels/cpu/cpu.h"

enum { BLOCK = 16384, WAYS = 4 }; // ways: sums of one window that do not wait for each other

typedef uint32_t __attribute__((may_alias)) word; // the bits of a float
typedef _Atomic int64_t __attribute__((may_alias)) shared;

// A whole strip is most often of few windows.
static void squares_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_squares_args *a = ctx;
  const word *x = (const word *)a->x;
  int64_t sum[WAYS][KERN_SQUARES_WINDOWS] = {{0}}, bad = 0;
  for (int64_t i = first; i < end; i++) {
    const uint32_t bits = x[i];
    if (kern_squares_finite(bits))
      sum[i % WAYS][kern_squares_window(bits)] += kern_squares_term(bits);
    else
      bad++;
  }
  shared *bins = (shared *)a->bins;
  for (int w = 0; w < KERN_SQUARES_WINDOWS; w++) {
    const int64_t all = sum[0][w] + sum[1][w] + sum[2][w] + sum[3][w];
    if (all == 0) continue;
    atomic_fetch_add(&bins[2 * w], all & 0xffffffff);
    atomic_fetch_add(&bins[2 * w + 1], all >> 32);
  }
  if (bad) atomic_fetch_add(&bins[2 * KERN_SQUARES_WINDOWS], bad);
}

orr_code CPU_FN(squares)(kern *k, const kern_squares_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->n, BLOCK, squares_part, a);
  return ORR_OK;
}

orr_code CPU_FN(squares_sum)(kern *k, const kern_squares_sum_args *a) {
  if (k->planning) return ORR_OK;
  for (int64_t i = 0; i < a->count; i++)
    a->sum[i] = kern_squares_value(a->bins + i * KERN_SQUARES_BINS);
  return ORR_OK;
}
