// PNG goes through libpng's simplified API, which returns messages instead of jumping.
#include "data/pictures/packed.h"

#include <inttypes.h>
#include <png.h>
#include <string.h>

#include "base/mem.h"
#include "data/pictures/jpeg.h"
#include "data/pictures/pixels.h"

#define PIXELS_MAX (1 << 26)

struct data_packed {
  data_jpeg *jpeg;
  data_pixels rgba; // a PNG's, and then without the fourth byte
};

orr_code data_packed_create(data_packed **out) {
  data_packed *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "out of memory: cannot decode pictures");
  orr_code rc = data_jpeg_create(&p->jpeg);
  if (rc == ORR_OK)
    *out = p;
  else
    orr_free(p);
  return rc;
}

void data_packed_destroy(data_packed *p) {
  if (!p) return;
  data_jpeg_destroy(p->jpeg);
  data_pixels_release(&p->rgba);
  orr_free(p);
}

static orr_code read_png(data_packed *p, const char *what, png_image *image) {
  const uint64_t pixels = (uint64_t)image->width * image->height;
  ORR_CHECK(pixels <= PIXELS_MAX, ORR_EFORMAT, "%s: a PNG of %u x %u pixels, wanted at most 2^26",
            what, image->width, image->height);
  image->format = PNG_FORMAT_RGBA;
  image->flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  ORR_TRY(data_pixels_reserve(&p->rgba, what, (size_t)pixels * 4));
  ORR_CHECK(png_image_finish_read(image, NULL, p->rgba.v, 0, NULL), ORR_EFORMAT,
            "%s: a damaged PNG: %s", what, image->message);
  for (size_t i = 0; i < (size_t)pixels; i++) memmove(p->rgba.v + 3 * i, p->rgba.v + 4 * i, 3);
  return ORR_OK;
}

static orr_code decode_png(data_packed *p, const char *what, const uint8_t *bytes, size_t size,
                           data_picture *out) {
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  ORR_CHECK(png_image_begin_read_from_memory(&image, bytes, size), ORR_EFORMAT,
            "%s: a damaged PNG: %s", what, image.message);
  orr_code rc = read_png(p, what, &image);
  *out = (data_picture){p->rgba.v, (int64_t)image.height, (int64_t)image.width};
  png_image_free(&image);
  return rc;
}

orr_code data_packed_decode(data_packed *p, const char *what, const uint8_t *bytes, size_t size,
                            data_picture *out) {
  static const uint8_t jpeg[] = {0xff, 0xd8}, png[] = {0x89, 'P', 'N', 'G'};
  size_t nonzero = 0;
  if (size >= sizeof png && memcmp(bytes, png, sizeof png) == 0)
    return decode_png(p, what, bytes, size, out);
  if (size >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
    return data_jpeg_decode(p->jpeg, what, bytes, size, out);
  while (nonzero < size && bytes[nonzero] == 0) nonzero++;
  ORR_CHECK(nonzero < size, ORR_EFORMAT, "%s: holds nothing: it was never written", what);
  return ORR_FAIL(ORR_EFORMAT,
                  "%s: neither a JPEG nor a PNG: %zu bytes that begin with %02x %02x %02x %02x",
                  what, size, bytes[0], size > 1 ? bytes[1] : 0, size > 2 ? bytes[2] : 0,
                  size > 3 ? bytes[3] : 0);
}
