#include "data/sheet.h"

#include <string.h>

#include "base/mem.h"
#include "data/video.h"

#define GAP       4   // pixels between frames
#define CELL_SIDE 128 // frames are magnified up to about this side

typedef struct {
  int64_t rows, columns, height, width, scale;
  int64_t sheet_height, sheet_width;
  uint8_t *pixels; // [sheet_height,sheet_width,3]
  uint8_t *frame;  // [height,width,3]
} sheet;

static void put_frame(sheet *s, int64_t row, int64_t column) {
  int64_t top = GAP + row * (s->height * s->scale + GAP);
  int64_t left = GAP + column * (s->width * s->scale + GAP);
  for (int64_t y = 0; y < s->height * s->scale; y++) {
    uint8_t *to = s->pixels + ((top + y) * s->sheet_width + left) * 3;
    const uint8_t *from = s->frame + y / s->scale * s->width * 3;
    for (int64_t x = 0; x < s->width * s->scale; x++)
      memcpy(to + 3 * x, from + x / s->scale * 3, 3);
  }
}

// Number i of n things spread evenly over `all`, the first and the last included.
static int64_t spread(int64_t i, int64_t n, int64_t all) {
  return n > 1 ? i * (all - 1) / (n - 1) : 0;
}

static orr_code put_episode(sheet *s, const data_index *x, int64_t row, int64_t episode) {
  data_shard *shard = NULL;
  int64_t i = 0;
  for (; i + 1 < x->count && episode >= x->shards[i].episodes; i++)
    episode -= x->shards[i].episodes;
  orr_code rc = ORR_OK;
  ORR_TRY(data_index_open_shard(x, i, &shard));
  const data_shard_format *f = data_shard_get_format(shard);
  const int64_t *offsets = data_shard_offsets(shard);
  ORR_CHECK_GOTO(f->height == s->height && f->width == s->width &&
                     episode < data_shard_episodes(shard),
                 close_shard, ORR_EFORMAT, "%s: not as index.json says; build the index again",
                 data_shard_path(shard));
  int64_t length = offsets[episode + 1] - offsets[episode];
  int64_t columns = length < s->columns ? length : s->columns;
  for (int64_t c = 0; c < columns; c++) {
    int64_t frame = offsets[episode] + spread(c, columns, length);
    ORR_TRY_GOTO(data_shard_read_frames(shard, frame, 1, 1, s->frame), close_shard);
    put_frame(s, row, c);
  }
close_shard:
  data_shard_close(shard);
  return rc;
}

orr_code data_sheet_write(const data_index *x, int64_t rows, int64_t columns, const char *path) {
  const data_shard_format *f = &x->format;
  orr_code rc = ORR_OK;
  ORR_CHECK(f->height > 0, ORR_EINVAL,
            "%s: holds tokens only, no frames to show; name the data set that they were made from",
            x->dir);
  int64_t side = f->height > f->width ? f->height : f->width;
  sheet s = {.columns = columns, .height = f->height, .width = f->width};
  s.rows = rows < x->episodes ? rows : x->episodes;
  s.scale = side < CELL_SIDE ? CELL_SIDE / side : 1;
  s.sheet_height = GAP + s.rows * (s.height * s.scale + GAP);
  s.sheet_width = GAP + s.columns * (s.width * s.scale + GAP);
  size_t bytes = (size_t)(s.sheet_height * s.sheet_width * 3);
  s.pixels = orr_malloc(bytes);
  s.frame = orr_malloc((size_t)(s.height * s.width * 3));
  ORR_CHECK_GOTO(s.pixels && s.frame, done, ORR_ENOMEM, "%s: no memory for a sheet of %zu bytes",
                 path, bytes);
  memset(s.pixels, 255, bytes);
  for (int64_t r = 0; r < s.rows; r++) {
    ORR_TRY_GOTO(put_episode(&s, x, r, spread(r, s.rows, x->episodes)), done);
  }
  rc = data_png_write(path, s.pixels, s.sheet_height, s.sheet_width);
done:
  orr_free(s.frame);
  orr_free(s.pixels);
  return rc;
}
