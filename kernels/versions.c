#include "kernels/versions.h"

#include "kernels/backend.h"

const char *kern_devices_built(void) {
  return KERN_DEVICES_BUILT;
}

void kern_versions(orr_version_told *told, void *to) {
  kern_cuda_versions(told, to);
}
