// A keyed permutation of 0..n-1 in O(1) memory: a Feistel network over two residues a x b >= n,
// walked until the value lies below n (Black and Rogaway 2002, "Ciphers with arbitrary finite
// domains"). Pure and thread safe.
#ifndef DATA_PERMUTATION_H
#define DATA_PERMUTATION_H

#include <stdint.h>

typedef struct {
  uint64_t n, a, b;
  uint64_t key;
} data_permutation;

// Local. The permutation of 0..n-1 that belongs to the key; n at least 1.
data_permutation data_permutation_make(uint64_t n, uint64_t key);
// Local. Where i (below n) goes.
uint64_t data_permutation_at(const data_permutation *p, uint64_t i);

#endif
