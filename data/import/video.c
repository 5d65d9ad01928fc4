#include "data/import/video.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/import/film.h"
#include "data/import/formats.h"
#include "data/import/lerobot.h"
#include "data/import/parquet/parquet.h"
#include "data/import/sources.h"
#include "data/import/table/table.h"
#include "data/import/vpt.h"
#include "data/pictures/video_reader.h"

// -- tables ---------------------------------------------------------------------------------

static bool ends_in(const char *path, const char *ending) {
  const char *dot = strrchr(path, '.');
  return dot && strcasecmp(dot, ending) == 0;
}

static bool is_csv(const char *path) {
  return ends_in(path, ".csv") || ends_in(path, ".tsv");
}

// A table's text; *text is NULL for Parquet, which has none.
static orr_code read_text(const char *path, char **text, size_t *bytes) {
  *text = NULL;
  *bytes = 0;
  return ends_in(path, ".parquet") ? ORR_OK : orr_fs_read_all(path, text, bytes);
}

static orr_code read_table(const char *path, const char *text, size_t bytes,
                           const data_table_wish *wish, data_table *out) {
  if (!text) return data_table_read_parquet(path, wish, out);
  return is_csv(path) ? data_table_read_csv(path, text, bytes, wish, out)
                      : data_table_read_jsonl(path, text, bytes, wish, out);
}

// LeRobot's tables say which episode a row belongs to; a clip may not cross from one to the next.
static orr_code check_one_episode(const data_import_episode *e, const char *text, size_t bytes) {
  static const char column[] = "episode_index";
  data_table t = {0};
  const char *const wanted[] = {column};
  const data_table_wish wish = {.columns = {wanted, 1}};
  if ((text && !strstr(text, column)) || read_table(e->file, text, bytes, &wish, &t) != ORR_OK)
    return ORR_OK; // without that column
  orr_code rc = ORR_OK;
  for (int64_t i = 0; i < t.rows; i++)
    ORR_CHECK_GOTO(t.v[i * t.columns] == t.v[0], release, ORR_EFORMAT,
                   "%s: holds several episodes (episode_index %g in row 0, %g in row %" PRId64
                   "); import LeRobot's whole data set, the folder that holds meta/info.json, or "
                   "write one table and one video an episode",
                   e->file, t.v[0], t.v[i * t.columns], i);
release:
  data_table_release(&t);
  return rc;
}

static orr_code look_at_table(const data_import_options *o, data_import_episode *e) {
  char *text = NULL;
  size_t bytes = 0;
  if (o->no_actions) return ORR_OK;
  ORR_TRY(read_text(e->file, &text, &bytes));
  bool vpt = o->format ? strcmp(o->format, data_import_vpt.name) == 0
                       : text && !is_csv(e->file) && !o->actions.n && data_vpt_is(text, bytes);
  if (vpt) e->format = &data_import_vpt;
  orr_code rc = vpt ? ORR_OK : check_one_episode(e, text, bytes);
  orr_free(text);
  return rc;
}

// -- looking --------------------------------------------------------------------------------

// Whether a camera is asked for; with several and none named, the first stands for all until that
// is refused.
static bool is_wanted(const data_import_options *o, const data_import_episode *e, int64_t c) {
  for (int64_t i = 0; i < o->cameras.n; i++)
    if (strcmp(o->cameras.v[i], e->cameras[c].name) == 0) return true;
  return !o->cameras.n && c == 0;
}

// Counts a video's frames; *times as of data_video_count.
static orr_code count(const char *path, double *fps, int64_t *frames, double **times) {
  data_video_reader *v = NULL;
  ORR_TRY(data_video_open(path, &v));
  *fps = data_video_fps(v);
  orr_code rc = data_video_count(v, frames, times);
  data_video_close(v);
  return rc;
}

// The first camera that is asked for tells when frames are shown.
static orr_code look_at_first(data_import_episode *e, const char *path) {
  double *times = NULL, fps = 0;
  ORR_TRY(count(path, &fps, &e->frames, &times));
  orr_code rc = data_frame_times_look(times, e->frames, fps, &e->when);
  e->fps = e->when.fps;
  if (rc != ORR_OK || e->when.steady)
    orr_free(times);
  else
    e->times = times;
  return rc;
}

static orr_code look_at_other(data_import_episode *e, const char *path, const char *first) {
  int64_t frames = 0;
  double fps;
  ORR_TRY(count(path, &fps, &frames, NULL));
  ORR_CHECK(frames == e->frames, ORR_EFORMAT,
            "%s: %" PRId64 " frames, but %s has %" PRId64
            "; cameras that are taken together have as many; import them one by one",
            path, frames, first, e->frames);
  return ORR_OK;
}

// Looks into the files of an episode: its format, its number of frames, its frame rate. ORR_EFORMAT
// for cameras of different length and for a table of several episodes.
static orr_code look(const data_import_options *o, data_import_episode *e) {
  const char *first = NULL;
  ORR_TRY(look_at_table(o, e));
  for (int64_t c = 0; c < e->camera_count; c++) {
    const char *path = e->cameras[c].place;
    uint64_t bytes = 0;
    if (!is_wanted(o, e, c)) continue;
    ORR_TRY(orr_fs_size(path, &bytes));
    ORR_TRY(first ? look_at_other(e, path, first) : look_at_first(e, path));
    if (!first) first = path;
    e->bytes += bytes;
  }
  return ORR_OK;
}

static orr_code list_videos(data_import_search *s) {
  data_import_list *list = s->list;
  int64_t kept = 0;
  orr_code rc = data_import_video_pair(s);
  for (int64_t i = 0; rc == ORR_OK && i < list->n; i++) {
    data_import_episode *e = &list->v[i], bad;
    data_import_note_reading(s->o, s->board, e->cameras[0].place);
    rc = look(s->o, e);
    if (rc == ORR_OK) {
      bad = list->v[kept]; // an episode that was given up, or this one
      list->v[kept++] = *e;
      *e = bad;
    } else {
      rc = data_import_faults_take(s->faults, e->name, e->file, rc);
    }
  }
  if (rc == ORR_OK) data_import_list_cut(list, kept);
  return rc;
}

static data_import_claim claim(const data_import_paths *paths, const char **first) {
  return data_import_paths_claim(paths, DATA_PATH_VIDEO, first);
}

const data_import_source data_import_video_source = {
    .words = "video (.mp4, .mov, .m4v, .mkv, .webm, .avi)",
    .claim = claim,
    .list = list_videos,
};

// -- reading --------------------------------------------------------------------------------

orr_code data_import_table_actions(const char *path, data_table *t, data_import_actions *out) {
  float *v = orr_malloc((size_t)(t->rows * t->columns) * sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory for %" PRId64 " actions", path, t->rows);
  for (int64_t i = 0; i < t->rows * t->columns; i++) v[i] = (float)t->v[i];
  *out = (data_import_actions){.rows = t->rows,
                               .A = t->columns,
                               .v = v,
                               .names = t->names,
                               .times = t->times,
                               .time_name = t->time_name,
                               .time_unit = t->time_unit,
                               .success = -1};
  orr_free(t->v);
  *t = (data_table){0};
  return ORR_OK;
}

orr_code data_import_table_read(const data_import_options *o, const data_import_episode *e,
                                data_import_actions *out) {
  char *text = NULL;
  size_t bytes = 0;
  data_table t = {0};
  const data_table_wish wish = {.columns = o->actions,
                                .time = o->time_column,
                                .one_hot = o->one_hot,
                                .one_hot_count = o->one_hot_count};
  *out = (data_import_actions){0};
  ORR_TRY(read_text(e->file, &text, &bytes));
  orr_code rc = e->format == &data_import_vpt ? data_vpt_read(e->file, text, bytes, &t)
                                              : read_table(e->file, text, bytes, &wish, &t);
  orr_free(text);
  if (rc == ORR_OK) rc = data_import_table_actions(e->file, &t, out);
  data_table_release(&t);
  ORR_TRY(rc);
  char **names = o->actions.n ? NULL : data_lerobot_names(e->file, "action", out->A);
  if (!names) return ORR_OK;
  orr_free(out->names);
  out->names = names;
  return ORR_OK;
}

const data_import_format data_import_video = {
    .name = "video",
    .source = &data_import_video_source,
    .channels = DATA_CHANNELS_RGB,
    .merge = data_import_merge_last,
    .actions = data_import_table_read,
    .open = data_import_film_open,
};

const data_import_format data_import_vpt = {
    .name = "vpt",
    .source = &data_import_video_source,
    .channels = DATA_CHANNELS_RGB,
    .merge = data_vpt_merge,
    .actions = data_import_table_read,
    .open = data_import_film_open,
};
