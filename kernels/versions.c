#include "kernels/versions.h"

#include <dnnl.h>
#include <stdio.h>

#include "kernels/backend.h"

const char *kern_devices_built(void) {
  return KERN_DEVICES_BUILT;
}

void kern_versions(orr_version_told *told, void *to) {
  const dnnl_version_t *v = dnnl_version();
  char text[64];
  snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
  told(to, "oneDNN", text);
  kern_cuda_versions(told, to);
}
