// Which table belongs to which video.
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/import/formats.h"
#include "data/import/video.h"

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
} tables;

static orr_code fail_no_table(const data_import_path *video) {
  pieces p = split(video->path);
  return ORR_FAIL(ORR_ENOTFOUND,
                  "%s: no actions: no %.*s.csv, .jsonl or .parquet beside it or elsewhere; "
                  "--no-actions imports the pictures alone (for a tokenizer, or to learn from "
                  "without actions)",
                  video->path, p.stem_length, p.stem);
}

// Whether text is preferred to Parquet: somebody converted the one into the other.
static bool is_better(const data_import_path *a, const data_import_path *b) {
  return a->kind == DATA_PATH_TABLE && b->kind == DATA_PATH_PARQUET;
}

static orr_code find_table(const tables *t, const data_import_path *video,
                           const data_import_path **out) {
  int64_t first, n = range(t->by_stem, t->n, video, compare_stems, &first);
  const data_import_path *near = NULL, *best = NULL, *second = NULL;
  for (int64_t i = first; i < first + n; i++) {
    const data_import_path *p = t->by_stem[i];
    if (compare_folders(&p, &video) == 0 && (!near || is_better(p, near))) near = p;
    if (best && !is_better(p, best) && !is_better(best, p)) second = p;
    if (!best || is_better(p, best)) {
      if (best) second = NULL;
      best = p;
    }
  }
  ORR_CHECK(near || !second, ORR_EINVAL,
            "%s: two tables may be its actions: %s and %s; import one folder", video->path,
            best ? best->path : "", second ? second->path : "");
  *out = near ? near : best;
  if (*out) return ORR_OK;
  n = range(t->by_folder, t->n, video, compare_folders, &first);
  if (n != 1) return fail_no_table(video);
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
// Pictures alone: every video is a recording of its own.
static orr_code add_alone(const data_import_path *video, data_import_list *list) {
  data_import_episode *e;
  ORR_TRY(data_import_list_add(list, &data_import_video, video->name, video->path, &e));
  return add_camera(e, video->path);
}

// What kind of path may be a table.
static bool is_table(const data_import_path *p) {
  return p->kind == DATA_PATH_TABLE || p->kind == DATA_PATH_PARQUET;
}

orr_code data_import_video_pair(data_import_search *s) {
  const data_import_paths *paths = s->paths;
  tables t = {0};
  orr_code rc = ORR_OK;
  int64_t *numbers = NULL; // of the episode of each table
  size_t room = (size_t)paths->n + 1;
  t.by_stem = orr_malloc(room * sizeof *t.by_stem);
  t.by_folder = orr_malloc(room * sizeof *t.by_folder);
  numbers = orr_malloc(room * sizeof *numbers);
  ORR_CHECK_GOTO(t.by_stem && t.by_folder && numbers, done, ORR_ENOMEM,
                 "out of memory: cannot pair %" PRId64 " files", paths->n);
  for (int64_t i = 0; i < paths->n; i++) {
    if (!is_table(&paths->v[i])) continue;
    numbers[t.n] = -1;
    t.by_stem[t.n] = t.by_folder[t.n] = &paths->v[i];
    t.n++;
  }
  if (t.n > 1) {
    qsort(t.by_stem, (size_t)t.n, sizeof *t.by_stem, compare_stems);
    qsort(t.by_folder, (size_t)t.n, sizeof *t.by_folder, compare_folders);
  }
  for (int64_t i = 0; i < paths->n; i++) {
    const data_import_path *p = &paths->v[i];
    if (p->kind != DATA_PATH_VIDEO) continue;
    rc = s->o->no_actions ? add_alone(p, s->list) : pair_video(&t, p, numbers, s->list);
    ORR_TRY_GOTO(data_import_faults_take(s->faults, p->name, p->path, rc), done);
  }
done:
  orr_free(numbers);
  orr_free(t.by_folder);
  orr_free(t.by_stem);
  return rc;
}
