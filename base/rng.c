// Philox4x32-10 (Salmon et al. 2011) through Random123's C API. For seeds below 2^32 the key is
// exactly (seed, stream); the upper half of a longer seed is spread over the stream's word.
#include "base/rng.h"

#include <Random123/philox.h>
#include <math.h>

orr_u32x4 orr_rng_draw(uint64_t seed, uint32_t stream, uint64_t sample, uint64_t position) {
  philox4x32_key_t key = {{(uint32_t)seed, stream ^ (uint32_t)(seed >> 32) * UINT32_C(0x9E3779B9)}};
  philox4x32_ctr_t counter = {
      {(uint32_t)sample, (uint32_t)(sample >> 32), (uint32_t)position, (uint32_t)(position >> 32)}};
  philox4x32_ctr_t r = philox4x32(counter, key);
  return (orr_u32x4){{r.v[0], r.v[1], r.v[2], r.v[3]}};
}

double orr_rng_uniform(uint64_t seed, uint32_t stream, uint64_t sample, uint64_t position) {
  orr_u32x4 r = orr_rng_draw(seed, stream, sample, position);
  uint64_t bits = (uint64_t)r.v[0] << 32 | r.v[1];
  return (double)(bits >> 11) * 0x1p-53;
}

// Box & Muller 1958; u1 lies in (0,1], so its logarithm is finite.
float orr_rng_normal(uint64_t seed, uint32_t stream, uint64_t sample, uint64_t position) {
  orr_u32x4 r = orr_rng_draw(seed, stream, sample, position);
  double u1 = ((double)r.v[0] + 1.0) * 0x1p-32, u2 = orr_u32_to_unit(r.v[1]);
  return (float)(sqrt(-2.0 * log(u1)) * cos(2.0 * 3.14159265358979323846 * u2));
}

// The high word of bits * n (Lemire 2019 without the rejection: the bias is below n / 2^64).
uint64_t orr_rng_below(uint64_t seed, uint32_t stream, uint64_t sample, uint64_t position,
                       uint64_t n) {
  orr_u32x4 r = orr_rng_draw(seed, stream, sample, position);
  uint64_t bits = (uint64_t)r.v[0] << 32 | r.v[1];
  return (uint64_t)((unsigned __int128)bits * n >> 64);
}

double orr_u32_to_unit(uint32_t u) {
  return (double)u * 0x1p-32;
}
