// Products with weights that were packed once (kern_pack_weight), for models at work: the weights
// of a rollout never change and its rows are few, so packing them anew for every product, as a
// general library does, costs as much as the product.
//
// Every element of y is one sum over k = 0, 1, ... in this order, whatever M and the number of
// threads are: a row's bits depend on its row of x alone.
#ifndef KERNELS_CPU_PACKED_H
#define KERNELS_CPU_PACKED_H

#include "kernels/cpu/cpu.h"

// Strides are already filled in (no zeros). Also does the planning.
orr_code CPU_FN(cpu_packed_fwd)(kern *k, const kern_matmul_fwd_args *a);

#endif
