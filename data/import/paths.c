#include "data/import/paths.h"

#include <inttypes.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

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
    {".png", DATA_PATH_PICTURE},  {".jpg", DATA_PATH_PICTURE},     {".jpeg", DATA_PATH_PICTURE},
    {".m4v", DATA_PATH_VIDEO},
};

// The kind by a path's ending, or -1.
int data_import_path_kind(const char *path) {
  const char *dot = strrchr(path, '.');
  for (size_t i = 0; dot && i < sizeof kinds / sizeof *kinds; i++)
    if (strcasecmp(dot, kinds[i].ending) == 0) return (int)kinds[i].kind;
  return -1;
}

// What a walk through one operand needs.
typedef struct {
  data_import_paths *list;
  size_t below; // letters of a path before its name
  bool given;
  struct stat without; // of the folder that is passed over; st_ino 0: none
} walker;

static orr_code add(const walker *w, const char *path, int kind) {
  data_import_paths *list = w->list;
  if (list->n == list->room) {
    int64_t room = list->room ? 2 * list->room : 64;
    data_import_path *v = orr_realloc(list->v, (size_t)room * sizeof *v);
    ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory: cannot list %" PRId64 " files", path, room);
    list->v = v;
    list->room = room;
  }
  char *copy = orr_strdup(path);
  ORR_CHECK(copy, ORR_ENOMEM, "%s: out of memory: cannot list it", path);
  list->v[list->n++] = (data_import_path){(data_path_kind)kind, copy, copy + w->below, w->given};
  return ORR_OK;
}

static bool same_file(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static orr_code walk(const walker *w, const char *dir, int depth) {
  orr_code rc = ORR_OK;
  orr_path path;
  struct stat at;
  ORR_CHECK(depth < DEPTH_MAX, ORR_EINVAL,
            "%s: more than %d folders deep; is there a link to a folder above?", dir, DEPTH_MAX);
  DIR *d = opendir(dir);
  ORR_CHECK(d, ORR_EIO, "%s: cannot list this folder: %s", dir, strerror(errno));
  for (const struct dirent *entry; (entry = readdir(d));) {
    if (entry->d_name[0] == '.') continue;
    ORR_TRY_GOTO(orr_fs_join(path, sizeof path, dir, entry->d_name), close_dir);
    int kind = data_import_path_kind(path);
    if (kind >= 0)
      rc = add(w, path, kind);
    else if (stat(path, &at) == 0 && S_ISDIR(at.st_mode) && !same_file(&at, &w->without))
      rc = walk(w, path, depth + 1);
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

// The length of a path without its ending.
static size_t stem_length(const char *path) {
  const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
  return dot && (!slash || dot > slash) ? (size_t)(dot - path) : strlen(path);
}

static bool is_listed(const data_import_paths *list, const char *path) {
  for (int64_t i = 0; i < list->n; i++)
    if (strcmp(list->v[i].path, path) == 0) return true;
  return false;
}

// Tables of the folder of one file: of its name, or all of them.
static orr_code add_tables(const walker *w, const char *dir, const char *beside, bool all,
                           int64_t *found) {
  orr_path path;
  const size_t stem = stem_length(beside);
  const char *slash = strrchr(beside, '/');
  const size_t folder = slash ? (size_t)(slash + 1 - beside) : 0;
  orr_code rc = ORR_OK;
  DIR *d = opendir(dir);
  ORR_CHECK(d, ORR_EIO, "%s: cannot list this folder: %s", dir, strerror(errno));
  for (const struct dirent *entry; (entry = readdir(d));) {
    int kind = data_import_path_kind(entry->d_name);
    bool table = kind == DATA_PATH_TABLE || kind == DATA_PATH_PARQUET;
    bool same = stem_length(entry->d_name) == stem - folder &&
                strncmp(entry->d_name, beside + folder, stem - folder) == 0;
    if (!table || (!all && !same) || entry->d_name[0] == '.') continue;
    ORR_CHECK_GOTO(folder + strlen(entry->d_name) < sizeof path, close_dir, ORR_EINVAL,
                   "%s: a path of more than %d letters", beside, ORR_PATH_MAX);
    snprintf(path, sizeof path, "%.*s%s", (int)folder, beside, entry->d_name);
    if (!is_listed(w->list, path)) ORR_TRY_GOTO(add(w, path, kind), close_dir);
    ++*found;
  }
close_dir:
  closedir(d);
  return rc;
}

// A video that is named alone brings its table along: the one of its name, else what there is in
// its folder.
static orr_code add_tables_of(walker w, const char *video) {
  orr_path dir;
  const char *slash = strrchr(video, '/');
  int64_t found = 0;
  int n =
      snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash + 1 - video) : 1, slash ? video : ".");
  ORR_CHECK(n < (int)sizeof dir, ORR_EINVAL, "%s: a path of more than %d letters", video,
            ORR_PATH_MAX);
  w.given = false;
  ORR_TRY(add_tables(&w, dir, video, false, &found));
  return found ? ORR_OK : add_tables(&w, dir, video, true, &found);
}

static orr_code find_operand(data_import_paths *list, const char *operand, const char *without) {
  size_t length = strlen(operand);
  int64_t before = list->n;
  walker w = {.list = list};
  if (!without || stat(without, &w.without) != 0) w.without = (struct stat){0};
  if (orr_fs_is_dir(operand)) {
    w.below = length + (length > 0 && operand[length - 1] != '/');
    ORR_TRY(walk(&w, operand, 0));
    if (list->n > before)
      qsort(list->v + before, (size_t)(list->n - before), sizeof *list->v, by_path);
    return ORR_OK;
  }
  ORR_CHECK(orr_fs_exists(operand), ORR_ENOTFOUND, "%s: no such file or folder", operand);
  const char *slash = strrchr(operand, '/');
  const int kind = data_import_path_kind(operand);
  ORR_CHECK(kind >= 0 && kind != DATA_PATH_PICTURE, ORR_EINVAL,
            "%s: wanted a folder (of recordings, or of pictures), .h5 or .hdf5, or .mp4, .mov, "
            ".mkv, .webm, .avi with .csv, .jsonl "
            "or .parquet beside it",
            operand);
  w.below = slash ? (size_t)(slash + 1 - operand) : 0;
  w.given = true;
  ORR_TRY(add(&w, operand, kind));
  return kind == DATA_PATH_VIDEO ? add_tables_of(w, operand) : ORR_OK;
}

// -- each file once -------------------------------------------------------------------------

typedef struct {
  struct stat file;
  bool linked; // a link lies on the way from the operand to it
  int64_t number;
} identity;

// Whether a path below its operand leads through a link.
bool data_import_path_is_linked(const data_import_path *p) {
  char real[ORR_PATH_MAX], real_root[ORR_PATH_MAX], *root = data_import_path_root(p);
  const bool known = root && realpath(root, real_root) && realpath(p->path, real);
  orr_free(root);
  if (!known) return false;
  size_t prefix = strlen(real_root);
  return strncmp(real, real_root, prefix) != 0 ||
         strcmp(real + prefix + (real[prefix] == '/'), p->name) != 0;
}

static int by_identity(const void *a, const void *b) {
  const identity *x = a, *y = b;
  if (x->file.st_dev != y->file.st_dev) return x->file.st_dev < y->file.st_dev ? -1 : 1;
  if (x->file.st_ino != y->file.st_ino) return x->file.st_ino < y->file.st_ino ? -1 : 1;
  if (x->linked != y->linked) return x->linked ? 1 : -1;
  return x->number < y->number ? -1 : x->number > y->number;
}

// Leaves one path to each recording: one without links, else the first. Several recordings may
// share a table; pictures count by their folders (data/import/formats/images.c).
static orr_code drop_again(data_import_paths *list) {
  identity *v = orr_calloc((size_t)list->n + 1, sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "out of memory: cannot compare %" PRId64 " files", list->n);
  for (int64_t i = 0; i < list->n; i++) {
    v[i].number = i;
    const data_path_kind kind = list->v[i].kind;
    bool part = kind == DATA_PATH_TABLE || kind == DATA_PATH_PARQUET || kind == DATA_PATH_PICTURE;
    if (part || stat(list->v[i].path, &v[i].file) != 0)
      v[i].file = (struct stat){.st_ino = (ino_t)-1 - (ino_t)i}; // like no other
    else
      v[i].linked = data_import_path_is_linked(&list->v[i]);
  }
  if (list->n > 1) qsort(v, (size_t)list->n, sizeof *v, by_identity);
  for (int64_t i = 1; i < list->n; i++) {
    if (!same_file(&v[i].file, &v[i - 1].file)) continue;
    orr_free(list->v[v[i].number].path);
    list->v[v[i].number].path = NULL;
    list->again++;
  }
  int64_t kept = 0;
  for (int64_t i = 0; i < list->n; i++)
    if (list->v[i].path) list->v[kept++] = list->v[i];
  list->n = kept;
  orr_free(v);
  return ORR_OK;
}

orr_code data_import_paths_find(data_words operands, const char *without, data_import_paths *out) {
  orr_code rc = ORR_OK;
  *out = (data_import_paths){0};
  for (int64_t i = 0; i < operands.n; i++)
    ORR_TRY_GOTO(find_operand(out, operands.v[i], without), fail);
  ORR_TRY_GOTO(drop_again(out), fail);
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

char *data_import_path_root(const data_import_path *p) {
  const int n = (int)(p->name - p->path);
  return n ? orr_format("%.*s", n, p->path) : orr_strdup(".");
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
