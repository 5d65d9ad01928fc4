#include "data/pictures/versions.h"

#include <libavutil/avutil.h>
#include <png.h>

void data_pictures_versions(orr_version_told *told, void *to) {
  told(to, "FFmpeg", av_version_info());
  told(to, "libpng", png_get_libpng_ver(NULL));
}
