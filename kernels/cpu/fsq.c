// Finite scalar quantization (Mentzer et al. 2023). For a dimension with L levels:
//
//   half = (L - 1) (1 + 1e-3) / 2      offset = 1/2 when L is even, else 0
//   bounded = tanh(z + atanh(offset / half)) half - offset
//   code (=) round(bounded) / (L / 2)       digit = round(bounded) + L / 2, in 0..L-1
//   dz (=) dcode / (L / 2) half (1 - tanh^2)        straight through the rounding
//
// L / 2 is an integer division. index = sum of digit times the product of the levels before it.
// Saved: z.
#include <math.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"
#include "kernels/fsq.h"

// tanh costs about as much as this many elements of other ops.
enum { TANH_WIDTH = 64 };

typedef struct {
  const void *args;
  kern_fsq_dim dims[KERN_FSQ_MAX];
} fsq_ctx;

static void fwd_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const fsq_ctx *c = ctx;
  const kern_fsq_fwd_args *a = c->args;
  for (int64_t m = first; m < end; m++) {
    int64_t index = 0;
    for (int i = 0; i < a->n; i++) {
      const kern_fsq_dim *d = &c->dims[i];
      const float z = a->z[m * a->n + i];
      // + 0 turns -0 into 0: a level has one representation.
      const float level = rintf(tanhf(z + d->shift) * d->half - d->offset) + 0.0f;
      cpu_lane_set(a->code, m * a->n + i, level / (float)d->middle, a->type);
      // A NaN shows in the code; its digit is the middle one.
      index += (int64_t)((level == level ? (int32_t)level : 0) + d->middle) * d->basis;
    }
    if (a->index) a->index[m] = (int32_t)index;
  }
}

orr_code CPU_FN(fsq_fwd)(kern *k, const kern_fsq_fwd_args *a) {
  fsq_ctx c = {.args = a};
  ORR_TRY(kern_fsq_dims(a->n, a->levels, c.dims));
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, cpu_grain(k, a->M, TANH_WIDTH * a->n), fwd_part, &c);
  return ORR_OK;
}

static void bwd_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const fsq_ctx *c = ctx;
  const kern_fsq_bwd_args *a = c->args;
  for (int64_t m = first; m < end; m++) {
    for (int i = 0; i < a->n; i++) {
      const kern_fsq_dim *d = &c->dims[i];
      const int64_t at = m * a->n + i;
      const float t = tanhf(a->z[at] + d->shift);
      const float dcode = cpu_lane_get(a->dcode, at, a->type);
      a->dz[at] = dcode / (float)d->middle * d->half * (1.0f - t * t);
    }
  }
}

orr_code CPU_FN(fsq_bwd)(kern *k, const kern_fsq_bwd_args *a) {
  fsq_ctx c = {.args = a};
  ORR_TRY(kern_fsq_dims(a->n, a->levels, c.dims));
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, cpu_grain(k, a->M, TANH_WIDTH * a->n), bwd_part, &c);
  return ORR_OK;
}

static void lookup_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const fsq_ctx *c = ctx;
  const kern_fsq_lookup_args *a = c->args;
  for (int64_t m = first; m < end; m++) {
    for (int i = 0; i < a->n; i++) {
      const kern_fsq_dim *d = &c->dims[i];
      const int32_t level = a->index[m] / d->basis % d->levels - d->middle;
      cpu_lane_set(a->code, m * a->n + i, (float)level / (float)d->middle, a->type);
    }
  }
}

orr_code CPU_FN(fsq_lookup)(kern *k, const kern_fsq_lookup_args *a) {
  fsq_ctx c = {.args = a};
  ORR_TRY(kern_fsq_dims(a->n, a->levels, c.dims));
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, cpu_grain(k, a->M, a->n), lookup_part, &c);
  return ORR_OK;
}
