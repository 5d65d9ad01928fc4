// What kern_squares makes of one element, on every backend, and of its bins.
#ifndef KERNELS_SQUARES_H
#define KERNELS_SQUARES_H

#include <math.h>
#include <stdint.h>

#include "kernels/ops.h"

#ifndef KERN_SQUARES_FN
#define KERN_SQUARES_FN static inline
#endif

// x = m 2^(e - 150) of the bits of x; its square is (m^2 << 2 (e % 8)) 2^(16 (e / 8) - 300), of
// which 22 bits are dropped.
KERN_SQUARES_FN int kern_squares_window(uint32_t bits) {
  const uint32_t e = bits >> 23 & 255;
  return (int)((e ? e : 1) / 8);
}
KERN_SQUARES_FN int64_t kern_squares_term(uint32_t bits) {
  const uint32_t e = bits >> 23 & 255, m = (bits & 0x7fffff) | (e ? 0x800000 : 0);
  return (int64_t)(((uint64_t)m * m << 2 * ((e ? e : 1) % 8)) >> 22);
}
KERN_SQUARES_FN int kern_squares_finite(uint32_t bits) {
  return (bits >> 23 & 255) != 255;
}
// From the largest window to the smallest: one order of float64 sums.
KERN_SQUARES_FN double kern_squares_value(const int64_t *bins) {
  double sum = 0.0;
  for (int w = KERN_SQUARES_WINDOWS - 1; w >= 0; w--)
    sum += ldexp((double)bins[2 * w + 1], 16 * w - 246) + ldexp((double)bins[2 * w], 16 * w - 278);
  return bins[2 * KERN_SQUARES_WINDOWS] ? (double)NAN : sum;
}

#endif
