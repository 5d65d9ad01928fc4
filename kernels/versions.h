// The libraries that compute, and the devices that this build has code for.
#ifndef KERNELS_VERSIONS_H
#define KERNELS_VERSIONS_H

#include "base/version.h"

// Local. "x86-64 v2 v3 v4; CUDA sm_80 sm_90 sm_100", or the part that was built.
const char *kern_devices_built(void);
// Local. CUDA, cuBLASLt and cuDNN as they were when this was built.
void kern_versions(orr_version_told *told, void *to);

#endif
