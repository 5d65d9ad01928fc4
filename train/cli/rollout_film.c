#include "train/cli/rollout_film.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/pictures/tiles.h"
#include "data/pictures/film.h"

enum { SIDES = 2 };

static const char another_future[] = "real: another future";

static const uint8_t *frame_of(const train_rollout_film *f, const uint8_t *frames, int64_t t) {
  return frames + t * f->height * f->width * 3;
}

static void name_frame(const train_rollout_film *f, int64_t t, const char *model,
                       data_tiles_label out) {
  if (t < f->prompt)
    snprintf(out, DATA_TILES_LABEL, "given");
  else
    snprintf(out, DATA_TILES_LABEL, "%s+%" PRId64, model, t - f->prompt + 1);
}

// -- a still --------------------------------------------------------------------------------

static orr_code fill_still(const train_rollout_film *f, const char *path, data_tiles_label *name,
                           const uint8_t **frame) {
  data_tiles_label rows[SIDES] = {"real", "model"};
  const int64_t count = f->real ? 2 : 1;
  if (f->another) snprintf(rows[0], sizeof rows[0], "another future");
  for (int64_t t = 0; t < f->frames; t++) {
    name_frame(f, t, "", name[t]);
    if (f->real) frame[t] = t < f->known ? frame_of(f, f->real, t) : NULL;
    frame[(count - 1) * f->frames + t] = frame_of(f, f->film, t);
  }
  data_tiles_group g = {.row = rows + (SIDES - count), .column = name, .frame = frame};
  snprintf(g.title, sizeof g.title, "episode %" PRId64 " from frame %" PRId64, f->episode,
           f->start);
  return data_tiles_write(&(data_tiles){.height = f->height,
                                        .width = f->width,
                                        .scale = f->scale,
                                        .rows = count,
                                        .columns = f->frames,
                                        .count = 1,
                                        .group = &g},
                          path);
}

static orr_code write_still(const train_rollout_film *f, const char *path) {
  data_tiles_label *name = orr_calloc((size_t)f->frames, sizeof *name);
  const uint8_t **frame = orr_calloc((size_t)(SIDES * f->frames), sizeof *frame);
  const orr_code rc = name && frame ? fill_still(f, path, name, frame)
                                    : ORR_FAIL(ORR_ENOMEM, "%s: out of memory", path);
  orr_free(frame);
  orr_free(name);
  return rc;
}

// -- a film ---------------------------------------------------------------------------------

typedef struct {
  const train_rollout_film *f;
  data_tiles_label name[SIDES];
  const uint8_t *frame[SIDES];
  data_tiles_group group;
  data_tiles tiles;
  uint8_t *ended; // the last real frame, dimmed
} projector;

static orr_code dim_last(projector *p) {
  const train_rollout_film *f = p->f;
  const int64_t bytes = f->height * f->width * 3;
  p->ended = orr_malloc((size_t)bytes);
  ORR_CHECK(p->ended, ORR_ENOMEM, "rollout: out of memory");
  const uint8_t *last = frame_of(f, f->real, f->known - 1);
  for (int64_t i = 0; i < bytes; i++) p->ended[i] = (uint8_t)(192 + last[i] / 4);
  return ORR_OK;
}

// All pictures of a film have one size, so the room for letters is that of the longest.
static void set_up(projector *p, const train_rollout_film *f) {
  const int64_t columns = f->real ? 2 : 1;
  *p = (projector){.f = f};
  p->group = (data_tiles_group){.column = p->name, .frame = p->frame};
  p->tiles = (data_tiles){.height = f->height,
                          .width = f->width,
                          .scale = f->scale,
                          .rows = 1,
                          .columns = columns,
                          .letters = f->another ? sizeof another_future - 1 : 12,
                          .count = 1,
                          .group = &p->group};
}

static void project(projector *p, int64_t t, data_canvas *canvas) {
  const train_rollout_film *f = p->f;
  const bool narrow =
      f->width * f->scale < DATA_FONT_ADVANCE * (int64_t)(sizeof another_future - 1);
  const int64_t model = p->tiles.columns - 1;
  if (f->real) {
    p->frame[0] = t < f->known ? frame_of(f, f->real, t) : p->ended;
    snprintf(p->name[0], sizeof p->name[0], "%s",
             t >= f->known                  ? "real: ended"
             : !f->another || t < f->prompt ? "real"
             : narrow                       ? "other"
                                            : another_future);
  }
  p->frame[model] = frame_of(f, f->film, t);
  name_frame(f, t, "model ", p->name[model]);
  data_tiles_draw(&p->tiles, canvas);
}

static orr_code write_film(const train_rollout_film *f, const char *path) {
  projector p;
  data_canvas c = {0};
  set_up(&p, f);
  data_tiles_size(&p.tiles, &c.height, &c.width);
  const int64_t bytes = c.height * c.width * 3;
  uint8_t *all = orr_malloc((size_t)(f->frames * bytes));
  orr_code rc =
      all ? ORR_OK
          : ORR_FAIL(ORR_ENOMEM, "%s: out of memory for %" PRId64 " frames", path, f->frames);
  if (rc == ORR_OK && f->real) rc = dim_last(&p);
  for (int64_t t = 0; rc == ORR_OK && t < f->frames; t++) {
    c.rgb = all + t * bytes;
    project(&p, t, &c);
  }
  if (rc == ORR_OK) rc = data_film_write(path, all, f->frames, c.height, c.width, f->fps, 1);
  orr_free(p.ended);
  orr_free(all);
  return rc;
}

orr_code train_rollout_film_write(const train_rollout_film *f, const char *path) {
  data_film_format format = DATA_FILM_PNG; // set below; the compiler cannot see it
  ORR_TRY(data_film_format_of(path, &format));
  return format == DATA_FILM_PNG ? write_still(f, path) : write_film(f, path);
}
