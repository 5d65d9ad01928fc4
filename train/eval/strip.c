#include "train/eval/strip.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "data/pictures/tiles.h"

enum { SCALE = 2, ROWS = 2 }; // enlargement; real above, the model's below

static const data_tiles_label row_names[ROWS] = {"real", "model"};

typedef struct {
  const train_eval_set *set;
  const uint8_t *predicted, *given;
  int64_t columns; // the last prompt frame, then every second horizon
} strip;

// The horizon that column c > 0 shows, from 0.
static int64_t horizon_of(int64_t c) {
  return 2 * c - 1;
}

static void name_columns(const strip *s, data_tiles_label *name) {
  snprintf(name[0], sizeof *name, "given");
  for (int64_t c = 1; c < s->columns; c++)
    snprintf(name[c], sizeof *name, "+%" PRId64, horizon_of(c) + 1);
}

// frame [ROWS,columns] of one clip.
static void gather(const strip *s, int64_t clip, const uint8_t **frame) {
  const train_eval_set *e = s->set;
  const int64_t bytes = e->pixels * 3, h = e->T - e->prompt;
  for (int64_t c = 0; c < s->columns; c++) {
    const int64_t k = c ? horizon_of(c) : -1;
    frame[c] = e->frames + (clip * e->T + e->prompt + k) * bytes;
    frame[s->columns + c] = c ? s->predicted + (clip * h + k) * bytes : s->given + clip * bytes;
  }
}

static orr_code write(const strip *s, const char *path, int64_t rows, data_tiles_group *group,
                      data_tiles_label *name, const uint8_t **frame) {
  const train_eval_set *e = s->set;
  name_columns(s, name);
  for (int64_t r = 0; r < rows; r++) {
    const int64_t clip = r * (e->E / rows);
    const uint8_t **own = frame + r * ROWS * s->columns;
    gather(s, clip, own);
    group[r] = (data_tiles_group){.row = row_names, .column = name, .frame = own};
    snprintf(group[r].title, sizeof group[r].title, "episode %" PRId64 " from frame %" PRId64,
             e->window[clip].episode, e->window[clip].start);
  }
  return data_tiles_write(&(data_tiles){.height = e->height,
                                        .width = e->width,
                                        .scale = SCALE,
                                        .rows = ROWS,
                                        .columns = s->columns,
                                        .count = rows,
                                        .group = group},
                          path);
}

orr_code train_eval_strip_write(const train_eval_set *e, const uint8_t *predicted,
                                const uint8_t *given, const char *path, int64_t rows) {
  const strip s = {e, predicted, given, 1 + (e->T - e->prompt) / 2};
  if (rows > e->E) rows = e->E;
  data_tiles_group *group = orr_calloc((size_t)rows, sizeof *group);
  data_tiles_label *name = orr_calloc((size_t)s.columns, sizeof *name);
  const uint8_t **frame = orr_calloc((size_t)(rows * ROWS * s.columns), sizeof *frame);
  const orr_code rc = group && name && frame ? write(&s, path, rows, group, name, frame)
                                             : ORR_FAIL(ORR_ENOMEM, "%s: out of memory", path);
  orr_free(frame);
  orr_free(name);
  orr_free(group);
  return rc;
}
