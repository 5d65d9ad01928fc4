// The host plays the device: ways are the orders in which it runs threads and blocks.
#include "tests/cuda_host/host.h"
#include "tests/kernels/cuda/standin.h"
#include "tests/kernels/cuda/device.h"

const char *device_absent(void) {
  return NULL;
}

orr_code device_create(kern **out) {
  return cuda_host_kern_create(out);
}

void device_choose_attention(kern_attention attention) {} // there are own kernels alone

int device_ways(void) {
  return 3;
}

void device_choose_way(int way) {
  cuda_host_set_order((cuda_host_order)way);
}
