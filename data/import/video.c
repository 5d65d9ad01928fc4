#include "data/import/video.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/import/formats.h"
#include "data/import/sources.h"
#include "data/import/vpt.h"
#include "data/import/table.h"
#include "data/pictures/video_reader.h"

// -- pairing ---------------------------------------------------------------------------------

// A file's folder and stem as pieces of its path.
typedef struct {
  const char *folder, *stem;
  int folder_length, stem_length;
} pieces;

static pieces split(const char *path) {
  const char *slash = strrchr(path, '/'), *stem = slash ? slash + 1 : path;
  const char *dot = strrchr(stem, '.');
  return (pieces){path, stem, slash ? (int)(slash - path) : 0,
                  dot ? (int)(dot - stem) : (int)strlen(stem)};
}

static int compare_piece(const char *a, int n, const char *b, int m) {
  size_t least = n < 0 || m < 0 ? 0 : (size_t)(n < m ? n : m);
  int order = memcmp(a, b, least);
  return order ? order : n - m;
}

static int compare_stems(const void *a, const void *b) {
  pieces p = split((*(const data_import_path *const *)a)->path);
  pieces q = split((*(const data_import_path *const *)b)->path);
  return compare_piece(p.stem, p.stem_length, q.stem, q.stem_length);
}

static int compare_folders(const void *a, const void *b) {
  pieces p = split((*(const data_import_path *const *)a)->path);
  pieces q = split((*(const data_import_path *const *)b)->path);
  return compare_piece(p.folder, p.folder_length, q.folder, q.folder_length);
}

// The entries of a sorted list that compare equal to `path`: *first and their number.
static int64_t range(const data_import_path **list, int64_t n, const data_import_path *path,
                     int (*compare)(const void *, const void *), int64_t *first) {
  int64_t low = 0, high = n, count = 0;
  while (low < high) {
    int64_t middle = (low + high) / 2;
    if (compare(&list[middle], &path) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  *first = low;
  while (low + count < n && compare(&list[low + count], &path) == 0) count++;
  return count;
}

typedef struct {
  const data_import_path **by_stem, **by_folder; // tables
  int64_t n;
  bool parquet; // there are tables that cannot be read
} tables;

static orr_code fail_no_table(const tables *t, const data_import_path *video) {
  pieces p = split(video->path);
  if (t->parquet)
    return ORR_FAIL(
        ORR_EUNSUPPORTED,
        "%s: its actions seem to be in .parquet, which is not read here; in Python: "
        "pandas.read_parquet(p).to_json(p[:-7] + 'jsonl', orient='records', lines=True) for each "
        "file, then import again",
        video->path);
  return ORR_FAIL(ORR_ENOTFOUND, "%s: no actions: no %.*s.csv or .jsonl beside it or elsewhere",
                  video->path, p.stem_length, p.stem);
}

static orr_code find_table(const tables *t, const data_import_path *video,
                           const data_import_path **out) {
  int64_t first, n = range(t->by_stem, t->n, video, compare_stems, &first);
  for (int64_t i = first; i < first + n; i++) {
    if (compare_folders(&t->by_stem[i], &video) != 0) continue;
    *out = t->by_stem[i];
    return ORR_OK;
  }
  ORR_CHECK(n <= 1, ORR_EINVAL, "%s: two tables may be its actions: %s and %s; import one folder",
            video->path, t->by_stem[first]->path, t->by_stem[first + 1]->path);
  *out = n ? t->by_stem[first] : NULL;
  if (*out) return ORR_OK;
  n = range(t->by_folder, t->n, video, compare_folders, &first);
  if (n != 1) return fail_no_table(t, video);
  *out = t->by_folder[first];
  return ORR_OK;
}

static orr_code add_camera(data_import_episode *e, const char *video) {
  pieces v = split(video), t = split(e->file);
  char name[NAME_MAX + 1];
  const char *folder = v.folder + v.folder_length;
  while (folder > v.folder && folder[-1] != '/') folder--;
  int length = (int)(v.folder + v.folder_length - folder);
  bool alike = compare_piece(v.stem, v.stem_length, t.stem, t.stem_length) == 0;
  if (alike && length > 0)
    snprintf(name, sizeof name, "%.*s", length, folder);
  else
    snprintf(name, sizeof name, "%.*s", v.stem_length, v.stem);
  return data_import_add_camera(e, name, video);
}

// One episode a table, found again by the table's path.
static orr_code pair_video(const tables *t, const data_import_path *video, int64_t *numbers,
                           data_import_list *list) {
  const data_import_path *table;
  data_import_episode *e;
  ORR_TRY(find_table(t, video, &table));
  int64_t first, n = range(t->by_stem, t->n, table, compare_stems, &first), at = first;
  while (at < first + n - 1 && t->by_stem[at] != table) at++;
  if (numbers[at] < 0) {
    numbers[at] = list->n;
    ORR_TRY(data_import_list_add(list, &data_import_video, table->name, table->path, &e));
  }
  return add_camera(&list->v[numbers[at]], video->path);
}

// Finds the table of every video among the paths and adds the episodes in the order of their first
// videos, without looking into any file. ORR_ENOTFOUND for a video without a table.
static orr_code pair_all(const data_import_paths *paths, data_import_list *list) {
  tables t = {0};
  orr_code rc = ORR_OK;
  int64_t *numbers = NULL; // of the episode of each table
  size_t room = (size_t)paths->n + 1;
  t.by_stem = orr_malloc(room * sizeof *t.by_stem);
  t.by_folder = orr_malloc(room * sizeof *t.by_folder);
  numbers = orr_malloc(room * sizeof *numbers);
  ORR_CHECK_GOTO(t.by_stem && t.by_folder && numbers, done, ORR_ENOMEM,
                 "no memory to pair %lld files", (long long)paths->n);
  for (int64_t i = 0; i < paths->n; i++) {
    t.parquet |= paths->v[i].kind == DATA_PATH_PARQUET;
    if (paths->v[i].kind != DATA_PATH_TABLE) continue;
    numbers[t.n] = -1;
    t.by_stem[t.n] = t.by_folder[t.n] = &paths->v[i];
    t.n++;
  }
  if (t.n > 1) {
    qsort(t.by_stem, (size_t)t.n, sizeof *t.by_stem, compare_stems);
    qsort(t.by_folder, (size_t)t.n, sizeof *t.by_folder, compare_folders);
  }
  for (int64_t i = 0; i < paths->n; i++)
    if (paths->v[i].kind == DATA_PATH_VIDEO)
      ORR_TRY_GOTO(pair_video(&t, &paths->v[i], numbers, list), done);
done:
  orr_free(numbers);
  orr_free(t.by_folder);
  orr_free(t.by_stem);
  return rc;
}

// -- looking ---------------------------------------------------------------------------------

static bool is_csv(const char *path) {
  const char *dot = strrchr(path, '.');
  return dot && strcmp(dot, ".csv") == 0;
}

static orr_code read_table(const char *path, const char *text, size_t bytes, data_words wanted,
                           data_table *out) {
  return is_csv(path) ? data_table_read_csv(path, text, bytes, wanted, out)
                      : data_table_read_jsonl(path, text, bytes, wanted, out);
}

// LeRobot's tables say which episode a row belongs to; a clip may not cross from one to the next.
static orr_code check_one_episode(const data_import_episode *e, const char *text, size_t bytes) {
  static const char column[] = "episode_index";
  data_table t = {0};
  const char *const wanted[] = {column};
  if (!strstr(text, column) ||
      read_table(e->file, text, bytes, (data_words){wanted, 1}, &t) != ORR_OK)
    return ORR_OK; // without that column
  orr_code rc = ORR_OK;
  for (int64_t i = 0; i < t.rows; i++)
    ORR_CHECK_GOTO(t.v[i * t.columns] == t.v[0], release, ORR_EFORMAT,
                   "%s: holds several episodes (episode_index %g in row 0, %g in row %" PRId64
                   "); write one table and one video an episode, as LeRobot's format v2.1 does",
                   e->file, (double)t.v[0], (double)t.v[i * t.columns], i);
release:
  data_table_release(&t);
  return rc;
}

static orr_code look_at_table(const data_import_options *o, data_import_episode *e) {
  char *text = NULL;
  size_t bytes = 0;
  ORR_TRY(orr_fs_read_all(e->file, &text, &bytes));
  bool vpt = o->format ? strcmp(o->format, data_import_vpt.name) == 0
                       : !is_csv(e->file) && !o->actions.n && data_vpt_is(text, bytes);
  if (vpt) e->format = &data_import_vpt;
  orr_code rc = vpt ? ORR_OK : check_one_episode(e, text, bytes);
  orr_free(text);
  return rc;
}

// Looks into the files of an episode: its format, its number of frames, its frame rate. ORR_EFORMAT
// for cameras of different length and for a table of several episodes.
static orr_code look(const data_import_options *o, data_import_episode *e) {
  ORR_TRY(look_at_table(o, e));
  for (int64_t c = 0; c < e->camera_count; c++) {
    data_video_reader *v = NULL;
    uint64_t bytes = 0;
    int64_t frames = 0;
    const char *path = e->cameras[c].place;
    ORR_TRY(orr_fs_size(path, &bytes));
    ORR_TRY(data_video_open(path, &v));
    double fps = data_video_fps(v);
    orr_code rc = data_video_count(v, &frames);
    data_video_close(v);
    ORR_TRY(rc);
    ORR_CHECK(c == 0 || frames == e->frames, ORR_EFORMAT,
              "%s: %" PRId64 " frames, but %s has %" PRId64
              "; the cameras of an episode have as many",
              path, frames, e->cameras[0].place, e->frames);
    e->bytes += bytes;
    e->frames = frames;
    if (c == 0) e->fps = fps;
  }
  return ORR_OK;
}

static orr_code list_videos(data_import_search *s) {
  data_import_list *list = s->list;
  int64_t kept = 0;
  orr_code rc = pair_all(s->paths, list);
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
    .words = "video (.mp4, .mov, .mkv, .webm, .avi)",
    .claim = claim,
    .list = list_videos,
};

// -- reading ---------------------------------------------------------------------------------

// LeRobot's meta/info.json names the components of its actions; it lies two folders above the
// tables. NULL when it does not, or has another number of names.
static char **lerobot_names(const char *table, int64_t A) {
  char path[PATH_MAX];
  json_t *info = NULL;
  size_t at = strlen(table), bytes = (size_t)A * sizeof(char *);
  for (int up = 0; up < 3 && at > 0; up++)
    while (at > 0 && table[--at] != '/') continue;
  snprintf(path, sizeof path, "%.*s%smeta/info.json", (int)at, table, at ? "/" : "");
  if (!orr_fs_exists(path) || orr_json_load(path, &info) != ORR_OK) return NULL;
  const json_t *action = json_object_get(json_object_get(info, "features"), "action");
  const json_t *list = json_object_get(action, "names");
  if (json_is_object(list))
    list = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)list));
  bool good = json_is_array(list) && (int64_t)json_array_size(list) == A;
  for (int64_t i = 0; good && i < A; i++) {
    const char *name = json_string_value(json_array_get(list, (size_t)i));
    good = name != NULL;
    if (good) bytes += strlen(name) + 1;
  }
  char **names = good ? orr_malloc(bytes) : NULL;
  char *text = names ? (char *)(names + A) : NULL;
  for (int64_t i = 0; names && i < A; i++) {
    const char *name = json_string_value(json_array_get(list, (size_t)i));
    names[i] = memcpy(text, name, strlen(name) + 1);
    text += strlen(name) + 1;
  }
  json_decref(info);
  return names;
}

static orr_code actions(const data_import_options *o, const data_import_episode *e,
                        data_import_actions *out) {
  char *text = NULL;
  size_t bytes = 0;
  data_table t = {0};
  *out = (data_import_actions){0};
  ORR_TRY(orr_fs_read_all(e->file, &text, &bytes));
  orr_code rc = e->format == &data_import_vpt ? data_vpt_read(e->file, text, bytes, &t)
                                              : read_table(e->file, text, bytes, o->actions, &t);
  orr_free(text);
  ORR_TRY(rc);
  char **names = o->actions.n ? NULL : lerobot_names(e->file, t.columns);
  if (names) orr_free(t.names);
  *out = (data_import_actions){
      .rows = t.rows, .A = t.columns, .v = t.v, .names = names ? names : t.names, .success = -1};
  return ORR_OK;
}

typedef struct {
  data_import_stream base;
  const char *path; // borrowed
  data_video_reader *video;
  int64_t next, frames; // number of the next frame, and how many were counted
  data_picture last;
} film;

static orr_code film_read(data_import_stream *s, int64_t frame, data_picture *out) {
  film *f = (film *)s; // its first member
  while (f->next <= frame) {
    ORR_TRY(data_video_next(f->video, &f->last));
    ORR_CHECK(f->last.rgb, ORR_EFORMAT,
              "%s: ends after %" PRId64 " frames, although it lists %" PRId64
              "; it is damaged or truncated",
              f->path, f->next, f->frames);
    f->next++;
  }
  *out = f->last;
  return ORR_OK;
}

static void film_close(data_import_stream *s) {
  film *f = (film *)s;
  data_video_close(f->video);
  orr_free(f);
}

static orr_code film_open(const data_import_episode *e, int64_t camera, data_import_stream **out) {
  film *f = orr_calloc(1, sizeof *f);
  ORR_CHECK(f, ORR_ENOMEM, "%s: no memory to read it", e->cameras[camera].place);
  *f = (film){.base = {.read = film_read, .close = film_close},
              .path = e->cameras[camera].place,
              .frames = e->frames};
  orr_code rc = data_video_open(f->path, &f->video);
  if (rc == ORR_OK)
    *out = &f->base;
  else
    film_close(&f->base);
  return rc;
}

const data_import_format data_import_video = {
    .name = "video",
    .source = &data_import_video_source,
    .channels = DATA_CHANNELS_RGB,
    .merge = data_import_merge_last,
    .actions = actions,
    .open = film_open,
};

const data_import_format data_import_vpt = {
    .name = "vpt",
    .source = &data_import_video_source,
    .channels = DATA_CHANNELS_RGB,
    .merge = data_vpt_merge,
    .actions = actions,
    .open = film_open,
};
