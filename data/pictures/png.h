// Pictures as PNG files (libpng). Equal input gives equal bytes with the same library version.
// Local; thread safe.
#ifndef DATA_PNG_H
#define DATA_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// rgb [height,width,3]. Atomic.
orr_code data_png_write(const char *path, const uint8_t *rgb, int64_t height, int64_t width);
// The same into memory; *png is from orr_malloc, the caller frees it.
orr_code data_png_encode(const uint8_t *rgb, int64_t height, int64_t width, uint8_t **png,
                         size_t *bytes);

#endif
