// exp and log in float32 that vectorise: no branches, no table, no call. The C library's do not
// unless the whole file gives up IEEE rules.
//
// The polynomials are minimax fits (Lawson's iteration on Chebyshev nodes). The errors given below
// are the largest over all floats of the domain, against the C library in float64.
#ifndef KERNELS_CPU_VMATH_H
#define KERNELS_CPU_VMATH_H

#include <stdint.h>

#include "kernels/cpu/lane.h"

typedef union {
  float f;
  uint32_t u;
  int32_t i;
} cpu_bits;

// e^r for |r| <= ln(2)/2, of a float or of a vector of them.
#define CPU_EXP_POLYNOMIAL(r)                                                                      \
  ((((((1.384360667e-03f * (r) + 8.374195620e-03f) * (r) + 4.166800473e-02f) * (r) +               \
      1.666643080e-01f) *                                                                          \
         (r) +                                                                                     \
     4.999999419e-01f) *                                                                           \
        (r) +                                                                                      \
    1.0f) *                                                                                        \
       (r) +                                                                                       \
   1.0f)

// x = n ln 2 + r with |r| <= ln(2)/2, then 2^n e^r. For x in [-87.3, 88.3] only.
CPU_INLINE float cpu_exp_inside(float x) {
  const float round = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer in the low bits
  cpu_bits t = {.f = x * 1.44269504f + round};
  float n = t.f - round;
  float r = x - n * 0.693145752f; // ln 2 in two parts: n times the first is exact
  r -= n * 1.42860677e-6f;
  float p = CPU_EXP_POLYNOMIAL(r);
  cpu_bits scale = {.u = (t.u + 127u) << 23};
  return p * scale.f;
}

// e^x; values outside [-87.3, 88.3] count as the nearer end, NaN gives NaN.
// Relative error 8.9e-8 with FMA, 1.15e-7 without.
CPU_INLINE float cpu_exp(float x) {
  x = x < -87.3f ? -87.3f : x;
  x = x > 88.3f ? 88.3f : x;
  return cpu_exp_inside(x);
}

// ln x for normal x > 0. x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)).
// Relative error 8.3e-8 with FMA, 8.6e-8 without, also near 1.
CPU_INLINE float cpu_log(float x) {
  cpu_bits v = {.f = x};
  int32_t e = (v.i - 0x3f3504f3) >> 23;
  cpu_bits m = {.i = v.i - e * (1 << 23)};
  float f = m.f - 1.0f, n = (float)e;
  float p = -7.634497758e-02f;
  p = p * f + 1.276157754e-01f;
  p = p * f - 1.316018216e-01f;
  p = p * f + 1.420175792e-01f;
  p = p * f - 1.662335736e-01f;
  p = p * f + 2.000122688e-01f;
  p = p * f - 2.500082103e-01f;
  p = p * f + 3.333333171e-01f;
  float low = f * f * (f * p - 0.5f) + n * 1.42860677e-6f;
  return n * 0.693145752f + (f + low);
}

#endif
