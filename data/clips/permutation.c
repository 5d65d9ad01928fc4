#include "data/clips/permutation.h"

#include <math.h>

#include "base/rng.h"

#define ROUNDS                                                                                     \
  8 // 4 for a pseudo-random permutation (Luby and Rackoff 1988), twice that for small n

data_permutation data_permutation_make(uint64_t n, uint64_t key) {
  data_permutation p = {.n = n, .a = 1, .b = n, .key = key};
  if (n < 2) return p;
  // near-equal residues mix best; ceil(n / a) * a exceeds n by less than a
  p.a = (uint64_t)ceil(sqrt((double)n));
  p.b = (n + p.a - 1) / p.a;
  return p;
}

static uint64_t mix(const data_permutation *p, uint64_t value, uint64_t round) {
  orr_u32x4 r = orr_rng_draw(p->key, ORR_STREAM_ORDER, value, round);
  return (uint64_t)r.v[1] << 32 | r.v[0];
}

uint64_t data_permutation_at(const data_permutation *p, uint64_t i) {
  do {
    uint64_t left = i / p->b, right = i % p->b;
    for (uint64_t round = 0; round < ROUNDS; round += 2) {
      left = (left + mix(p, right, round) % p->a) % p->a;
      right = (right + mix(p, left, round + 1) % p->b) % p->b;
    }
    i = left * p->b + right;
  } while (i >= p->n);
  return i;
}
