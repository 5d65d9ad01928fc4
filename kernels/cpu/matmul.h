// Matrix products of bfloat16 operands on machines that have no bfloat16 arithmetic: blocks of
// rows are widened to float32, multiplied, and rounded once at the end.
#ifndef KERNELS_CPU_MATMUL_H
#define KERNELS_CPU_MATMUL_H

#include "kernels/cpu/cpu.h"

// Strides are already filled in (no zeros). Every function also does the planning.
orr_code CPU_FN(cpu_widened_fwd)(kern *k, const kern_matmul_fwd_args *a);
orr_code CPU_FN(cpu_widened_bwd_x)(kern *k, const kern_matmul_bwd_x_args *a);
orr_code CPU_FN(cpu_widened_bwd_w)(kern *k, const kern_matmul_bwd_w_args *a);

#endif
