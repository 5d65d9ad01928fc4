#include "data/shard/versions.h"

#include <hdf5.h>
#include <stdio.h>

void data_shard_versions(orr_version_told *told, void *to) {
  unsigned major = 0, minor = 0, release = 0;
  char text[64];
  if (H5get_libversion(&major, &minor, &release) < 0) return;
  snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
  told(to, "HDF5", text);
}
