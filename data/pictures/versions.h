// The libraries that pack films and pictures.
#ifndef DATA_PICTURES_VERSIONS_H
#define DATA_PICTURES_VERSIONS_H

#include "base/version.h"

// Local. FFmpeg and libpng as they are here.
void data_pictures_versions(orr_version_told *told, void *to);

#endif
