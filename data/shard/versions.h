// The library that shards lie in.
#ifndef DATA_SHARD_VERSIONS_H
#define DATA_SHARD_VERSIONS_H

#include "base/version.h"

// Local. HDF5 as it is here.
void data_shard_versions(orr_version_told *told, void *to);

#endif
