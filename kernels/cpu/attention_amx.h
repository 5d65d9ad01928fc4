// Attention in bfloat16 on AMX tiles: the same results as kernels/cpu/attention.c, with the
// probabilities and the gradients of the scores rounded to bfloat16 before they are multiplied.
#ifndef KERNELS_CPU_ATTENTION_AMX_H
#define KERNELS_CPU_ATTENTION_AMX_H

#include "kernels/cpu/cpu.h"

// Whether the heads have a width that tiles can hold.
static inline bool attention_amx_fits(const kern *k, kern_dtype type, int64_t K) {
  return type == KERN_BF16 && cpu_impl_of(k)->level >= CPU_LEVEL_AMX && K % 32 == 0 && K <= 256;
}

// As the ops of the same name; only where attention_amx_fits.
orr_code attention_amx_fwd(kern *k, const kern_attention_fwd_args *a);
// As the ops of the same name; only where attention_amx_fits.
orr_code attention_amx_bwd(kern *k, const kern_attention_bwd_args *a);

#endif
