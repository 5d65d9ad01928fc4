// Fingerprints of flat ranges. Integers: the sum is the same in any order.
#include "kernels/fingerprint.h"

#include "kernels/cpu/cpu.h"

enum { BLOCK = 16384 };

typedef uint32_t __attribute__((may_alias)) word; // the bits of a float

static uint64_t block_sum(const word *restrict x, uint32_t place, int n) {
  uint64_t sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < n; i++) sum += kern_fingerprint_term(x[i], place + (uint32_t)i);
  return sum;
}

orr_code CPU_FN(fingerprint)(kern *k, const kern_fingerprint_args *a) {
  const int64_t blocks = (a->n + BLOCK - 1) / BLOCK;
  uint64_t sum = 0;
  if (k->planning) return ORR_OK;
#pragma omp parallel for num_threads(k->threads) schedule(static) reduction(+ : sum)
  for (int64_t b = 0; b < blocks; b++) {
    const int64_t first = b * BLOCK, n = a->n - first < BLOCK ? a->n - first : BLOCK;
    sum += block_sum((const word *)a->x + first, (uint32_t)(a->first + first), (int)n);
  }
  *a->sum = a->accumulate ? *a->sum + sum : sum;
  return ORR_OK;
}
