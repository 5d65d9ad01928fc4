// The type of activations and of what matrix products read.
#ifndef TRAIN_MODEL_PRECISION_H
#define TRAIN_MODEL_PRECISION_H

#include "configs/config.h"
#include "kernels/kern.h"

// Local. run.precision auto becomes one of the others when the device is opened
// (train/setup/device.h); what plans for devices that are not here takes it for bf16.
static inline kern_dtype train_precision(const cfg *c) {
  return c->run.precision == CFG_PRECISION_FP32 ? KERN_F32 : KERN_BF16;
}

#endif
