// A kern whose ops are the CUDA backend's, on the device that the host plays.
#ifndef TESTS_KERNELS_CUDA_STANDIN_H
#define TESTS_KERNELS_CUDA_STANDIN_H

#include "kernels/kern.h"

orr_code cuda_host_kern_create(kern **out);

#endif
