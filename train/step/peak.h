// What a step's matmul rate is held against: the rate of one large product measured on this
// machine, and the number on the device's data sheet.
#ifndef TRAIN_PEAK_H
#define TRAIN_PEAK_H

#include "kernels/kern.h"

// Local. While planning: prepares the product.
orr_code train_peak_plan(kern *k, kern_dtype type);
// Local. After commit: FLOP/s of one product of moderate size, the best of a few tries. ORR_ENOMEM.
orr_code train_peak_measure(kern *k, kern_dtype type, double *flops_per_s);
// Local. The same on a device of its own, for what is only planned; `setup` as it would be.
orr_code train_peak_try(const kern_setup *setup, kern_dtype type, double *flops_per_s);
// Local. A step ran at `seen` FLOP/s. If that is more than the rate that was measured, that was in
// a busy moment: it is measured again, and is never below `seen`. ORR_ENOMEM.
orr_code train_peak_raise(kern *k, kern_dtype type, double seen, double *flops_per_s);
// Local. Dense FLOP/s that the vendor gives for the device; 0 when it is not in our table.
double train_peak_data_sheet(const kern *k, kern_dtype type);

#endif
