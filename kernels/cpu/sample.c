// Draws of codes: the largest of logit / temperature + Gumbel noise has the softmax's
// distribution (Gumbel 1954; Maddison et al. 2014).
//
// The noise is -ln(-ln u), u made of the upper 23 bits of the first word of
// orr_rng_draw(seed, ORR_STREAM_DECODE, sample, position), one position a code. The generator
// stands here a second time, as a loop over neighbouring positions that vectorises.
#include <math.h>

#include "base/rng.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"
#include "kernels/cpu/vmath.h"

enum { TILE = 256 };

// The first word of Philox4x32-10 (Salmon et al. 2011); key and counter as base/rng.c has them.
CPU_INLINE uint32_t philox(uint32_t k0, uint32_t k1, uint64_t sample, uint64_t position) {
  uint32_t c0 = (uint32_t)sample, c1 = (uint32_t)(sample >> 32);
  uint32_t c2 = (uint32_t)position, c3 = (uint32_t)(position >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)UINT32_C(0xD2511F53) * c0;
    const uint64_t p1 = (uint64_t)UINT32_C(0xCD9E8D57) * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += UINT32_C(0x9E3779B9);
    k1 += UINT32_C(0xBB67AE85);
  }
  return c0;
}

// out[i] = logit[i] * inverse + noise of position + i; i < n <= TILE.
static void perturb(const float *restrict logit, int64_t n, float inverse, uint64_t seed,
                    uint64_t sample, uint64_t position, float *restrict out) {
  const uint32_t k0 = (uint32_t)seed;
  const uint32_t k1 = ORR_STREAM_DECODE ^ (uint32_t)(seed >> 32) * UINT32_C(0x9E3779B9);
  uint32_t bits[TILE];
#pragma omp simd
  for (int64_t i = 0; i < n; i++) bits[i] = philox(k0, k1, sample, position + (uint64_t)i);
#pragma omp simd
  for (int64_t i = 0; i < n; i++) {
    // Exact in float32 and inside (0, 1).
    const float u = ((float)(int32_t)(bits[i] >> 9) + 0.5f) * 0x1p-23f;
    out[i] = logit[i] * inverse - cpu_log(-cpu_log(u));
  }
}

typedef struct {
  float value;
  int64_t at;
} best_code;

// The first of the largest values; NaNs never win.
static void take_best(best_code *best, const float *restrict value, int64_t n, int64_t first) {
  float largest = -INFINITY;
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < n; i++) largest = value[i] > largest ? value[i] : largest;
  if (!(largest > best->value)) return;
  for (int64_t i = 0; i < n; i++) {
    if (value[i] != largest) continue;
    *best = (best_code){.value = largest, .at = first + i};
    return;
  }
}

static float log_prob(const float *restrict logit, int64_t V, int64_t code) {
  float largest = -INFINITY, sum = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t v = 0; v < V; v++) largest = logit[v] > largest ? logit[v] : largest;
#pragma omp simd reduction(+ : sum)
  for (int64_t v = 0; v < V; v++) sum += cpu_exp(logit[v] - largest);
  return logit[code] - largest - logf(sum);
}

static void sample_row(const kern_sample_args *a, int64_t m) {
  const float *logit = a->logits + m * a->V;
  const int64_t b = m / a->rows_per_sample;
  best_code best = {.value = -INFINITY, .at = 0};
  if (!(a->temperature[b] > 0.0f)) {
    take_best(&best, logit, a->V, 0);
  } else {
    const uint64_t row =
        a->draw[b] * (uint64_t)a->rows_per_sample + (uint64_t)(m % a->rows_per_sample);
    const uint64_t position = row * (uint64_t)a->V;
    float value[TILE];
    for (int64_t v = 0; v < a->V; v += TILE) {
      const int64_t n = a->V - v < TILE ? a->V - v : TILE;
      perturb(logit + v, n, 1.0f / a->temperature[b], a->seed[b], a->sample[b],
              position + (uint64_t)v, value);
      take_best(&best, value, n, v);
    }
  }
  a->code[m] = (int32_t)best.at;
  a->log_prob[m] = log_prob(logit, a->V, best.at);
}

static void sample_part(const void *ctx, int64_t first, int64_t end, int thread) {
  for (int64_t m = first; m < end; m++) sample_row(ctx, m);
}

orr_code CPU_FN(sample)(kern *k, const kern_sample_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, 1, sample_part, a);
  return ORR_OK;
}
