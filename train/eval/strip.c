#include "train/eval/strip.h"

#include <string.h>

#include "base/mem.h"
#include "data/pictures/png.h"

enum { GAP = 2, SCALE = 2 }; // pixels between frames; enlargement

typedef struct {
  uint8_t *rgb; // [height,width,3]
  int64_t height, width;
} sheet;

// One frame with its upper left corner at (top, left).
static void put(sheet *o, const train_eval_set *s, const uint8_t *frame, int64_t top,
                int64_t left) {
  for (int64_t y = 0; y < s->height * SCALE; y++)
    for (int64_t x = 0; x < s->width * SCALE; x++)
      memcpy(o->rgb + ((top + y) * o->width + left + x) * 3,
             frame + (y / SCALE * s->width + x / SCALE) * 3, 3);
}

// Real above, predicted below; columns: the last prompt frame, then every second horizon.
orr_code train_eval_strip_write(const train_eval_set *s, const uint8_t *predicted, const char *path,
                                int64_t rows) {
  const int64_t h = s->T - s->prompt, columns = 1 + h / 2, bytes = s->pixels * 3,
                tall = s->height * SCALE + GAP, pair = 2 * tall + 3 * GAP;
  if (rows > s->E) rows = s->E;
  sheet o = {.height = rows * pair, .width = columns * (s->width * SCALE + GAP)};
  o.rgb = orr_malloc((size_t)(o.height * o.width * 3));
  ORR_CHECK(o.rgb, ORR_ENOMEM, "%s: out of memory", path);
  memset(o.rgb, 128, (size_t)(o.height * o.width * 3));
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++) {
      const int64_t clip = r * (s->E / rows), k = 2 * c - 1, left = c * (s->width * SCALE + GAP);
      const uint8_t *real = s->frames + (clip * s->T + s->prompt + k) * bytes;
      put(&o, s, real, r * pair, left);
      put(&o, s, c == 0 ? real : predicted + (clip * h + k) * bytes, r * pair + tall, left);
    }
  orr_code rc = data_png_write(path, o.rgb, o.height, o.width);
  orr_free(o.rgb);
  return rc;
}
