// Reading an episode of a LeRobot data set: its rows of the table, its frames of the videos.
#include "data/import/lerobot.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/import/film.h"
#include "data/import/formats.h"
#include "data/import/parquet/parquet.h"
#include "data/import/video.h"
#include "data/pictures/packed.h"

// -- actions ---------------------------------------------------------------------------------

// A column of one number a row, where there is one. *out from orr_malloc.
static orr_code read_optional(data_parquet *p, const data_import_episode *e, const char *name,
                              float **out) {
  const int column = data_parquet_find(p, name);
  data_parquet_numbers n = {0};
  if (column < 0 || !data_parquet_is_numbers(p, column)) return ORR_OK;
  ORR_TRY(data_parquet_read(p, column, e->first, e->rows, &n));
  float *v = n.width == 1 ? orr_malloc((size_t)n.rows * sizeof *v) : NULL;
  for (int64_t t = 0; v && t < n.rows; t++) v[t] = (float)n.v[t];
  orr_free(n.v);
  ORR_CHECK(v || n.width != 1, ORR_ENOMEM, "%s: out of memory for its column %s", e->file, name);
  *out = v;
  return ORR_OK;
}

static orr_code read_outcome(const data_import_episode *e, data_import_actions *out) {
  data_parquet *p = NULL;
  float *success = NULL;
  ORR_TRY(data_parquet_open(e->file, &p));
  orr_code rc = read_optional(p, e, "next.reward", &out->reward);
  if (rc == ORR_OK) rc = read_optional(p, e, "next.done", &out->done);
  if (rc == ORR_OK) rc = read_optional(p, e, "next.success", &success);
  for (int64_t t = 0; success && t < e->rows; t++)
    out->success = out->success == 1 || success[t] > 0.5f;
  orr_free(success);
  data_parquet_close(p);
  return rc;
}

static orr_code actions(const data_import_options *o, const data_import_episode *e,
                        data_import_actions *out) {
  static const char *const usual[] = {"action"};
  const data_table_wish wish = {.columns = o->actions.n ? o->actions : (data_words){usual, 1},
                                .time = o->time_column,
                                .first = e->first,
                                .rows = e->rows};
  data_table t = {0};
  ORR_TRY(data_table_read_parquet(e->file, &wish, &t));
  orr_code rc = data_import_table_actions(e->file, &t, out);
  data_table_release(&t);
  ORR_TRY(rc);
  char **names =
      o->actions.n > 1
          ? NULL
          : data_lerobot_names(e->file, o->actions.n ? o->actions.v[0] : "action", out->A);
  if (names) orr_free(out->names);
  if (names) out->names = names;
  return read_outcome(e, out);
}

// -- pictures in the table -------------------------------------------------------------------

typedef struct {
  data_import_stream base;
  const data_import_episode *episode; // borrowed
  const char *column;                 // borrowed
  data_parquet *file;
  data_parquet_values *values;
  data_packed *packed;
} images;

static orr_code images_read(data_import_stream *s, int64_t frame, data_picture *out) {
  images *m = (images *)s; // its first member
  const data_import_episode *e = m->episode;
  const uint8_t *bytes;
  size_t size;
  char what[600];
  ORR_TRY(data_parquet_values_get(m->values, e->first + frame, &bytes, &size));
  ORR_CHECK(bytes, ORR_EFORMAT,
            "%s: no picture in row %" PRId64 " of %s: it lies in a file of its own; LeRobot's own "
            "tools make videos of such data sets",
            e->file, e->first + frame, m->column);
  snprintf(what, sizeof what, "%.400s: row %" PRId64 " of %.100s", e->file, e->first + frame,
           m->column);
  return data_packed_decode(m->packed, what, bytes, size, out);
}

static void images_close(data_import_stream *s) {
  images *m = (images *)s;
  data_packed_destroy(m->packed);
  data_parquet_values_close(m->values);
  data_parquet_close(m->file);
  orr_free(m);
}

static orr_code images_open(const data_import_episode *e, const char *column,
                            data_import_stream **out) {
  orr_code rc = ORR_OK;
  images *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "%s: out of memory: cannot read it", e->file);
  *m = (images){
      .base = {.read = images_read, .close = images_close}, .episode = e, .column = column};
  ORR_TRY_GOTO(data_parquet_open(e->file, &m->file), fail);
  const int number = data_parquet_find(m->file, column);
  ORR_CHECK_GOTO(number >= 0, fail, ORR_EFORMAT, "%s: no column %s with pictures", e->file, column);
  ORR_TRY_GOTO(data_parquet_values_open(m->file, number, &m->values), fail);
  ORR_TRY_GOTO(data_packed_create(&m->packed), fail);
  *out = &m->base;
  return ORR_OK;
fail:
  images_close(&m->base);
  return rc;
}

// Videos have a path, pictures in the table the name of a column.
static orr_code open_camera(const data_import_episode *e, int64_t camera,
                            data_import_stream **out) {
  const char *place = e->cameras[camera].place, *dot = strrchr(place, '.');
  return dot && strcmp(dot, ".bytes") == 0 ? images_open(e, place, out)
                                           : data_import_film_open(e, camera, out);
}

const data_import_format data_import_lerobot = {
    .name = "lerobot",
    .source = &data_import_lerobot_source,
    .channels = DATA_CHANNELS_RGB,
    .merge = data_import_merge_last,
    .actions = actions,
    .open = open_camera,
};
