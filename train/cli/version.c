#include "train/cli/version.h"

#include <stdio.h>

#include "base/version.h"
#include "configs/versions.h"
#include "data/pictures/versions.h"
#include "data/remote/versions.h"
#include "data/shard/versions.h"
#include "data/sim/tabletop.h"
#include "dist/versions.h"
#include "kernels/versions.h"

static void print_library(void *to, const char *library, const char *version) {
  printf("  %-10s %s\n", library, version);
}

void train_version_print(void) {
  printf("orrery %s (commit %s; %s)\n", orr_version(), orr_revision(), orr_compiler());
  printf("built for %s\n", kern_devices_built());
  kern_versions(print_library, NULL);
  dist_versions(print_library, NULL);
  data_shard_versions(print_library, NULL);
  data_remote_versions(print_library, NULL);
  data_pictures_versions(print_library, NULL);
  data_tabletop_versions(print_library, NULL);
  cfg_versions(print_library, NULL);
  orr_versions(print_library, NULL);
}
