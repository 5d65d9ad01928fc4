#include "data/pictures/orient.h"

#include <stdlib.h>

data_orientation data_orient_none(void) {
  return (data_orientation){.a = 1, .d = 1};
}

bool data_orient_is_none(data_orientation o) {
  return o.a == 1 && o.d == 1;
}

bool data_orient_turn(int degrees, data_orientation *out) {
  static const data_orientation turns[] = {
      {.a = 1, .d = 1}, {.b = 1, .c = -1}, {.a = -1, .d = -1}, {.b = -1, .c = 1}};
  if (degrees < 0 || degrees >= 360 || degrees % 90) return false;
  *out = turns[degrees / 90];
  return true;
}

data_orientation data_orient_mirror(bool top_and_bottom) {
  return (data_orientation){.a = top_and_bottom ? 1 : -1, .d = top_and_bottom ? -1 : 1};
}

data_orientation data_orient_then(data_orientation first, data_orientation second) {
  return (data_orientation){.a = second.a * first.a + second.c * first.b,
                            .b = second.b * first.a + second.d * first.b,
                            .c = second.a * first.c + second.c * first.d,
                            .d = second.b * first.c + second.d * first.d};
}

static int sign(int64_t v) {
  return v > 0 ? 1 : -1;
}

// Both entries of one axis' matrix against the other's: small, if the angle is a multiple of 90.
static bool much_less(int64_t x, int64_t y, int64_t than_x, int64_t than_y) {
  return (llabs(x) + llabs(y)) * 57 <= llabs(than_x) + llabs(than_y) && than_x && than_y;
}

bool data_orient_matrix(const int32_t matrix[9], data_orientation *out) {
  int64_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  *out = data_orient_none();
  if (!a && !b && !c && !d) return true; // says nothing
  if (much_less(b, c, a, d))
    *out = (data_orientation){.a = sign(a), .d = sign(d)};
  else if (much_less(a, d, b, c))
    *out = (data_orientation){.b = sign(b), .c = sign(c)};
  else
    return false;
  return true;
}

void data_orient_size(data_orientation o, int64_t height, int64_t width, int64_t *out_height,
                      int64_t *out_width) {
  *out_height = o.d ? height : width;
  *out_width = o.d ? width : height;
}

void data_orient_run(data_orientation o, const uint8_t *rgb, int64_t height, int64_t width,
                     uint8_t *out) {
  int64_t out_height, out_width;
  data_orient_size(o, height, width, &out_height, &out_width);
  const int64_t right = (o.a + o.b * out_width) * 3, down = (o.c + o.d * out_width) * 3;
  if (o.a + o.c < 0) out += (out_width - 1) * 3;
  if (o.b + o.d < 0) out += (out_height - 1) * out_width * 3;
  for (int64_t y = 0; y < height; y++) {
    uint8_t *to = out + y * down;
    for (int64_t x = 0; x < width; x++, to += right, rgb += 3) {
      to[0] = rgb[0];
      to[1] = rgb[1];
      to[2] = rgb[2];
    }
  }
}
