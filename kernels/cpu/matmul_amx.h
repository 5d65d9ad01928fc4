// The weight gradient in bfloat16 on AMX tiles. Both operands have to be packed for it, which a
// general library does at more cost than the product itself at these shapes.
#ifndef KERNELS_CPU_MATMUL_AMX_H
#define KERNELS_CPU_MATMUL_AMX_H

#include "kernels/cpu/cpu.h"

// Whether the tiles are worth it: a few whole ones for every thread.
static inline bool matmul_amx_fits(const kern *k, const kern_matmul_bwd_w_args *a) {
  const int64_t wide = a->N > a->K ? a->N : a->K, narrow = a->N > a->K ? a->K : a->N;
  return a->type == KERN_BF16 && cpu_impl_of(k)->level >= CPU_LEVEL_AMX && a->M >= 64 &&
         narrow >= 32 && wide >= 64 * k->threads;
}

// dw only; strides are already filled in (no zeros).
orr_code matmul_amx_bwd_w(kern *k, const kern_matmul_bwd_w_args *a);

#endif
