// The device that the parity tests run on: device_host.c or device_gpu.c.
#ifndef TESTS_KERNELS_CUDA_DEVICE_H
#define TESTS_KERNELS_CUDA_DEVICE_H

#include "kernels/kern.h"

// NULL, or why there is no device to test (skip).
const char *device_absent(void);
orr_code device_create(kern **out);
// Who computes attention on the devices that are created from now on.
void device_choose_attention(kern_attention attention);
// Ways to run that must give the same bits: orders of threads, or mere repetition.
int device_ways(void);
void device_choose_way(int way);

#endif
