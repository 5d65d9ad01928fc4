// Fingerprints of flat ranges. Integers: the sum is the same in any order.
#include "kernels/fingerprint.h"

#include <stdatomic.h>

#include "kernels/cpu/cpu.h"

enum { BLOCK = 16384 };

typedef uint32_t __attribute__((may_alias)) word; // the bits of a float

static uint64_t block_sum(const word *restrict x, uint32_t place, int n) {
  uint64_t sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < n; i++) sum += kern_fingerprint_term(x[i], place + (uint32_t)i);
  return sum;
}

typedef struct {
  const kern_fingerprint_args *a;
  _Atomic uint64_t *sum;
} sum_ctx;

static void sum_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const sum_ctx *c = ctx;
  const word *x = (const word *)c->a->x + first;
  if (c->a->width == 0) {
    atomic_fetch_add(c->sum, block_sum(x, (uint32_t)(c->a->first + first), (int)(end - first)));
    return;
  }
  const int64_t W = c->a->width;
  uint64_t sum = 0;
  for (int64_t i = first, run; i < end; i += run) {
    const int64_t at = c->a->offset + i, place = c->a->first + at / W * c->a->pitch + at % W;
    run = W - at % W < end - i ? W - at % W : end - i;
    sum += block_sum(x + (i - first), (uint32_t)place, (int)run);
  }
  atomic_fetch_add(c->sum, sum);
}

orr_code CPU_FN(fingerprint)(kern *k, const kern_fingerprint_args *a) {
  _Atomic uint64_t sum = 0;
  if (k->planning) return ORR_OK;
  cpu_run(k, a->n, BLOCK, sum_part, &(sum_ctx){a, &sum});
  *a->sum = a->accumulate ? *a->sum + sum : sum;
  return ORR_OK;
}
