// The CUDA backend itself: on a real device, or on the host that plays it and its libraries.
#include <string.h>

#include "base/status.h"
#include "tests/kernels/cuda/device.h"

#ifdef CUDA_HOST_DEVICE
#include "tests/cuda_host/host.h"
#endif

static kern_attention attends;

const char *device_absent(void) {
  kern *k = NULL;
  if (device_create(&k) != ORR_OK) return orr_status_message();
  kern_destroy(k);
  return NULL;
}

orr_code device_create(kern **out) {
  return kern_open(
      &(kern_setup){
          .device = KERN_DEVICE_CUDA, .threads = 1, .node_ranks = 1, .attention = attends},
      out);
}

void device_choose_attention(kern_attention attention) {
  attends = attention;
}

int device_ways(void) {
  return 3;
}

// On a real device a way is one more run.
void device_choose_way(int way) {
#ifdef CUDA_HOST_DEVICE
  cuda_host_set_order((cuda_host_order)way);
#endif
}
