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

typedef struct {
  float half, shift, offset; // of the bound, in float32 as the definition has them
  int32_t middle;            // L / 2
  int32_t levels, basis;
} fsq_dim;

static orr_code read_levels(int n, const int32_t *levels, fsq_dim *dims) {
  ORR_CHECK(n >= 1 && n <= KERN_FSQ_MAX, ORR_EINVAL, "fsq: %d dimensions, wanted 1 to %d", n,
            KERN_FSQ_MAX);
  int64_t basis = 1;
  for (int i = 0; i < n; i++) {
    const int32_t L = levels[i];
    ORR_CHECK(L >= 2, ORR_EINVAL, "fsq: dimension %d has %d levels, wanted 2 or more", i, L);
    ORR_CHECK(basis * L <= INT32_MAX, ORR_EINVAL,
              "fsq: more than 2^31-1 codes; use fewer dimensions or levels");
    const float half = (float)(L - 1) * 1.001f / 2.0f;
    const float offset = L % 2 == 0 ? 0.5f : 0.0f;
    dims[i] = (fsq_dim){.half = half,
                        .shift = atanhf(offset / half),
                        .offset = offset,
                        .middle = L / 2,
                        .levels = L,
                        .basis = (int32_t)basis};
    basis *= L;
  }
  return ORR_OK;
}

orr_code CPU_FN(fsq_fwd)(kern *k, const kern_fsq_fwd_args *a) {
  fsq_dim dims[KERN_FSQ_MAX];
  ORR_TRY(read_levels(a->n, a->levels, dims));
  if (k->planning) return ORR_OK;
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t m = 0; m < a->M; m++) {
    int64_t index = 0;
    for (int i = 0; i < a->n; i++) {
      const fsq_dim *d = &dims[i];
      const float z = a->z[m * a->n + i];
      // + 0 turns -0 into 0: a level has one representation.
      const float level = rintf(tanhf(z + d->shift) * d->half - d->offset) + 0.0f;
      cpu_lane_set(a->code, m * a->n + i, level / (float)d->middle, a->type);
      // A NaN shows in the code; its digit is the middle one.
      index += (int64_t)((level == level ? (int32_t)level : 0) + d->middle) * d->basis;
    }
    if (a->index) a->index[m] = (int32_t)index;
  }
  return ORR_OK;
}

orr_code CPU_FN(fsq_bwd)(kern *k, const kern_fsq_bwd_args *a) {
  fsq_dim dims[KERN_FSQ_MAX];
  ORR_TRY(read_levels(a->n, a->levels, dims));
  if (k->planning) return ORR_OK;
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t m = 0; m < a->M; m++) {
    for (int i = 0; i < a->n; i++) {
      const fsq_dim *d = &dims[i];
      const int64_t at = m * a->n + i;
      const float t = tanhf(a->z[at] + d->shift);
      const float dcode = cpu_lane_get(a->dcode, at, a->type);
      a->dz[at] = dcode / (float)d->middle * d->half * (1.0f - t * t);
    }
  }
  return ORR_OK;
}

orr_code CPU_FN(fsq_lookup)(kern *k, const kern_fsq_lookup_args *a) {
  fsq_dim dims[KERN_FSQ_MAX];
  ORR_TRY(read_levels(a->n, a->levels, dims));
  if (k->planning) return ORR_OK;
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t m = 0; m < a->M; m++) {
    for (int i = 0; i < a->n; i++) {
      const fsq_dim *d = &dims[i];
      const int32_t level = a->index[m] / d->basis % d->levels - d->middle;
      cpu_lane_set(a->code, m * a->n + i, (float)level / (float)d->middle, a->type);
    }
  }
  return ORR_OK;
}
