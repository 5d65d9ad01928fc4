// Cross-entropy with z-loss (Chowdhery et al. 2022) over a vocabulary that may be sharded.
//
//   part one:  largest = max l      sum = sum e^(l - largest)      (of the local columns)
//   part two:  lse = largest + ln sum
//              loss_sum (+=) lse - l[target] + z lse^2             (over rows, in float64)
//              dl (=) scale ((1 + 2 z lse) e^(l - lse) - onehot)
//
// Between the parts the caller combines the statistics of the ranks (xent_rescale is its part of
// that on one rank). A row fits L1 or L2 between
// its passes.
#include <math.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"
#include "kernels/cpu/vmath.h"

static void stats_row(const kern_xent_stats_args *a, int64_t m) {
  const float *restrict l = a->logits + m * a->V;
  float largest = -INFINITY, sum = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t v = 0; v < a->V; v++) largest = l[v] > largest ? l[v] : largest;
  const int64_t t = a->target[m] - a->v_first;
  a->largest[m] = largest;
  if (a->sum) {
#pragma omp simd reduction(+ : sum)
    for (int64_t v = 0; v < a->V; v++) sum += cpu_exp(l[v] - largest);
    a->sum[m] = sum;
  }
  a->target_logit[m] = t >= 0 && t < a->V ? l[t] : 0.0f;
}

// A logit costs about as much as this many elements of other ops.
enum { EXP_WIDTH = 4 };

static void stats_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_xent_stats_args *a = ctx;
  for (int64_t m = first; m < end; m++) {
    if (a->target[m] >= 0) {
      stats_row(a, m);
      continue;
    }
    a->largest[m] = -INFINITY;
    a->target_logit[m] = 0.0f;
    if (a->sum) a->sum[m] = 0.0f;
  }
}

orr_code CPU_FN(xent_stats)(kern *k, const kern_xent_stats_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, cpu_grain(k, a->M, EXP_WIDTH * a->V), stats_part, a);
  return ORR_OK;
}

orr_code CPU_FN(xent_rescale)(kern *k, const kern_xent_rescale_args *a) {
  if (k->planning) return ORR_OK;
  for (int64_t m = 0; m < a->M; m++)
    if (a->sum[m] > 0.0f) a->sum[m] *= expf(a->own_largest[m] - a->largest[m]);
  return ORR_OK;
}

// Lanes by number, not by register: the same sum with every instruction set and from any address.
enum { LANES = 16 };

static float slice_sum(const float *restrict l, int64_t n, float largest) {
  float lane[LANES] = {0}, sum = 0.0f;
  int64_t v = 0;
  for (; v + LANES <= n; v += LANES) {
#pragma omp simd
    for (int i = 0; i < LANES; i++) lane[i] += cpu_exp(l[v + i] - largest);
  }
  for (int i = 0; v + i < n; i++) lane[i] += cpu_exp(l[v + i] - largest);
  for (int i = 0; i < LANES; i++) sum += lane[i];
  return sum;
}

static void sum_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_xent_sum_args *a = ctx;
  const int64_t *at = a->slices->at[0];
  for (int64_t m = first; m < end; m++) {
    float sum[KERN_SLICES_MOST] = {0};
    for (int s = 0; s < a->slices->count && a->target[m] >= 0; s++)
      sum[s] = slice_sum(a->logits + m * a->V + at[s], at[s + 1] - at[s], a->largest[m]);
    for (int step = 1; step < a->slices->count; step *= 2)
      for (int s = 0; s < a->slices->count; s += 2 * step) sum[s] += sum[s + step];
    a->sum[m] = sum[0];
  }
}

orr_code CPU_FN(xent_sum)(kern *k, const kern_xent_sum_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, cpu_grain(k, a->M, EXP_WIDTH * a->V), sum_part, a);
  return ORR_OK;
}

CPU_INLINE void grad_row(const kern_xent_grad_args *a, int64_t m, float lse, kern_dtype type) {
  const int64_t V = a->V, t = a->target[m] - a->v_first;
  const float *l = a->logits + m * V;
  void *dl = cpu_lane_row_mut(a->dlogits, m, V, type);
  const float scale = a->weight ? *a->scale * a->weight[m] : *a->scale;
  const float share = scale * (1.0f + 2.0f * a->z_loss * lse);
  const bool here = t >= 0 && t < V;
  const float at_target = here ? share * cpu_exp(l[t] - lse) - scale : 0.0f;
#pragma omp simd
  for (int64_t v = 0; v < V; v++) cpu_lane_set(dl, v, share * cpu_exp(l[v] - lse), type);
  if (here) cpu_lane_set(dl, t, at_target, type);
}

// Returns the row's loss.
static double loss_row(const kern_xent_grad_args *a, int64_t m) {
  if (a->target[m] < 0) {
    if (a->dlogits)
      memset(cpu_lane_row_mut(a->dlogits, m, a->V, a->type), 0,
             (size_t)a->V * kern_dtype_size(a->type));
    return 0.0;
  }
  const float lse = a->largest[m] + logf(a->sum[m]);
  double loss = (double)lse - a->target_logit[m] + (double)a->z_loss * lse * lse;
  if (a->weight) loss *= (double)a->weight[m];
  if (!a->dlogits) return loss;
  if (a->type == KERN_BF16)
    grad_row(a, m, lse, KERN_BF16);
  else
    grad_row(a, m, lse, KERN_F32);
  return loss;
}

typedef struct {
  const kern_xent_grad_args *a;
  double *loss; // of each row
} loss_ctx;

static void loss_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const loss_ctx *c = ctx;
  for (int64_t m = first; m < end; m++) c->loss[m] = loss_row(c->a, m);
}

orr_code CPU_FN(xent_grad)(kern *k, const kern_xent_grad_args *a) {
  void *workspace;
  ORR_TRY(cpu_workspace(k, (size_t)a->M * sizeof(double), &workspace));
  if (k->planning) return ORR_OK;
  double *loss = workspace;
  cpu_run(k, a->M, cpu_grain(k, a->M, EXP_WIDTH * a->V), loss_part, &(loss_ctx){a, loss});
  double sum = 0;
  for (int64_t m = 0; m < a->M; m++) sum += loss[m];
  *a->loss_sum += sum;
  return ORR_OK;
}
