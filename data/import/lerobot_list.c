// The episodes of LeRobot data sets.
#define _GNU_SOURCE // memmem
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/import/formats.h"
#include "data/import/lerobot.h"
#include "data/import/parquet/parquet.h"
#include "data/import/sources.h"
#include "data/import/table/table.h"
#include "data/pictures/video_reader.h"

#define CAMERAS_MAX 64
#define DATA        "data/chunk-"

// A feature with pictures, and what was last found out about one of its videos.
typedef struct {
  const char *key, *name; // name: as the user calls it
  bool image, wanted;
  orr_path path;
  double *times;
  int64_t frames;
  uint64_t bytes;
} camera;

typedef struct {
  data_import_search *search;
  data_lerobot set;
  camera cameras[CAMERAS_MAX];
  int camera_count;
  orr_path data; // the table at hand
  double *index; // [rows]: which episode each of its rows belongs to
  int64_t rows;
} listing;

// -- cameras ---------------------------------------------------------------------------------

static bool is_called(const char *key, const char *name) {
  const size_t n = strlen(key), m = strlen(name);
  return n >= m && strcmp(key + n - m, name) == 0 && (n == m || key[n - m - 1] == '.');
}

static bool is_depth(const json_t *feature) {
  const json_t *info = json_object_get(feature, "info");
  if (!info) info = json_object_get(feature, "video_info");
  return json_is_true(json_object_get(info, "is_depth_map")) ||
         json_is_true(json_object_get(info, "video.is_depth_map"));
}

static orr_code find_cameras(listing *l) {
  const data_import_options *o = l->search->o;
  const char *key;
  json_t *feature;
  json_object_foreach(json_object_get(l->set.info, "features"), key, feature) {
    const char *type = json_string_value(json_object_get(feature, "dtype"));
    const bool image = type && strcmp(type, "image") == 0;
    if (!type || (!image && strcmp(type, "video") != 0) || is_depth(feature)) continue;
    ORR_CHECK(l->camera_count < CAMERAS_MAX, ORR_EUNSUPPORTED, "%s: more than %d cameras",
              l->set.root, CAMERAS_MAX);
    camera *c = &l->cameras[l->camera_count++];
    c->key = c->name = key;
    c->image = image;
    for (int64_t i = 0; i < o->cameras.n; i++) {
      if (!is_called(key, o->cameras.v[i])) continue;
      c->name = o->cameras.v[i];
      c->wanted = true;
    }
  }
  ORR_CHECK(l->camera_count, ORR_EFORMAT, "%smeta/info.json: no feature is a video or an image",
            l->set.root);
  if (!o->cameras.n) l->cameras[0].wanted = true; // the others are refused or not there
  return ORR_OK;
}

// When the frames of a camera's video are shown, unless that is known already.
static orr_code look_at_video(camera *c, const char *path) {
  data_video_reader *v = NULL;
  if (c->times && strcmp(c->path, path) == 0) return ORR_OK;
  orr_free(c->times);
  c->times = NULL;
  snprintf(c->path, sizeof c->path, "%s", path);
  ORR_TRY(orr_fs_size(path, &c->bytes));
  ORR_TRY(data_video_open(path, &v));
  orr_code rc = data_video_count(v, &c->frames, &c->times);
  data_video_close(v);
  ORR_TRY(rc);
  ORR_CHECK(c->times || !c->frames, ORR_EFORMAT, "%s: its frames have no times", path);
  return ORR_OK;
}

// The camera's frames from second `from` on: as many as the episode has rows.
static orr_code add_video(const listing *l, camera *c, const char *path, double from,
                          data_import_episode *e) {
  int64_t first = 0;
  ORR_TRY(data_import_add_camera(e, c->name, path));
  if (!c->wanted) return ORR_OK;
  ORR_TRY(look_at_video(c, path));
  while (first < c->frames && c->times[first] < from - 0.5 / l->set.fps) first++;
  // one episode a file: all of it; a frame more or less is judged like that of any recording
  const int64_t frames = l->set.version == 2           ? c->frames
                         : c->frames - first < e->rows ? c->frames - first
                                                       : e->rows;
  ORR_CHECK(e->frames < 0 || frames == e->frames, ORR_EFORMAT,
            "%s: %" PRId64 " frames, but %" PRId64
            " in another camera; cameras that are taken together have as many; import them one by "
            "one",
            path, frames, e->frames);
  ORR_CHECK(frames > 0, ORR_EFORMAT, "%s: ends before second %g, where %s begins", path, from,
            e->name);
  e->frames = frames;
  e->bytes += c->bytes;
  e->cameras[e->camera_count - 1].from = first ? c->times[first] : 0;
  return ORR_OK;
}

static orr_code add_image(const camera *c, data_import_episode *e) {
  char place[600];
  ORR_CHECK(snprintf(place, sizeof place, "%s.bytes", c->key) < (int)sizeof place, ORR_EFORMAT,
            "%s: a feature's name is too long", e->file);
  ORR_TRY(data_import_add_camera(e, c->name, place));
  if (c->wanted) e->frames = e->rows;
  return ORR_OK;
}

// -- episodes --------------------------------------------------------------------------------

// Which episode each row of a table belongs to, unless that is known already.
static orr_code look_at_data(listing *l, const char *path) {
  data_parquet *p = NULL;
  data_parquet_numbers n = {0};
  if (l->index && strcmp(l->data, path) == 0) return ORR_OK;
  orr_free(l->index);
  l->index = NULL;
  snprintf(l->data, sizeof l->data, "%s", path);
  data_import_note_reading(l->search->o, l->search->board, path);
  ORR_TRY(data_parquet_open(path, &p));
  const int column = data_parquet_find(p, "episode_index");
  orr_code rc = column < 0 ? ORR_FAIL(ORR_EFORMAT, "%s: no column episode_index", path)
                : data_parquet_rows(p) < 1
                    ? ORR_FAIL(ORR_EFORMAT, "%s: no rows", path)
                    : data_parquet_read(p, column, 0, data_parquet_rows(p), &n);
  data_parquet_close(p);
  ORR_TRY(rc);
  l->index = n.v;
  l->rows = n.width == 1 ? n.rows : 0;
  return ORR_OK;
}

// Adds episode `number`, whose rows lie in the table at path, without cameras.
static orr_code add_episode(listing *l, const char *path, int64_t number,
                            data_import_episode **out) {
  data_import_episode *e;
  const char *below = path + (l->set.name - l->set.root);
  int64_t first = 0, rows = 0;
  ORR_TRY(look_at_data(l, path));
  while (first < l->rows && l->index[first] != (double)number) first++;
  while (first + rows < l->rows && l->index[first + rows] == (double)number) rows++;
  ORR_CHECK(rows, ORR_EFORMAT, "%s: no row of episode %" PRId64, path, number);
  char *name =
      l->set.version == 2 ? orr_strdup(below) : orr_format("%s:episode_%" PRId64, below, number);
  ORR_CHECK(name, ORR_ENOMEM, "%s: out of memory: cannot list it", path);
  orr_code rc = data_import_list_add(l->search->list, &data_import_lerobot, name, path, &e);
  orr_free(name);
  ORR_TRY(rc);
  e->first = first;
  e->rows = rows;
  e->frames = -1;
  e->fps = l->set.fps;
  *out = e;
  return ORR_OK;
}

static orr_code check_frames(const data_import_episode *e) {
  ORR_CHECK(e->frames >= 0, ORR_ENOTFOUND, "%s: none of its cameras is called as --camera says",
            e->name);
  return ORR_OK;
}

// -- version 2 -------------------------------------------------------------------------------

static orr_code add_v2(listing *l, int64_t number) {
  const data_lerobot *set = &l->set;
  const int64_t chunk = number / set->chunk_size;
  data_import_episode *e;
  orr_path path;
  ORR_TRY(data_lerobot_path(set, set->data_path, chunk, number, "", path, sizeof path));
  ORR_TRY(add_episode(l, path, number, &e));
  for (int c = 0; c < l->camera_count; c++) {
    if (l->cameras[c].image) {
      ORR_TRY(add_image(&l->cameras[c], e));
      continue;
    }
    ORR_TRY(data_lerobot_path(set, set->video_path, chunk, number, l->cameras[c].key, path,
                              sizeof path));
    ORR_TRY(add_video(l, &l->cameras[c], path, 0, e));
  }
  return check_frames(e);
}

// What went wrong with an episode is its own fault; the others are listed.
static orr_code judge(listing *l, int64_t before, int64_t number, orr_code rc) {
  char name[64];
  if (rc == ORR_OK) return ORR_OK;
  data_import_list_cut(l->search->list, before);
  snprintf(name, sizeof name, "%.40sepisode %" PRId64, l->set.name, number);
  return data_import_faults_take(l->search->faults, name, l->set.root, rc);
}

static orr_code list_v2(listing *l) {
  static const char *const columns[] = {"episode_index"};
  const data_table_wish wish = {.columns = {columns, 1}};
  orr_path path;
  char *text = NULL;
  size_t bytes = 0;
  data_table t = {0};
  ORR_TRY(orr_fs_join(path, sizeof path, l->set.root, "meta/episodes.jsonl"));
  ORR_TRY(orr_fs_read_all(path, &text, &bytes));
  orr_code rc = data_table_read_jsonl(path, text, bytes, &wish, &t);
  orr_free(text);
  for (int64_t i = 0; rc == ORR_OK && i < t.rows; i++) {
    int64_t before = l->search->list->n;
    rc = judge(l, before, (int64_t)t.v[i], add_v2(l, (int64_t)t.v[i]));
  }
  data_table_release(&t);
  return rc;
}

// -- version 3 -------------------------------------------------------------------------------

// The columns of one table of episodes that say where their rows and pictures are.
typedef struct {
  data_parquet *p;
  data_parquet_numbers number, chunk, file;
  data_parquet_numbers video_chunk[CAMERAS_MAX], video_file[CAMERAS_MAX], from[CAMERAS_MAX];
} places;

static orr_code read_column(places *m, const char *path, const char *name,
                            data_parquet_numbers *out) {
  const int column = data_parquet_find(m->p, name);
  ORR_CHECK(column >= 0, ORR_EFORMAT, "%s: no column %s, which LeRobot's version 3 has", path,
            name);
  ORR_TRY(data_parquet_read(m->p, column, 0, data_parquet_rows(m->p), out));
  ORR_CHECK(out->width == 1, ORR_EFORMAT, "%s: column %s holds lists, wanted a number a row", path,
            name);
  return ORR_OK;
}

static orr_code read_video_columns(const listing *l, places *m, const char *path, int c) {
  static const char *const words[] = {"chunk_index", "file_index", "from_timestamp"};
  data_parquet_numbers *to[] = {&m->video_chunk[c], &m->video_file[c], &m->from[c]};
  char name[600];
  for (int i = 0; i < 3; i++) {
    snprintf(name, sizeof name, "videos/%.500s/%s", l->cameras[c].key, words[i]);
    ORR_TRY(read_column(m, path, name, to[i]));
  }
  return ORR_OK;
}

static orr_code read_places(const listing *l, places *m, const char *path) {
  ORR_TRY(data_parquet_open(path, &m->p));
  if (data_parquet_rows(m->p) < 1) return ORR_OK;
  ORR_TRY(read_column(m, path, "episode_index", &m->number));
  ORR_TRY(read_column(m, path, "data/chunk_index", &m->chunk));
  ORR_TRY(read_column(m, path, "data/file_index", &m->file));
  for (int c = 0; c < l->camera_count; c++)
    if (!l->cameras[c].image) ORR_TRY(read_video_columns(l, m, path, c));
  return ORR_OK;
}

static void release_places(places *m) {
  for (int c = 0; c < CAMERAS_MAX; c++) {
    orr_free(m->video_chunk[c].v);
    orr_free(m->video_file[c].v);
    orr_free(m->from[c].v);
  }
  orr_free(m->number.v);
  orr_free(m->chunk.v);
  orr_free(m->file.v);
  data_parquet_close(m->p);
}

static orr_code add_v3(listing *l, const places *m, int64_t i) {
  const data_lerobot *set = &l->set;
  data_import_episode *e;
  orr_path path;
  ORR_TRY(data_lerobot_path(set, set->data_path, (int64_t)m->chunk.v[i], (int64_t)m->file.v[i], "",
                            path, sizeof path));
  ORR_TRY(add_episode(l, path, (int64_t)m->number.v[i], &e));
  for (int c = 0; c < l->camera_count; c++) {
    if (l->cameras[c].image) {
      ORR_TRY(add_image(&l->cameras[c], e));
      continue;
    }
    ORR_TRY(data_lerobot_path(set, set->video_path, (int64_t)m->video_chunk[c].v[i],
                              (int64_t)m->video_file[c].v[i], l->cameras[c].key, path,
                              sizeof path));
    ORR_TRY(add_video(l, &l->cameras[c], path, m->from[c].v[i], e));
  }
  return check_frames(e);
}

static orr_code list_places(listing *l, const char *path) {
  places *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "%s: out of memory: cannot read it", path);
  orr_code rc = read_places(l, m, path);
  for (int64_t i = 0; rc == ORR_OK && i < m->number.rows; i++) {
    int64_t before = l->search->list->n;
    rc = judge(l, before, (int64_t)m->number.v[i], add_v3(l, m, i));
  }
  release_places(m);
  orr_free(m);
  return rc;
}

// All tables below meta/episodes, in natural order, as the paths are.
static orr_code list_v3(listing *l) {
  const data_import_paths *paths = l->search->paths;
  orr_path prefix;
  int64_t found = 0;
  ORR_TRY(orr_fs_join(prefix, sizeof prefix, l->set.root, "meta/episodes/"));
  for (int64_t i = 0; i < paths->n; i++) {
    const data_import_path *p = &paths->v[i];
    if (p->kind != DATA_PATH_PARQUET || strncmp(p->path, prefix, strlen(prefix)) != 0) continue;
    ORR_TRY(list_places(l, p->path));
    found++;
  }
  ORR_CHECK(found, ORR_ENOTFOUND, "%s: no table of episodes (*.parquet) there", prefix);
  return ORR_OK;
}

// -- data sets -------------------------------------------------------------------------------

// The folder of the data set that a table of rows lies in, with a slash at its end; false for any
// other path, and where it begins above the operand.
static bool root_of(const data_import_path *p, char *out, size_t size, size_t *below) {
  const size_t before = (size_t)(p->name - p->path);
  const char *found = p->kind == DATA_PATH_PARQUET ? strstr(p->name, DATA) : NULL;
  orr_path info;
  if (!found || (found > p->name && found[-1] != '/')) return false;
  int n =
      snprintf(out, size, "%.*s%s", (int)(found - p->path), p->path, found == p->path ? "./" : "");
  *below = before + (found == p->path ? 2 : 0);
  return n > 0 && (size_t)n < size &&
         orr_fs_join(info, sizeof info, out, "meta/info.json") == ORR_OK && orr_fs_exists(info);
}

static orr_code list_set(data_import_search *s, const char *root, size_t below) {
  listing *l = orr_calloc(1, sizeof *l);
  ORR_CHECK(l, ORR_ENOMEM, "%s: out of memory: cannot read it", root);
  l->search = s;
  orr_code rc = data_lerobot_open(root, below, &l->set);
  if (rc == ORR_OK) rc = find_cameras(l);
  if (rc == ORR_OK) rc = l->set.version == 2 ? list_v2(l) : list_v3(l);
  for (int c = 0; c < l->camera_count; c++) orr_free(l->cameras[c].times);
  orr_free(l->index);
  data_lerobot_close(&l->set);
  orr_free(l);
  return rc;
}

static orr_code list_sets(data_import_search *s) {
  orr_path root, last = "";
  size_t below;
  for (int64_t i = 0; i < s->paths->n; i++) {
    if (!root_of(&s->paths->v[i], root, sizeof root, &below) || strcmp(root, last) == 0) continue;
    memcpy(last, root, sizeof last);
    ORR_TRY(list_set(s, root, below));
  }
  return ORR_OK;
}

static data_import_claim claim(const data_import_paths *paths, const char **first) {
  orr_path root;
  size_t below;
  for (int64_t i = 0; i < paths->n; i++) {
    if (!root_of(&paths->v[i], root, sizeof root, &below)) continue;
    *first = paths->v[i].path;
    return DATA_CLAIM_WHOLE;
  }
  return DATA_CLAIM_NONE;
}

const data_import_source data_import_lerobot_source = {
    .words = "LeRobot data set (meta/info.json with .parquet)",
    .claim = claim,
    .list = list_sets,
};
