// What the implementations of attention share: how the task of one sequence and one key/value
// head finds its rows.
#ifndef KERNELS_CPU_ATTENTION_H
#define KERNELS_CPU_ATTENTION_H

#include "kernels/cpu/cpu.h"

// Row of position l of sequence s (kernels/kern.h).
static inline int64_t cpu_attention_row(int64_t s, int64_t inner, int64_t outer_stride,
                                        int64_t inner_stride) {
  return s / inner * outer_stride + s % inner * inner_stride;
}

// Tasks in a piece of the loop over them: short sequences are over in microseconds.
static inline int64_t cpu_attention_grain(const kern *k, const kern_sequences *seq, int64_t groups,
                                          int64_t heads, int64_t K) {
  return cpu_grain(k, seq->seqs * groups, seq->L * seq->L * heads * K / 16);
}

#endif
