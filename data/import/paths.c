#include "data/import/paths.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/natural.h"

#define DEPTH_MAX 32 // folders; links may make circles

static const struct {
  const char *ending;
  data_path_kind kind;
} kinds[] = {
    {".h5", DATA_PATH_HDF5},      {".hdf5", DATA_PATH_HDF5},       {".mp4", DATA_PATH_VIDEO},
    {".mov", DATA_PATH_VIDEO},    {".mkv", DATA_PATH_VIDEO},       {".webm", DATA_PATH_VIDEO},
    {".avi", DATA_PATH_VIDEO},    {".csv", DATA_PATH_TABLE},       {".jsonl", DATA_PATH_TABLE},
    {".ndjson", DATA_PATH_TABLE}, {".parquet", DATA_PATH_PARQUET}, {".tsv", DATA_PATH_TABLE},
    {".m4v", DATA_PATH_VIDEO},
};

// The kind by a path's ending, or -1.
static int kind_of(const char *path) {
  const char *dot = strrchr(path, '.');
  for (size_t i = 0; dot && i < sizeof kinds / sizeof *kinds; i++)
    if (strcasecmp(dot, kinds[i].ending) == 0) return (int)kinds[i].kind;
  return -1;
}

static orr_code add(data_import_paths *list, const char *path, size_t below, int kind) {
  if (list->n == list->room) {
    int64_t room = list->room ? 2 * list->room : 64;
    data_import_path *v = orr_realloc(list->v, (size_t)room * sizeof *v);
    ORR_CHECK(v, ORR_ENOMEM, "%s: no memory to list %lld files", path, (long long)room);
    list->v = v;
    list->room = room;
  }
  char *copy = orr_strdup(path);
  ORR_CHECK(copy, ORR_ENOMEM, "%s: no memory to list it", path);
  list->v[list->n++] = (data_import_path){(data_path_kind)kind, copy, copy + below};
  return ORR_OK;
}

static orr_code walk(data_import_paths *list, const char *dir, size_t below, int depth) {
  orr_code rc = ORR_OK;
  char path[PATH_MAX];
  ORR_CHECK(depth < DEPTH_MAX, ORR_EINVAL,
            "%s: more than %d folders deep; is there a link to a folder above?", dir, DEPTH_MAX);
  DIR *d = opendir(dir);
  ORR_CHECK(d, ORR_EIO, "%s: cannot list this folder: %s", dir, strerror(errno));
  for (const struct dirent *entry; (entry = readdir(d));) {
    if (entry->d_name[0] == '.') continue;
    ORR_TRY_GOTO(orr_fs_join(path, sizeof path, dir, entry->d_name), close_dir);
    int kind = kind_of(path);
    if (kind >= 0)
      rc = add(list, path, below, kind);
    else if (orr_fs_is_dir(path))
      rc = walk(list, path, below, depth + 1);
    if (rc != ORR_OK) goto close_dir;
  }
close_dir:
  closedir(d);
  return rc;
}

static int by_path(const void *a, const void *b) {
  return orr_natural_compare(((const data_import_path *)a)->path,
                             ((const data_import_path *)b)->path);
}

static orr_code find_operand(data_import_paths *list, const char *operand) {
  size_t length = strlen(operand);
  int64_t before = list->n;
  if (orr_fs_is_dir(operand)) {
    size_t below = length + (length > 0 && operand[length - 1] != '/');
    ORR_TRY(walk(list, operand, below, 0));
    if (list->n > before)
      qsort(list->v + before, (size_t)(list->n - before), sizeof *list->v, by_path);
    return ORR_OK;
  }
  ORR_CHECK(orr_fs_exists(operand), ORR_ENOTFOUND, "%s: no such file or folder", operand);
  const char *slash = strrchr(operand, '/');
  ORR_CHECK(kind_of(operand) >= 0, ORR_EINVAL,
            "%s: wanted a folder, .h5 or .hdf5, or .mp4, .mov, .mkv, .webm, .avi with .csv or "
            ".jsonl beside it",
            operand);
  return add(list, operand, slash ? (size_t)(slash + 1 - operand) : 0, kind_of(operand));
}

orr_code data_import_paths_find(data_words operands, data_import_paths *out) {
  orr_code rc = ORR_OK;
  *out = (data_import_paths){0};
  for (int64_t i = 0; i < operands.n; i++) ORR_TRY_GOTO(find_operand(out, operands.v[i]), fail);
  return ORR_OK;
fail:
  data_import_paths_release(out);
  return rc;
}

data_import_claim data_import_paths_claim(const data_import_paths *p, data_path_kind kind,
                                          const char **first) {
  for (int64_t i = 0; i < p->n; i++) {
    if (p->v[i].kind != kind) continue;
    *first = p->v[i].path;
    return DATA_CLAIM_FILES;
  }
  return DATA_CLAIM_NONE;
}

void data_import_paths_cut(data_import_paths *p, int64_t n) {
  for (int64_t i = n; i < p->n; i++) orr_free(p->v[i].path);
  if (n < p->n) p->n = n;
}

void data_import_paths_release(data_import_paths *p) {
  data_import_paths_cut(p, 0);
  orr_free(p->v);
  *p = (data_import_paths){0};
}
