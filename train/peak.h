// The matmul rate of this machine, measured: what MFU in metrics.jsonl is a share of.
#ifndef TRAIN_PEAK_H
#define TRAIN_PEAK_H

#include "base/status.h"
#include "kernels/kern.h"

// Local. Called while the kern is planning: plans the probe's shape.
orr_code train_peak_plan(kern *k, kern_dtype type);
// Local. After kern_commit: best of a few 2048 x 1024 x 1024 products, in FLOP/s.
orr_code train_peak_measure(kern *k, kern_dtype type, double *flops_per_s);

#endif
