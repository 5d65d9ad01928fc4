// In place of comm_nccl.c in a build without the CUDA Toolkit or NCCL.
#include "dist/comm_nccl.h"

orr_code dist_nccl_open(dist_comm *host, const dist_device *d, bool ordered, dist_nccl **out) {
  *out = NULL;
  return ORR_FAIL(ORR_EUNSUPPORTED,
                  "this build has no NCCL: several ranks on GPUs need a build on a "
                  "machine with the CUDA Toolkit 13 and NCCL 2.28");
}

void dist_nccl_versions(orr_version_told *told, void *to) {}

void dist_nccl_close(dist_nccl *n) {}

orr_code dist_comm_nccl_create(dist_nccl *n, const dist_comm *host, int group, dist_comm **out) {
  return ORR_FAIL(ORR_EUNSUPPORTED, "this build has no NCCL");
}
