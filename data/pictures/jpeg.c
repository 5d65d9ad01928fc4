#include "data/pictures/jpeg.h"

#include <turbojpeg.h>

#include "base/mem.h"
#include "data/pictures/pixels.h"

#define PIXELS_MAX (1 << 26) // a damaged header must not ask for all memory

struct data_jpeg {
  tjhandle handle;
  data_pixels rgb;
};

orr_code data_jpeg_create(data_jpeg **out) {
  data_jpeg *j = orr_calloc(1, sizeof *j);
  ORR_CHECK(j, ORR_ENOMEM, "out of memory for a JPEG decoder");
  j->handle = tjInitDecompress();
  if (!j->handle) {
    orr_free(j);
    return ORR_FAIL(ORR_ENOMEM, "out of memory for a JPEG decoder");
  }
  *out = j;
  return ORR_OK;
}

void data_jpeg_destroy(data_jpeg *j) {
  if (!j) return;
  tjDestroy(j->handle);
  data_pixels_release(&j->rgb);
  orr_free(j);
}

orr_code data_jpeg_decode(data_jpeg *j, const char *what, const uint8_t *bytes, size_t size,
                          data_picture *out) {
  int width = 0, height = 0, subsampling, space;
  ORR_CHECK(size >= 4 && bytes[0] == 0xff && bytes[1] == 0xd8, ORR_EFORMAT,
            "%s: %zu bytes that are no JPEG (it would begin with ff d8)", what, size);
  ORR_CHECK(tjDecompressHeader3(j->handle, bytes, size, &width, &height, &subsampling, &space) == 0,
            ORR_EFORMAT, "%s: damaged JPEG: %s", what, tjGetErrorStr2(j->handle));
  ORR_CHECK(width > 0 && height > 0 && (int64_t)width * height <= PIXELS_MAX, ORR_EFORMAT,
            "%s: JPEG of %d x %d pixels (height x width), wanted at most 2^26 in all", what, height,
            width);
  ORR_CHECK(space != TJCS_CMYK && space != TJCS_YCCK, ORR_EFORMAT,
            "%s: a JPEG in CMYK colours (for print), wanted RGB or grey", what);
  ORR_TRY(data_pixels_reserve(&j->rgb, what, (size_t)width * (size_t)height * 3));
  // a warning, such as data that end early, leaves grey areas: no picture to train on
  ORR_CHECK(tjDecompress2(j->handle, bytes, size, j->rgb.v, width, 0, height, TJPF_RGB, 0) == 0,
            ORR_EFORMAT, "%s: damaged JPEG: %s", what, tjGetErrorStr2(j->handle));
  *out = (data_picture){.rgb = j->rgb.v, .height = height, .width = width};
  return ORR_OK;
}
