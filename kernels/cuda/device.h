// Which GPU a process takes, and whether it can work at all.
#ifndef KERNELS_CUDA_DEVICE_H
#define KERNELS_CUDA_DEVICE_H

#include "kernels/cuda/cuda.h"

typedef struct {
  int number;     // the runtime's
  int devices;    // that the driver shows to this process
  int sm;         // compute capability, 90 for 9.0
  int sms;        // multiprocessors
  int shared_max; // bytes of shared memory a block may ask for
  int driver;     // the CUDA version that the driver supports, 13000 for 13.0
  char name[256];
  char id[33]; // its UUID in hexadecimal digits
} cuda_device;

// Local. The device of the rank s->node_rank among s->node_ranks processes on this machine: one
// each, in the order of the ranks, or, with s->share_devices, dealt out in turn; a single device is
// taken by all. ORR_EUNSUPPORTED in one sentence: no driver, a driver too old, no device, no
// bfloat16 (before compute capability 8.0). ORR_EINVAL: more ranks than devices.
orr_code cuda_device_choose(const kern_setup *s, cuda_device *out);

#endif
