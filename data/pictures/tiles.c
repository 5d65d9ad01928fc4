// See the header. From top to bottom: a group's title; then for each band of columns the columns'
// labels and the rows of frames.
#include "data/pictures/tiles.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/pictures/png.h"

enum {
  GAP = 4,         // pixels between frames and around all
  APART = 12,      // before the next group
  CELL_LEAST = 24, // pixels of a column, so that its label has four letters
  LETTERS = 2,     // pixels a dot, where there is room
  PIXELS_MAX = 1 << 28,
};

static const uint8_t paper[3] = {255, 255, 255}, ink[3] = {32, 32, 32};

typedef struct {
  int64_t cell;    // width of a column, without the gap
  int64_t margin;  // left of the frames
  int64_t columns; // of a band
  int64_t bands;
  int64_t title, head; // lines above a group, above a band; 0 = none
  int64_t band, group; // heights
  int small;           // pixels a dot of the columns' labels
} layout;

static int64_t longest(const data_tiles *t, bool rows) {
  size_t most = 0;
  for (int64_t g = 0; g < t->count; g++) {
    const data_tiles_label *label = rows ? t->group[g].row : t->group[g].column;
    for (int64_t i = 0; label && i < (rows ? t->rows : t->columns); i++)
      if (strlen(label[i]) > most) most = strlen(label[i]);
  }
  return (int64_t)most;
}

static layout lay_out(const data_tiles *t) {
  layout l = {.cell = t->width * t->scale};
  if (l.cell < CELL_LEAST) l.cell = CELL_LEAST;
  const int64_t row = longest(t, true), column = t->letters ? t->letters : longest(t, false);
  l.margin = GAP + (row ? row * DATA_FONT_ADVANCE * LETTERS + GAP : 0);
  l.small = column * DATA_FONT_ADVANCE * LETTERS <= l.cell ? LETTERS : 1;
  l.columns = (DATA_TILES_WIDTH - l.margin) / (l.cell + GAP);
  if (l.columns < 1) l.columns = 1;
  if (l.columns > t->columns) l.columns = t->columns;
  l.bands = (t->columns + l.columns - 1) / l.columns;
  for (int64_t g = 0; g < t->count; g++)
    if (t->group[g].title[0]) l.title = DATA_FONT_LINE * LETTERS;
  l.head = column ? DATA_FONT_LINE * l.small : 0;
  l.band = l.head + t->rows * (t->height * t->scale + GAP);
  l.group = l.title + l.bands * l.band;
  return l;
}

void data_tiles_size(const data_tiles *t, int64_t *height, int64_t *width) {
  const layout l = lay_out(t);
  int64_t title = 0;
  for (int64_t g = 0; g < t->count; g++) {
    const int64_t letters = (int64_t)strlen(t->group[g].title);
    if (letters > title) title = letters;
  }
  title = 2 * GAP + title * DATA_FONT_ADVANCE * LETTERS;
  *width = l.margin + l.columns * (l.cell + GAP);
  if (*width < title) *width = title;
  *height = GAP + t->count * l.group + (t->count - 1) * APART;
}

// One frame with its upper left corner there.
static void put_frame(const data_tiles *t, const uint8_t *frame, int64_t top, int64_t left,
                      data_canvas *c) {
  const int64_t scale = t->scale;
  for (int64_t y = 0; y < t->height * scale; y++) {
    uint8_t *to = c->rgb + ((top + y) * c->width + left) * 3;
    if (y % scale) {
      memcpy(to, to - c->width * 3, (size_t)(t->width * scale * 3));
      continue;
    }
    const uint8_t *from = frame + y / scale * t->width * 3;
    for (int64_t x = 0; x < t->width * scale; x++) memcpy(to + x * 3, from + x / scale * 3, 3);
  }
}

// As many letters as a column has room for.
static void put_column_label(const layout *l, const char *label, int64_t top, int64_t left,
                             data_canvas *c) {
  data_tiles_label cut;
  const int64_t room = l->cell / (DATA_FONT_ADVANCE * l->small);
  snprintf(cut, sizeof cut, "%.*s", (int)room, label);
  data_canvas_write(c, top, left, l->small, cut, ink);
}

static void put_band(const data_tiles *t, const layout *l, const data_tiles_group *g, int64_t first,
                     int64_t top, data_canvas *c) {
  const int64_t tall = t->height * t->scale;
  for (int64_t i = first; i < first + l->columns && i < t->columns; i++) {
    const int64_t left = l->margin + (i - first) * (l->cell + GAP);
    if (g->column) put_column_label(l, g->column[i], top, left, c);
    for (int64_t r = 0; r < t->rows; r++) {
      const uint8_t *frame = g->frame[r * t->columns + i];
      if (frame) put_frame(t, frame, top + l->head + r * (tall + GAP), left, c);
    }
  }
  for (int64_t r = 0; g->row && r < t->rows; r++)
    data_canvas_write(c, top + l->head + r * (tall + GAP), GAP, LETTERS, g->row[r], ink);
}

void data_tiles_draw(const data_tiles *t, data_canvas *c) {
  const layout l = lay_out(t);
  data_canvas_fill(c, 0, 0, c->height, c->width, paper);
  for (int64_t g = 0; g < t->count; g++) {
    const int64_t top = GAP + g * (l.group + APART);
    data_canvas_write(c, top, GAP, LETTERS, t->group[g].title, ink);
    for (int64_t b = 0; b < l.bands; b++)
      put_band(t, &l, &t->group[g], b * l.columns, top + l.title + b * l.band, c);
  }
}

orr_code data_tiles_encode(const data_tiles *t, uint8_t **png, size_t *bytes) {
  data_canvas c = {0};
  *png = NULL;
  data_tiles_size(t, &c.height, &c.width);
  ORR_CHECK(c.height <= PIXELS_MAX / c.width, ORR_EINVAL,
            "a picture of %" PRId64 " x %" PRId64
            " pixels: wanted at most 2^28 of them: fewer frames, or a smaller --scale",
            c.width, c.height);
  c.rgb = orr_malloc((size_t)(c.height * c.width * 3));
  ORR_CHECK(c.rgb, ORR_ENOMEM, "out of memory for a picture of %" PRId64 " x %" PRId64 " pixels",
            c.width, c.height);
  data_tiles_draw(t, &c);
  const orr_code rc = data_png_encode(c.rgb, c.height, c.width, png, bytes);
  orr_free(c.rgb);
  return rc;
}

orr_code data_tiles_write(const data_tiles *t, const char *path) {
  uint8_t *png = NULL;
  size_t bytes = 0;
  ORR_TRY(data_tiles_encode(t, &png, &bytes));
  const orr_code rc = orr_fs_write_atomic(path, png, bytes);
  orr_free(png);
  return rc;
}
