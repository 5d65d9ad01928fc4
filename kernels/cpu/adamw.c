// AdamW (Loshchilov & Hutter 2019) with the weights' moving average and their bfloat16 copy.
//
//   g' = g scale
//   m (=) beta1 m + (1 - beta1) g'
//   v (=) beta2 v + (1 - beta2) g'^2
//   w (=) w (1 - lr decay) - lr / (1 - beta1^step) m / (sqrt(v / (1 - beta2^step)) + eps)
//   ema (=) ema_decay ema + (1 - ema_decay) w
//
// The flat range is walked once, in strips whose five arrays fit L1 together: the three loops over
// a strip touch memory once.
#include <math.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"

enum { STRIP = 1024 };

// Moments of weights without a gradient (codes that do not occur) decay into the denormal numbers
// and would stay there, each operation on them slow. Far above, they already count as nothing
// beside eps.
CPU_INLINE float flushed(float x) {
  return fabsf(x) < 1e-36f ? 0.0f : x;
}

static void step_strip(const kern_adamw_args *a, float decay, int64_t first, int64_t n) {
  float *restrict w = a->w + first, *restrict m = a->m + first, *restrict v = a->v + first;
  const float *restrict g = a->g + first;
  const float beta1 = a->beta1, beta2 = a->beta2, eps = a->eps, scale = a->verdict->scale;
  const float rate = a->rates->rate, root_bias = a->rates->root_bias;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) {
    float gi = g[i] * scale;
    float mi = flushed(beta1 * m[i] + (1.0f - beta1) * gi);
    float vi = flushed(beta2 * v[i] + (1.0f - beta2) * gi * gi);
    m[i] = mi;
    v[i] = vi;
    w[i] = w[i] * decay - rate * mi / (sqrtf(vi) * root_bias + eps);
  }
  if (a->ema) {
    float *restrict ema = a->ema + first;
    const float keep = a->ema_decay;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) ema[i] = keep * ema[i] + (1.0f - keep) * w[i];
  }
  if (a->w_bf16) {
    uint16_t *restrict copy = a->w_bf16 + first;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) copy[i] = cpu_lane_bf16(w[i]);
  }
}

static void step_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_adamw_args *a = ctx;
  const float decay = (float)(1.0 - (double)a->rates->lr * a->weight_decay);
  step_strip(a, decay, first, end - first);
}

orr_code CPU_FN(adamw)(kern *k, const kern_adamw_args *a) {
  if (k->planning || a->verdict->skip) return ORR_OK;
  cpu_run(k, a->n, STRIP, step_part, a);
  return ORR_OK;
}
