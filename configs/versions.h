// The library that reads configurations.
#ifndef CONFIGS_VERSIONS_H
#define CONFIGS_VERSIONS_H

#include "base/version.h"

// Local. libyaml as it is here.
void cfg_versions(orr_version_told *told, void *to);

#endif
