#include "data/set/sheet.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/pictures/font.h"
#include "data/pictures/resize.h"
#include "data/pictures/png.h"

#define GAP 16 // pixels around frames
#define CELL_SIDE                                                                                  \
  192            // frames are magnified up to about this side, and made smaller beyond twice it
#define SCALE  2 // pixels a dot of the letters
#define LINE   (DATA_FONT_LINE * SCALE)
#define LETTER (DATA_FONT_ADVANCE * SCALE)
#define NAME   5 // letters of a component's name
#define NUMBER 6 // of its value

static const uint8_t paper[3] = {255, 255, 255}, ink[3] = {32, 32, 32}, grey[3] = {216, 216, 216},
                     above[3] = {38, 110, 200}, below[3] = {214, 96, 24};

typedef struct {
  const data_index *index;
  const data_action_stats *stats;
  int64_t columns, height, width; // of a frame in the file
  int64_t shown_height, shown_width;
  int64_t cell_width, row_height;
  int64_t components[DATA_SHEET_COMPONENTS], count; // that are shown
  data_canvas canvas;
  data_resizer *shrink; // NULL: magnified by whole numbers
  uint8_t *frame;       // [height,width,3]
  float *action;        // [A]
} sheet;

// -- layout ---------------------------------------------------------------------------------

// The components that vary most, in their own order.
static void choose_components(sheet *s) {
  const int64_t A = s->index->format.A;
  s->count = 0;
  for (int64_t i = 0; i < A; i++) {
    int64_t more = 0; // components before it in the ranking
    for (int64_t k = 0; k < A; k++)
      more += s->stats[k].deviation > s->stats[i].deviation ||
              (s->stats[k].deviation == s->stats[i].deviation && k < i);
    if (more < DATA_SHEET_COMPONENTS) s->components[s->count++] = i;
  }
}

static orr_code set_sizes(sheet *s, int64_t rows) {
  const data_shard_format *f = &s->index->format;
  int64_t side = f->height > f->width ? f->height : f->width, scale = 1, shrink = 1;
  if (side < CELL_SIDE) scale = CELL_SIDE / side;
  if (side > 2 * CELL_SIDE) shrink = (side + 2 * CELL_SIDE - 1) / (2 * CELL_SIDE);
  s->height = f->height;
  s->width = f->width;
  s->shown_height = (f->height * scale + shrink - 1) / shrink;
  s->shown_width = (f->width * scale + shrink - 1) / shrink;
  s->cell_width = s->shown_width > CELL_SIDE ? s->shown_width : CELL_SIDE;
  s->row_height = LINE + s->shown_height + (2 + s->count) * LINE + GAP;
  s->canvas.width = GAP + s->columns * (s->cell_width + GAP);
  s->canvas.height = GAP + LINE + GAP + rows * s->row_height;
  if (shrink == 1) return ORR_OK;
  return data_resizer_create(s->height, s->width, s->shown_height, s->shown_width, &s->shrink);
}

// -- drawing --------------------------------------------------------------------------------

static void put_frame(sheet *s, int64_t top, int64_t left) {
  uint8_t *to = s->canvas.rgb + (top * s->canvas.width + left) * 3;
  const size_t row = (size_t)s->canvas.width * 3;
  const int64_t scale = s->shown_width / s->width;
  if (s->shrink) {
    data_resizer_run(s->shrink, s->frame, (size_t)s->width * 3, to, row);
    return;
  }
  for (int64_t y = 0; y < s->shown_height; y++) {
    const uint8_t *from = s->frame + y / scale * s->width * 3;
    for (int64_t x = 0; x < s->shown_width; x++)
      memcpy(to + (size_t)y * row + 3 * x, from + x / scale * 3, 3);
  }
}

static void format_number(char out[16], double v) {
  double size = fabs(v);
  if (size < 9.995)
    snprintf(out, 16, "%+.2f", v);
  else if (size < 99.95)
    snprintf(out, 16, "%+.1f", v);
  else if (size < 99999)
    snprintf(out, 16, "%+.0f", v);
  else
    snprintf(out, 16, "%+.0e", v);
}

// A bar from zero (or the end of the range next to it) to the value.
static void put_bar(sheet *s, int64_t top, int64_t left, int64_t width, int64_t component,
                    double v) {
  const data_action_stats *a = &s->stats[component];
  double low = fmin(a->low, 0), high = fmax(a->high, 0);
  double scale = high > low ? (double)width / (high - low) : 0;
  int64_t zero = llround((0 - low) * scale),
          end = llround((fmin(fmax(v, low), high) - low) * scale);
  data_canvas_fill(&s->canvas, top, left, LINE - 4, width, grey);
  if (v >= 0)
    data_canvas_fill(&s->canvas, top, left + zero, LINE - 4, end - zero, above);
  else
    data_canvas_fill(&s->canvas, top, left + end, LINE - 4, zero - end, below);
  data_canvas_fill(&s->canvas, top - 1, left + zero, LINE - 2, 1, ink);
}

static void put_component(sheet *s, int64_t top, int64_t left, int64_t i, bool applied) {
  const data_shard_format *f = &s->index->format;
  char name[NAME + 1], number[16];
  const char *text = f->action_names[i];
  if (strncmp(text, "action_", 7) == 0) text += 7; // only what tells it from the others
  snprintf(name, sizeof name, "%.*s", NAME, text);
  data_canvas_write(&s->canvas, top, left, SCALE, name, ink);
  if (!applied) return;
  int64_t bar = s->cell_width - (NAME + NUMBER) * LETTER - 4;
  put_bar(s, top + 1, left + NAME * LETTER, bar, i, s->action[i]);
  format_number(number, s->action[i]);
  data_canvas_write(&s->canvas, top, left + s->cell_width - (int64_t)strlen(number) * LETTER, SCALE,
                    number, ink);
}

// Frame number t of an episode of `length`, and its action under it.
static void put_cell(sheet *s, int64_t top, int64_t left, int64_t t, int64_t length) {
  char text[64];
  const bool applied = t + 1 < length; // the last frame's leads nowhere
  put_frame(s, top, left);
  top += s->shown_height + 4;
  snprintf(text, sizeof text, applied ? "t=%" PRId64 "  then:" : "t=%" PRId64 "  end", t);
  data_canvas_write(&s->canvas, top, left, SCALE, text, ink);
  for (int64_t k = 0; k < s->count; k++)
    put_component(s, top + (k + 1) * LINE, left, s->components[k], applied);
}

// -- reading --------------------------------------------------------------------------------

// How much the actions shown change from one row to the next, in deviations.
static double change_of(const sheet *s, const float *row) {
  const int64_t A = s->index->format.A;
  double sum = 0;
  for (int64_t k = 0; k < s->count; k++) {
    const int64_t i = s->components[k];
    const double deviation = s->stats[i].deviation;
    if (deviation > 0) sum += fabs((double)row[A + i] - (double)row[i]) / deviation;
  }
  return sum;
}

// The first of `columns` frames between which the actions change most; of equal places the middle.
static orr_code find_place(const sheet *s, data_shard *shard, int64_t first, int64_t length,
                           int64_t columns, int64_t *place) {
  const int64_t A = s->index->format.A, rows = length - 1; // the last row leads nowhere
  *place = (length - columns) / 2;
  if (!A || rows <= columns) return ORR_OK;
  float *actions = orr_malloc((size_t)(rows * A) * sizeof *actions);
  double *sums = orr_calloc((size_t)rows, sizeof *sums); // of the changes before each row
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO(actions && sums, done, ORR_ENOMEM, "%s: out of memory to look at its actions",
                 data_shard_path(shard));
  rc = data_shard_read_actions(shard, first, rows, 1, actions);
  for (int64_t t = 1; rc == ORR_OK && t < rows; t++)
    sums[t] = sums[t - 1] + change_of(s, actions + (t - 1) * A);
  const int64_t middle = *place, last = rows - columns;
  for (int64_t off = 0; rc == ORR_OK && off <= length; off++) {
    for (int side = -1; side <= 1; side += 2) {
      const int64_t t = middle + side * off;
      if (t < 0 || t > last) continue;
      if (sums[t + columns - 1] - sums[t] > sums[*place + columns - 1] - sums[*place] + 1e-9)
        *place = t;
    }
  }
done:
  orr_free(sums);
  orr_free(actions);
  return rc;
}

static orr_code put_frames(sheet *s, data_shard *shard, int64_t first, int64_t length, int64_t top,
                           int64_t number) {
  char title[96];
  int64_t columns = length < s->columns ? length : s->columns;
  int64_t t;
  ORR_TRY(find_place(s, shard, first, length, columns, &t));
  snprintf(title, sizeof title, "episode %" PRId64 " of %" PRId64 ", %" PRId64 " frames", number,
           s->index->episodes, length);
  data_canvas_write(&s->canvas, top, GAP, SCALE, title, ink);
  for (int64_t c = 0; c < columns; c++, t++) {
    ORR_TRY(data_shard_read_frames(shard, first + t, 1, 1, s->frame));
    ORR_TRY(data_shard_read_actions(shard, first + t, 1, 1, s->action));
    put_cell(s, top + LINE, GAP + c * (s->cell_width + GAP), t, length);
  }
  return ORR_OK;
}

static orr_code put_episode(sheet *s, int64_t row, int64_t episode) {
  const data_index *x = s->index;
  data_shard *shard = NULL;
  int64_t i = 0, number = episode;
  for (; i + 1 < x->count && episode >= x->shards[i].episodes; i++)
    episode -= x->shards[i].episodes;
  orr_code rc = ORR_OK;
  ORR_TRY(data_index_open_shard(x, i, &shard));
  const data_shard_format *f = data_shard_get_format(shard);
  const int64_t *offsets = data_shard_offsets(shard);
  ORR_CHECK_GOTO(f->height == s->height && f->width == s->width && f->A == x->format.A &&
                     episode < data_shard_episodes(shard),
                 close_shard, ORR_EFORMAT, "%s: not as index.json says; build the index again",
                 data_shard_path(shard));
  rc = put_frames(s, shard, offsets[episode], offsets[episode + 1] - offsets[episode],
                  GAP + LINE + GAP + row * s->row_height, number);
close_shard:
  data_shard_close(shard);
  return rc;
}

static void put_heading(sheet *s) {
  const data_shard_format *f = &s->index->format;
  char text[160];
  int n =
      snprintf(text, sizeof text,
               "under frame t: the action applied between t and t+1; bars: the data set's range");
  if (s->count < f->A)
    snprintf(text + n, sizeof text - (size_t)n,
             "; the %" PRId64 " of %" PRId64 " components that vary most", s->count, f->A);
  data_canvas_write(&s->canvas, GAP, GAP, SCALE, text, ink);
}

// Number i of n things spread evenly over `all`, the first and the last included.
static int64_t spread(int64_t i, int64_t n, int64_t all) {
  return n > 1 ? i * (all - 1) / (n - 1) : 0;
}

orr_code data_sheet_write(const data_index *x, const data_action_stats *stats, int64_t rows,
                          int64_t columns, const char *path) {
  orr_code rc = ORR_OK;
  ORR_CHECK(x->format.height > 0, ORR_EINVAL,
            "%s: holds tokens only, no frames to show; name the data set that they were made from",
            x->dir);
  sheet s = {.index = x, .stats = stats, .columns = columns};
  if (rows > x->episodes) rows = x->episodes;
  choose_components(&s);
  ORR_TRY(set_sizes(&s, rows));
  size_t bytes = (size_t)(s.canvas.height * s.canvas.width * 3);
  s.canvas.rgb = orr_malloc(bytes);
  s.frame = orr_malloc((size_t)(s.height * s.width * 3));
  s.action = orr_malloc((size_t)x->format.A * sizeof *s.action);
  ORR_CHECK_GOTO(s.canvas.rgb && s.frame && s.action, done, ORR_ENOMEM,
                 "%s: out of memory for a sheet of %zu bytes", path, bytes);
  data_canvas_fill(&s.canvas, 0, 0, s.canvas.height, s.canvas.width, paper);
  put_heading(&s);
  for (int64_t r = 0; r < rows; r++)
    ORR_TRY_GOTO(put_episode(&s, r, spread(r, rows, x->episodes)), done);
  rc = data_png_write(path, s.canvas.rgb, s.canvas.height, s.canvas.width);
done:
  data_resizer_destroy(s.shrink);
  orr_free(s.action);
  orr_free(s.frame);
  orr_free(s.canvas.rgb);
  return rc;
}
