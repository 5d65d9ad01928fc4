// Films by format: checks, whole-number scaling, and the still of frames side by side.
#include "data/pictures/film.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/pictures/film_av.h"
#include "data/pictures/png.h"

enum { FILM_SIDE_MAX = 16384, STILL_SIDE_MAX = 1000000 };

orr_code data_film_format_of(const char *path, data_film_format *format) {
  static const struct {
    const char *ending;
    data_film_format format;
  } known[] = {{".mp4", DATA_FILM_MP4}, {".gif", DATA_FILM_GIF}, {".png", DATA_FILM_PNG}};
  const char *slash = strrchr(path, '/');
  const char *dot = strrchr(slash ? slash : path, '.');
  for (size_t i = 0; dot && i < sizeof known / sizeof known[0]; i++) {
    if (strcasecmp(dot, known[i].ending)) continue;
    *format = known[i].format;
    return ORR_OK;
  }
  return ORR_FAIL(ORR_EINVAL, "%s: a film ends in .mp4, .gif or .png, got '%s'", path,
                  dot ? dot : "no ending");
}

static orr_code check_film(data_film_format format, int64_t n, int64_t height, int64_t width,
                           double fps, int scale) {
  int64_t most = format == DATA_FILM_PNG ? STILL_SIDE_MAX : FILM_SIDE_MAX;
  ORR_CHECK(n >= 1 && n <= INT32_MAX, ORR_EINVAL, "film of %" PRId64 " frames: wanted 1 or more",
            n);
  ORR_CHECK(scale >= 1 && height >= 1 && width >= 1 && height <= most / scale &&
                width <= most / scale && (format != DATA_FILM_PNG || width * scale <= most / n),
            ORR_EINVAL,
            "film of %" PRId64 " frames of %" PRId64 " x %" PRId64
            " pixels at scale %d: each side of the picture must "
            "be 1..%" PRId64,
            n, width, height, scale, most);
  ORR_CHECK(format == DATA_FILM_PNG || (isfinite(fps) && fps >= 0.1 && fps <= 1000), ORR_EINVAL,
            "film of %g frames/s: wanted 0.1..1000", fps);
  return ORR_OK;
}

// One frame scale times larger into a picture with rows of `stride` bytes; what is missing to
// height x width repeats the last row and column.
static void enlarge(const uint8_t *src, int64_t src_height, int64_t src_width, int scale,
                    uint8_t *dst, int64_t height, int64_t width, int64_t stride) {
  for (int64_t y = 0; y < height; y++) {
    int64_t sy = y / scale < src_height ? y / scale : src_height - 1;
    if (y % scale && y / scale < src_height) {
      memcpy(dst + y * stride, dst + (y - 1) * stride, (size_t)width * 3);
      continue;
    }
    for (int64_t x = 0; x < width; x++) {
      int64_t sx = x / scale < src_width ? x / scale : src_width - 1;
      memcpy(dst + y * stride + 3 * x, src + 3 * (sy * src_width + sx), 3);
    }
  }
}

static orr_code encode_still(const uint8_t *frames, int64_t n, int64_t height, int64_t width,
                             int scale, uint8_t **out, size_t *bytes) {
  int64_t h = height * scale, w = width * scale;
  uint8_t *rgb = orr_malloc((size_t)(n * h * w * 3));
  ORR_CHECK(rgb, ORR_ENOMEM, "out of memory for a picture of %" PRId64 " x %" PRId64 " pixels",
            n * w, h);
  for (int64_t i = 0; i < n; i++)
    enlarge(frames + i * height * width * 3, height, width, scale, rgb + i * w * 3, h, w,
            n * w * 3);
  orr_code rc = data_png_encode(rgb, h, n * w, out, bytes);
  orr_free(rgb);
  return rc;
}

orr_code data_film_encode(data_film_format format, const uint8_t *frames, int64_t n, int64_t height,
                          int64_t width, double fps, int scale, uint8_t **film, size_t *bytes) {
  *film = NULL;
  *bytes = 0;
  ORR_TRY(check_film(format, n, height, width, fps, scale));
  if (format == DATA_FILM_PNG) return encode_still(frames, n, height, width, scale, film, bytes);
  int64_t even = format == DATA_FILM_MP4 ? 1 : 0; // yuv420p halves both sides
  int64_t h = (height * scale + even) & ~even, w = (width * scale + even) & ~even;
  if (h == height && w == width) { // long films are not held twice
    data_film same = {.rgb = frames, .n = n, .height = h, .width = w, .fps = fps};
    return data_film_av_encode(format, &same, film, bytes);
  }
  uint8_t *rgb = orr_malloc((size_t)(n * h * w * 3));
  ORR_CHECK(rgb, ORR_ENOMEM,
            "out of memory for a film of %" PRId64 " frames of %" PRId64 " x %" PRId64 " pixels", n,
            w, h);
  for (int64_t i = 0; i < n; i++)
    enlarge(frames + i * height * width * 3, height, width, scale, rgb + i * h * w * 3, h, w,
            w * 3);
  data_film scaled = {.rgb = rgb, .n = n, .height = h, .width = w, .fps = fps};
  orr_code rc = data_film_av_encode(format, &scaled, film, bytes);
  orr_free(rgb);
  return rc;
}

orr_code data_film_write(const char *path, const uint8_t *frames, int64_t n, int64_t height,
                         int64_t width, double fps, int scale) {
  data_film_format format = DATA_FILM_PNG; // set below; the compiler cannot see it
  uint8_t *film;
  size_t bytes;
  ORR_TRY(data_film_format_of(path, &format));
  ORR_TRY(data_film_encode(format, frames, n, height, width, fps, scale, &film, &bytes));
  orr_code rc = orr_fs_write_atomic(path, film, bytes);
  orr_free(film);
  return rc;
}
