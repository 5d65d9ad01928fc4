// In place of the CUDA backend where there was no CUDA Toolkit at build time.
#include "kernels/backend.h"

orr_code kern_cuda_create(const kern_setup *setup, kern **out) {
  *out = NULL;
  return ORR_FAIL(ORR_EUNSUPPORTED, "this build was made without the CUDA Toolkit");
}
