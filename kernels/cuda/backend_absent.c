// In place of the CUDA backend where there was no CUDA Toolkit at build time.
#include "kernels/backend.h"
#include "kernels/range.h"

orr_code kern_cuda_create(const kern_setup *setup, kern **out) {
  *out = NULL;
  return ORR_FAIL(ORR_EUNSUPPORTED, "this build was made without the CUDA Toolkit");
}

void kern_cuda_versions(orr_version_told *told, void *to) {}

kern_ranges *kern_ranges_open(void) {
  return NULL;
}

void kern_ranges_close(kern_ranges *r) {}

void kern_range_push(kern_ranges *r, const char *name, int64_t number) {}

void kern_range_pop(kern_ranges *r) {}
