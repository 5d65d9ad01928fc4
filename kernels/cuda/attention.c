// Who computes an attention: cuDNN takes bfloat16 sequences without a mask (space blocks), our own
// kernels everything else: float32, causal and windowed sequences (time blocks, which are short),
// head widths and strides that cuDNN does not take. Both keep the same lse, so forward and backward
// may differ in it.
//
// cuDNN knows sequences with one stride between them. Where they lie in two levels (s / inner,
// s % inner), and where the backward pass would ask for too much workspace, it runs several times
// over equal parts of the sequences.
#include "kernels/cuda/sdpa.h"

#ifndef CUDA_MOST_SCORES
#define CUDA_MOST_SCORES                                                                           \
  (256 << 20) // bytes of scores that a backward pass may keep; tests take less
#endif

enum {
  LEAST_L = 32, // below, a sequence does not fill a tile of cuDNN's kernels
  MOST_K = 128,
  TILE = 128,
  MOST_SCORES = CUDA_MOST_SCORES,
};

// `parts` runs of `seqs` sequences: part p begins at row
// (p / inner_parts) * outer_stride + (p % inner_parts) * seqs * seq_stride.
typedef struct {
  int64_t parts, inner_parts, seqs, seq_stride, outer_stride;
} split;

// The smallest number of equal parts of n sequences whose scores fit.
static int64_t parts_of(int64_t n, int64_t H, int64_t L) {
  const int64_t padded = (L + TILE - 1) / TILE * TILE;
  const int64_t most = MOST_SCORES / (H * padded * padded * 2);
  for (int64_t parts = 1; parts < n; parts++)
    if (n % parts == 0 && n / parts <= most) return parts;
  return n;
}

static bool split_of(int64_t seqs, int64_t inner, int64_t outer_stride, int64_t inner_stride,
                     split *out) {
  int64_t groups = 1, each = seqs, stride = inner_stride;
  if (inner == 1) {
    stride = outer_stride;
  } else if (inner < seqs && outer_stride != inner * inner_stride) {
    if (seqs % inner) return false;
    groups = seqs / inner;
    each = inner;
  }
  *out = (split){groups, 1, each, stride, outer_stride};
  return true;
}

static void split_further(split *s, int64_t parts) {
  s->inner_parts = parts;
  s->parts *= parts;
  s->seqs /= parts;
}

static int64_t first_row(const split *s, int64_t part) {
  return part / s->inner_parts * s->outer_stride + part % s->inner_parts * s->seqs * s->seq_stride;
}

// Whether an operand's rows begin at multiples of 16 bytes.
static bool aligned(const void *p, int64_t ld) {
  return ((uintptr_t)p & 15) == 0 && ld % 8 == 0;
}

static bool shape_fits(kern_dtype type, int64_t L, int64_t K, bool causal) {
  return type == KERN_BF16 && !causal && L >= LEAST_L && K % 8 == 0 && K <= MOST_K;
}

static cuda_sdpa_strides strides_of(const split *s, int64_t pos_stride, int64_t ld) {
  return (cuda_sdpa_strides){s->seq_stride * ld, pos_stride * ld};
}

// Operand p, bfloat16, moved to the row.
static const void *at_row(const void *p, int64_t row, int64_t ld) {
  return (const uint16_t *)p + row * ld;
}

orr_code cuda_attention_fwd(kern *k, const kern_attention_fwd_args *a) {
  const cuda_sdpa_plan *plan = NULL;
  split s;
  if (a->seq.seqs == 0 || a->seq.L == 0) return ORR_OK;
  if (shape_fits(a->type, a->seq.L, a->K, a->seq.causal) && aligned(a->q, a->ldq) &&
      aligned(a->k, a->ldk) && aligned(a->v, a->ldv) && aligned(a->o, a->ldo) &&
      split_of(a->seq.seqs, a->seq.inner, a->seq.outer_stride, a->seq.inner_stride, &s))
    ORR_TRY(cuda_sdpa_find(k,
                           &(cuda_sdpa_shape){.seqs = s.seqs,
                                              .L = a->seq.L,
                                              .H = a->H,
                                              .G = a->G,
                                              .K = a->K,
                                              .q = strides_of(&s, a->seq.pos_stride, a->ldq),
                                              .k = strides_of(&s, a->seq.pos_stride, a->ldk),
                                              .v = strides_of(&s, a->seq.pos_stride, a->ldv),
                                              .o = strides_of(&s, a->seq.pos_stride, a->ldo),
                                              .lse = a->lse != NULL},
                           &plan));
  if (!plan) return cuda_attention_own_fwd(k, a);
  void *scratch;
  ORR_TRY(cuda_workspace(k, cuda_sdpa_scratch(plan), &scratch));
  if (k->planning) return ORR_OK;
  for (int64_t p = 0; p < s.parts; p++) {
    const int64_t row = first_row(&s, p);
    cuda_sdpa_operands o = {{[CUDA_SDPA_Q] = at_row(a->q, row, a->ldq),
                             [CUDA_SDPA_K] = at_row(a->k, row, a->ldk),
                             [CUDA_SDPA_V] = at_row(a->v, row, a->ldv),
                             [CUDA_SDPA_O] = at_row(a->o, row, a->ldo)}};
    if (a->lse) o.at[CUDA_SDPA_LSE] = a->lse + p * s.seqs * a->H * a->seq.L;
    ORR_TRY(cuda_sdpa_run(k, plan, &o, scratch));
  }
  return ORR_OK;
}

static bool bwd_aligned(const kern_attention_bwd_args *a) {
  return aligned(a->q, a->ldq) && aligned(a->k, a->ldk) && aligned(a->v, a->ldv) &&
         aligned(a->o, a->ldo) && aligned(a->do_, a->ldo) && aligned(a->dq, a->lddq) &&
         aligned(a->dk, a->lddk) && aligned(a->dv, a->lddv);
}

static cuda_sdpa_shape bwd_shape(const kern_attention_bwd_args *a, const split *s) {
  return (cuda_sdpa_shape){.seqs = s->seqs,
                           .L = a->seq.L,
                           .H = a->H,
                           .G = a->G,
                           .K = a->K,
                           .q = strides_of(s, a->seq.pos_stride, a->ldq),
                           .k = strides_of(s, a->seq.pos_stride, a->ldk),
                           .v = strides_of(s, a->seq.pos_stride, a->ldv),
                           .o = strides_of(s, a->seq.pos_stride, a->ldo),
                           .dq = strides_of(s, a->seq.pos_stride, a->lddq),
                           .dk = strides_of(s, a->seq.pos_stride, a->lddk),
                           .dv = strides_of(s, a->seq.pos_stride, a->lddv),
                           .backward = true,
                           .lse = true};
}

orr_code cuda_attention_bwd(kern *k, const kern_attention_bwd_args *a) {
  const cuda_sdpa_plan *plan = NULL;
  split s;
  if (a->seq.seqs == 0 || a->seq.L == 0) return ORR_OK;
  if (shape_fits(a->type, a->seq.L, a->K, a->seq.causal) && bwd_aligned(a) &&
      split_of(a->seq.seqs, a->seq.inner, a->seq.outer_stride, a->seq.inner_stride, &s)) {
    split_further(&s, parts_of(s.seqs, a->H, a->seq.L));
    const cuda_sdpa_shape shape = bwd_shape(a, &s);
    ORR_TRY(cuda_sdpa_find(k, &shape, &plan));
  }
  if (!plan) return cuda_attention_own_bwd(k, a);
  void *scratch;
  ORR_TRY(cuda_workspace(k, cuda_sdpa_scratch(plan), &scratch));
  if (k->planning) return ORR_OK;
  for (int64_t p = 0; p < s.parts; p++) {
    const int64_t row = first_row(&s, p);
    ORR_TRY(cuda_sdpa_run(
        k, plan,
        &(cuda_sdpa_operands){{[CUDA_SDPA_Q] = at_row(a->q, row, a->ldq),
                               [CUDA_SDPA_K] = at_row(a->k, row, a->ldk),
                               [CUDA_SDPA_V] = at_row(a->v, row, a->ldv),
                               [CUDA_SDPA_O] = at_row(a->o, row, a->ldo),
                               [CUDA_SDPA_DO] = at_row(a->do_, row, a->ldo),
                               [CUDA_SDPA_DQ] = at_row(a->dq, row, a->lddq),
                               [CUDA_SDPA_DK] = at_row(a->dk, row, a->lddk),
                               [CUDA_SDPA_DV] = at_row(a->dv, row, a->lddv),
                               [CUDA_SDPA_LSE] = a->lse + p * s.seqs * a->H * a->seq.L}},
        scratch));
  }
  return ORR_OK;
}
