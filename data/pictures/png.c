// PNG files by libpng's simplified API, which returns messages instead of jumping.
#include "data/pictures/png.h"

#include <inttypes.h>
#include <png.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

#define PNG_SIDE_MAX 1000000 // libpng's own default limit

orr_code data_png_encode(const uint8_t *rgb, int64_t height, int64_t width, uint8_t **png,
                         size_t *bytes) {
  *png = NULL;
  *bytes = 0;
  ORR_CHECK(height >= 1 && width >= 1 && height <= PNG_SIDE_MAX && width <= PNG_SIDE_MAX,
            ORR_EINVAL, "PNG picture of %" PRId64 " x %" PRId64 " pixels: each side must be 1..%d",
            width, height, PNG_SIDE_MAX);
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = (png_uint_32)width;
  image.height = (png_uint_32)height;
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t room = PNG_IMAGE_PNG_SIZE_MAX(image);
  uint8_t *p = orr_malloc(room);
  ORR_CHECK(p, ORR_ENOMEM, "out of memory for %zu bytes of a PNG picture", (size_t)room);
  if (!png_image_write_to_memory(&image, p, &room, 0, rgb, 0, NULL)) {
    orr_code rc = ORR_FAIL(ORR_EIO, "PNG picture of %" PRId64 " x %" PRId64 " pixels: libpng: %s",
                           width, height, image.message);
    png_image_free(&image);
    orr_free(p);
    return rc;
  }
  uint8_t *shrunk = orr_realloc(p, room); // the bound is near the raw size, the picture far below
  *png = shrunk ? shrunk : p;
  *bytes = room;
  return ORR_OK;
}

orr_code data_png_write(const char *path, const uint8_t *rgb, int64_t height, int64_t width) {
  uint8_t *png;
  size_t bytes;
  ORR_TRY(data_png_encode(rgb, height, width, &png, &bytes));
  orr_code rc = orr_fs_write_atomic(path, png, bytes);
  orr_free(png);
  return rc;
}
