// The library that brings remote clips.
#ifndef DATA_REMOTE_VERSIONS_H
#define DATA_REMOTE_VERSIONS_H

#include "base/version.h"

// Local. libcurl as it is here.
void data_remote_versions(orr_version_told *told, void *to);

#endif
