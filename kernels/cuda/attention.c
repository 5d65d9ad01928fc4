// Who computes an attention: cuDNN takes bfloat16 sequences without a mask (space blocks), and
// where the setup asks for it causal ones of 128 positions and more (long time blocks); our own
// kernels take everything else: float32, short or windowed sequences, head widths and strides that
// cuDNN does not take. All keep the same lse, so forward and backward may differ in who it is.
//
// cuDNN knows sequences with one stride between them. Where they lie in two levels (s / inner,
// s % inner), and where the backward pass would ask for too much workspace, it runs several times
// over parts of the sequences.
#include "kernels/cuda/sdpa.h"

#ifndef CUDA_MOST_SCORES
#define CUDA_MOST_SCORES                                                                           \
  (256 << 20) // bytes of scores that a backward pass may keep; tests take less
#endif

enum {
  LEAST_L = 32, // below, a sequence does not fill a tile of cuDNN's kernels
  TILE = 128,   // below, one of a causal sequence is half empty
  MOST_K = 128,
  MOST_SCORES = CUDA_MOST_SCORES,
};

// `groups` times `parts` runs. A group's sequences begin at rows outer_stride apart, those inside
// at rows seq_stride apart; each part has `each` of them, the last what is left.
typedef struct {
  int64_t groups, seqs, parts, each;
  int64_t outer_stride, seq_stride;
} split;

static int64_t seqs_of(const split *s, int64_t part) {
  return part + 1 < s->parts ? s->each : s->seqs - s->each * (s->parts - 1);
}

static bool split_of(const kern_sequences *q, split *out) {
  int64_t groups = 1, each = q->seqs, stride = q->inner_stride;
  if (q->inner == 1) {
    stride = q->outer_stride;
  } else if (q->inner < q->seqs && q->outer_stride != q->inner * q->inner_stride) {
    if (q->seqs % q->inner) return false;
    groups = q->seqs / q->inner;
    each = q->inner;
  }
  *out = (split){groups, each, 1, each, q->outer_stride, stride};
  return true;
}

// Into the fewest parts whose scores fit, or at most twice as many where those are equal, for parts
// of two sizes are two plans.
static void split_further(split *s, int64_t H, int64_t L) {
  const int64_t padded = (L + TILE - 1) / TILE * TILE, bytes = H * padded * padded * 2;
  const int64_t most = bytes < MOST_SCORES ? MOST_SCORES / bytes : 1;
  const int64_t fewest = (s->seqs + most - 1) / most;
  s->parts = fewest;
  while (s->seqs % s->parts && s->parts < 2 * fewest) s->parts++;
  if (s->seqs % s->parts) s->parts = fewest;
  s->each = (s->seqs + s->parts - 1) / s->parts;
  s->parts = (s->seqs + s->each - 1) / s->each;
}

// An operand of the graph, row by row.
typedef struct {
  const void *p; // bfloat16; NULL: the shape has none
  int64_t ld;
} matrix;
typedef struct {
  matrix of[CUDA_SDPA_INNER]; // by the numbers of kernels/cuda/sdpa_graph.h
  const float *lse;
} operands;

// Whether every row begins at a multiple of 16 bytes.
static bool aligned(const operands *o) {
  for (int i = 0; i < CUDA_SDPA_INNER; i++)
    if (o->of[i].p && (((uintptr_t)o->of[i].p & 15) != 0 || o->of[i].ld % 8 != 0)) return false;
  return true;
}

static bool fits(const kern *k, kern_dtype type, const kern_sequences *s, int64_t K) {
  if (type != KERN_BF16 || K % 8 != 0 || K > MOST_K) return false;
  if (!s->causal) return s->L >= LEAST_L;
  const bool windowed = s->window > 0 && s->window < s->L;
  return cuda_impl_of(k)->library_causal && s->L >= TILE && !windowed;
}

// The plans of the parts and of the last one, which are the same where it is no smaller. NULL: own
// kernels take it.
typedef struct {
  const cuda_sdpa_plan *each, *last;
} plans;

static orr_code find(kern *k, const split *s, cuda_sdpa_shape shape, plans *out) {
  shape.seqs = s->each;
  ORR_TRY(cuda_sdpa_find(k, &shape, &out->each));
  out->last = out->each;
  if (!out->each || seqs_of(s, s->parts - 1) == s->each) return ORR_OK;
  shape.seqs = seqs_of(s, s->parts - 1);
  ORR_TRY(cuda_sdpa_find(k, &shape, &out->last));
  if (!out->last) out->each = NULL;
  return ORR_OK;
}

static cuda_sdpa_strides strides_of(const split *s, int64_t pos_stride, int64_t ld) {
  return (cuda_sdpa_strides){s->seq_stride * ld, pos_stride * ld};
}

static orr_code run(kern *k, const split *s, const plans *p, const operands *o, int64_t per_seq) {
  const size_t each = cuda_sdpa_scratch(p->each), last = cuda_sdpa_scratch(p->last);
  void *scratch;
  ORR_TRY(cuda_workspace(k, each > last ? each : last, &scratch));
  if (k->planning) return ORR_OK;
  for (int64_t group = 0; group < s->groups; group++)
    for (int64_t part = 0; part < s->parts; part++) {
      const int64_t row = group * s->outer_stride + part * s->each * s->seq_stride;
      const int64_t first = group * s->seqs + part * s->each;
      cuda_sdpa_operands at = {{[CUDA_SDPA_LSE] = o->lse ? o->lse + first * per_seq : NULL}};
      for (int i = 0; i < CUDA_SDPA_INNER; i++)
        if (o->of[i].p) at.at[i] = (const uint16_t *)o->of[i].p + row * o->of[i].ld;
      ORR_TRY(cuda_sdpa_run(k, part + 1 < s->parts ? p->each : p->last, &at, scratch));
    }
  return ORR_OK;
}

orr_code cuda_attention_fwd(kern *k, const kern_attention_fwd_args *a) {
  const operands o = {.of = {[CUDA_SDPA_Q] = {a->q, a->ldq},
                             [CUDA_SDPA_K] = {a->k, a->ldk},
                             [CUDA_SDPA_V] = {a->v, a->ldv},
                             [CUDA_SDPA_O] = {a->o, a->ldo}},
                      .lse = a->lse};
  plans p = {0};
  split s;
  if (a->seq.seqs == 0 || a->seq.L == 0) return ORR_OK;
  if (fits(k, a->type, &a->seq, a->K) && aligned(&o) && split_of(&a->seq, &s))
    ORR_TRY(find(k, &s,
                 (cuda_sdpa_shape){.L = a->seq.L,
                                   .H = a->H,
                                   .G = a->G,
                                   .K = a->K,
                                   .q = strides_of(&s, a->seq.pos_stride, a->ldq),
                                   .k = strides_of(&s, a->seq.pos_stride, a->ldk),
                                   .v = strides_of(&s, a->seq.pos_stride, a->ldv),
                                   .o = strides_of(&s, a->seq.pos_stride, a->ldo),
                                   .causal = a->seq.causal,
                                   .lse = a->lse != NULL},
                 &p));
  return p.each ? run(k, &s, &p, &o, a->H * a->seq.L) : cuda_attention_own_fwd(k, a);
}

static cuda_sdpa_shape bwd_shape(const kern_attention_bwd_args *a, const split *s) {
  return (cuda_sdpa_shape){.L = a->seq.L,
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
                           .causal = a->seq.causal,
                           .backward = true,
                           .lse = true};
}

orr_code cuda_attention_bwd(kern *k, const kern_attention_bwd_args *a) {
  const operands o = {.of = {[CUDA_SDPA_Q] = {a->q, a->ldq},
                             [CUDA_SDPA_K] = {a->k, a->ldk},
                             [CUDA_SDPA_V] = {a->v, a->ldv},
                             [CUDA_SDPA_O] = {a->o, a->ldo},
                             [CUDA_SDPA_DO] = {a->do_, a->ldo},
                             [CUDA_SDPA_DQ] = {a->dq, a->lddq},
                             [CUDA_SDPA_DK] = {a->dk, a->lddk},
                             [CUDA_SDPA_DV] = {a->dv, a->lddv}},
                      .lse = a->lse};
  plans p = {0};
  split s;
  if (a->seq.seqs == 0 || a->seq.L == 0) return ORR_OK;
  if (fits(k, a->type, &a->seq, a->K) && aligned(&o) && split_of(&a->seq, &s)) {
    split_further(&s, a->H, a->seq.L);
    ORR_TRY(find(k, &s, bwd_shape(a, &s), &p));
  }
  return p.each ? run(k, &s, &p, &o, a->H * a->seq.L) : cuda_attention_own_bwd(k, a);
}
