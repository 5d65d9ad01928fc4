// What every backend adds up in a fingerprint (kernels/ops.h): each word times an odd number that
// its place draws (multilinear hashing; Carter and Wegman 1979). A product of 32 bits by 32 bits,
// so one word that differs, in whichever bit, always changes the sum, which is taken modulo 2^64.
// Sums of integers do not depend on their order: neither threads nor devices matter.
#ifndef KERNELS_FINGERPRINT_H
#define KERNELS_FINGERPRINT_H

#include <stdint.h>

// How a backend declares a function of its own; one that is not C's says so before it includes
// this.
#ifndef KERN_FINGERPRINT_FN
#define KERN_FINGERPRINT_FN static inline
#endif

KERN_FINGERPRINT_FN uint64_t kern_fingerprint_term(uint32_t word, uint32_t place) {
  uint32_t x = place * 0x9e3779b1u;
  x = (x ^ (x >> 15)) * 0x85ebca6bu;
  return (uint64_t)word * ((x ^ (x >> 13)) | 1u);
}

#endif
