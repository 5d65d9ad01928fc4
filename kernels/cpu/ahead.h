// Fetching ahead: while one head's attention is computed, the rows of the head after it are brought
// into the cache, a few at a time. Strided rows are beyond the hardware's own guesses, and waiting
// for them took half of the time.
#ifndef KERNELS_CPU_AHEAD_H
#define KERNELS_CPU_AHEAD_H

#include "kernels/cpu/attention.h"
#include "kernels/cpu/lane.h"

enum { CPU_AHEAD_MOST = 8 };

typedef struct {
  const char *next[CPU_AHEAD_MOST]; // tensors that are read, then those that are written
  int64_t stride[CPU_AHEAD_MOST];   // bytes
  int reads, all;
  int64_t rows, bytes; // rows left; bytes of a row
} cpu_ahead;

// Adds the rows of one head: x points at a tensor of `type`.
static inline void cpu_ahead_add(cpu_ahead *f, bool write, kern_dtype type, const void *x,
                                 int64_t row, int64_t ld, int64_t head, int64_t K,
                                 int64_t pos_stride) {
  const int64_t size = (int64_t)kern_dtype_size(type);
  f->next[f->all] = (const char *)x + (row * ld + head * K) * size;
  f->stride[f->all++] = pos_stride * ld * size;
  if (!write) f->reads = f->all;
}

// Fetches one more row of each tensor.
CPU_INLINE void cpu_ahead_row(cpu_ahead *f) {
  if (f->rows == 0) return;
  f->rows--;
  for (int t = 0; t < f->all; t++) {
    for (int64_t c = 0; c < f->bytes; c += 64) {
      if (t < f->reads)
        __builtin_prefetch(f->next[t] + c, 0, 2);
      else
        __builtin_prefetch(f->next[t] + c, 1, 3);
    }
    f->next[t] += f->stride[t];
  }
}

// Head *h + 1, or head 0 of the next sequence: *h (=) it, *row (=) its sequence's first row. There
// are no rows after the last head.
static inline cpu_ahead cpu_ahead_from(kern_dtype type, const kern_sequences *seq, int64_t K,
                                       int64_t H, int64_t s, int64_t *h, int64_t *row) {
  cpu_ahead f = {.bytes = K * (int64_t)kern_dtype_size(type)};
  if (++*h == H) *h = 0, s++;
  if (s == seq->seqs) return f;
  *row = cpu_attention_row(s, seq->inner, seq->outer_stride, seq->inner_stride);
  f.rows = seq->L;
  return f;
}

// What that head reads and writes.
static inline cpu_ahead cpu_ahead_fwd(const kern_attention_fwd_args *a, int64_t s, int64_t h) {
  int64_t row;
  cpu_ahead f = cpu_ahead_from(a->type, &a->seq, a->K, a->H, s, &h, &row);
  if (f.rows == 0) return f;
  const int64_t g = h / (a->H / a->G);
  cpu_ahead_add(&f, false, a->type, a->k, row, a->ldk, g, a->K, a->seq.pos_stride);
  cpu_ahead_add(&f, false, a->type, a->v, row, a->ldv, g, a->K, a->seq.pos_stride);
  cpu_ahead_add(&f, false, a->type, a->q, row, a->ldq, h, a->K, a->seq.pos_stride);
  cpu_ahead_add(&f, true, a->type, a->o, row, a->ldo, h, a->K, a->seq.pos_stride);
  return f;
}

static inline cpu_ahead cpu_ahead_bwd(const kern_attention_bwd_args *a, int64_t s, int64_t h) {
  int64_t row;
  cpu_ahead f = cpu_ahead_from(a->type, &a->seq, a->K, a->H, s, &h, &row);
  if (f.rows == 0) return f;
  const int64_t g = h / (a->H / a->G);
  cpu_ahead_add(&f, false, a->type, a->q, row, a->ldq, h, a->K, a->seq.pos_stride);
  cpu_ahead_add(&f, false, a->type, a->do_, row, a->ldo, h, a->K, a->seq.pos_stride);
  cpu_ahead_add(&f, false, a->type, a->o, row, a->ldo, h, a->K, a->seq.pos_stride);
  cpu_ahead_add(&f, false, a->type, a->k, row, a->ldk, g, a->K, a->seq.pos_stride);
  cpu_ahead_add(&f, false, a->type, a->v, row, a->ldv, g, a->K, a->seq.pos_stride);
  cpu_ahead_add(&f, true, a->type, a->dq, row, a->lddq, h, a->K, a->seq.pos_stride);
  cpu_ahead_add(&f, true, a->type, a->dk, row, a->lddk, g, a->K, a->seq.pos_stride);
  cpu_ahead_add(&f, true, a->type, a->dv, row, a->lddv, g, a->K, a->seq.pos_stride);
  return f;
}

#endif
