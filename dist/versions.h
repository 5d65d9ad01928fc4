// The libraries that ranks talk through.
#ifndef DIST_VERSIONS_H
#define DIST_VERSIONS_H

#include "base/version.h"

// Local; also before MPI is started. MPI as it is here, NCCL as it was when this was built.
void dist_versions(orr_version_told *told, void *to);

#endif
