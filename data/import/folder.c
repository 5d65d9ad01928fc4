#include "data/import/folder.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

#define MARK "import.json"

static const char *const part_names[2] = {"train", "validation"};

// -- what is there --------------------------------------------------------------------------

static orr_code load(const char *dir, const char *name, json_t **out) {
  orr_path path;
  *out = NULL;
  ORR_TRY(orr_fs_join(path, sizeof path, dir, name));
  return orr_fs_exists(path) ? orr_json_load(path, out) : ORR_OK;
}

// What a killed import was writing: this one may write it as another shard, or not at all.
static void sweep(const char *dir) {
  orr_path path;
  orr_fs_sweep(dir, NULL);
  DIR *d = opendir(dir);
  if (!d) return;
  for (const struct dirent *entry; (entry = readdir(d));) {
    const size_t n = strlen(entry->d_name);
    if (n > 7 && strncmp(entry->d_name, "shard-", 6) == 0 &&
        strcmp(entry->d_name + n - 7, ".h5.tmp") == 0 &&
        orr_fs_join(path, sizeof path, dir, entry->d_name) == ORR_OK)
      unlink(path);
  }
  closedir(d);
}

// Clips in a folder without an index, or shards that it does not list, would become part of the
// set.
static orr_code check_strays(const data_import_part *p) {
  orr_code rc = ORR_OK;
  DIR *d = opendir(p->dir);
  if (!d && errno == ENOENT) return ORR_OK;
  ORR_CHECK(d, ORR_EIO, "%s: cannot list this folder: %s", p->dir, strerror(errno));
  for (const struct dirent *entry; (entry = readdir(d));) {
    int64_t number = -1;
    char name[DATA_SHARD_NAME_MAX];
    if (sscanf(entry->d_name, "shard-%9" SCNd64 ".h5", &number) != 1 || number < 0) continue;
    data_shard_name(name, number);
    ORR_CHECK_GOTO(strcmp(name, entry->d_name) != 0 || number < p->next, close_dir, ORR_EINVAL,
                   "%s: already holds clips (%s) that no import has listed; choose another folder",
                   p->dir, entry->d_name);
  }
close_dir:
  closedir(d);
  return rc;
}

// One more than the highest number of the shards in an index.
static int64_t next_shard(const data_index *x) {
  int64_t next = 0, number = 0;
  for (int64_t i = 0; x && i < x->count; i++)
    if (sscanf(x->shards[i].file, "shard-%9" SCNd64 ".h5", &number) == 1 && number >= next)
      next = number + 1;
  return next;
}

static const json_t *recordings_of(const data_index *x) {
  return x ? json_object_get(x->json, "recordings") : NULL;
}

static orr_code open_index(const char *dir, data_index **out) {
  orr_path path;
  *out = NULL;
  ORR_TRY(orr_fs_join(path, sizeof path, dir, DATA_INDEX_NAME));
  return orr_fs_exists(path) ? data_index_open(dir, out) : ORR_OK;
}

static orr_code read_part(data_import_folder *f, int i) {
  data_import_part *p = &f->parts[i];
  const json_t *before = json_object_get(json_object_get(f->mark, "before"), part_names[i]);
  ORR_TRY(open_index(p->dir, &p->index));
  const json_t *recordings = recordings_of(p->index);
  ORR_CHECK(!p->index || json_is_array(recordings), ORR_EINVAL,
            "%s: already holds clips, and its index.json does not say which recordings they are of "
            "(an import of this version would); choose another folder",
            p->dir);
  p->recordings = (int64_t)json_array_size(recordings);
  p->next = next_shard(p->index);
  if (f->mark) { // the index may be newer than the state that the unfinished import began from
    p->recordings = json_integer_value(json_object_get(before, "recordings"));
    p->next = json_integer_value(json_object_get(before, "shards"));
    ORR_CHECK(p->recordings >= 0 && p->recordings <= (int64_t)json_array_size(recordings),
              ORR_EFORMAT, "%s/" MARK ": is damaged; remove the folder and import again",
              f->o->dir);
    return ORR_OK;
  }
  return check_strays(p);
}

// A folder is split, always in the same way, or it is not.
static orr_code check_shape(const data_import_folder *f) {
  orr_path other;
  const bool split = f->o->validation > 0;
  ORR_TRY(orr_fs_join(other, sizeof other, f->o->dir,
                      split ? DATA_INDEX_NAME : "train/" DATA_INDEX_NAME));
  ORR_CHECK(!orr_fs_exists(other), ORR_EINVAL,
            split ? "%s: holds a data set without a validation part; import without --validation, "
                    "or into another folder"
                  : "%s: holds a data set with a validation part; give the same --validation, or "
                    "another folder",
            f->o->dir);
  const data_index *x = data_import_folder_index(f);
  const json_t *import = x ? json_object_get(x->json, "import") : NULL;
  const double share = json_number_value(json_object_get(import, "validation"));
  const int64_t seed = json_integer_value(json_object_get(import, "seed"));
  ORR_CHECK(!import || !split || (share == f->o->validation && seed == (int64_t)f->o->seed),
            ORR_EINVAL,
            "%s: was split with --validation %g --seed %" PRId64
            "; give the same, so that recordings stay where they are",
            f->o->dir, share, seed);
  return ORR_OK;
}

static int by_key(const void *a, const void *b) {
  const data_import_known *x = a, *y = b;
  return x->key < y->key ? -1 : x->key > y->key;
}

static int by_content(const void *a, const void *b) {
  const data_import_known *x = a, *y = b;
  return x->content < y->content ? -1 : x->content > y->content;
}

static uint64_t hex_value(const json_t *entry, const char *key) {
  const char *text = json_string_value(json_object_get(entry, key));
  return text ? strtoull(text, NULL, 16) : 0;
}

static orr_code list_known(data_import_folder *f) {
  const int64_t n = f->parts[0].recordings + f->parts[1].recordings;
  f->known = orr_calloc((size_t)n + 1, sizeof *f->known);
  f->alike = orr_calloc((size_t)n + 1, sizeof *f->alike);
  ORR_CHECK(f->known && f->alike, ORR_ENOMEM, "%s: out of memory for its %" PRId64 " recordings",
            f->o->dir, n);
  for (int i = 0; i < 2; i++) {
    const json_t *list = recordings_of(f->parts[i].index);
    for (int64_t k = 0; k < f->parts[i].recordings; k++) {
      const json_t *entry = json_array_get(list, (size_t)k);
      const char *name = json_string_value(json_object_get(entry, "name"));
      f->known[f->known_count++] = (data_import_known){.key = hex_value(entry, "key"),
                                                       .made = hex_value(entry, "made"),
                                                       .content = hex_value(entry, "content"),
                                                       .files = hex_value(entry, "files"),
                                                       .name = name ? name : "?"};
    }
  }
  if (n > 0) memcpy(f->alike, f->known, (size_t)n * sizeof *f->known);
  if (n > 1) qsort(f->known, (size_t)n, sizeof *f->known, by_key);
  if (n > 1) qsort(f->alike, (size_t)n, sizeof *f->alike, by_content);
  return ORR_OK;
}

// -- opening and closing --------------------------------------------------------------------

static orr_code name_parts(data_import_folder *f) {
  const bool split = f->o->validation > 0;
  for (int i = 0; i < 2; i++)
    ORR_TRY(orr_fs_join(f->parts[i].dir, sizeof f->parts[i].dir, f->o->dir,
                        split ? part_names[i] : ""));
  return ORR_OK;
}

orr_code data_import_folder_open(const data_import_options *o, data_import_folder *f) {
  *f = (data_import_folder){.o = o, .made = !orr_fs_exists(o->dir)};
  ORR_TRY(name_parts(f));
  ORR_TRY(orr_fs_mkdirs(o->dir));
  ORR_TRY(orr_lock_take(o->dir, "orrery data import", &f->lock));
  ORR_TRY(load(o->dir, MARK, &f->mark));
  ORR_TRY(read_part(f, 0));
  if (o->validation > 0) ORR_TRY(read_part(f, 1));
  ORR_TRY(check_shape(f));
  return list_known(f);
}

void data_import_folder_close(data_import_folder *f) {
  for (int i = 0; i < 2; i++) orr_lock_release(f->parts[i].lock);
  orr_lock_release(f->lock);
  if (f->made) rmdir(f->o->dir);
  for (int i = 0; i < 2; i++) data_index_close(f->parts[i].index);
  json_decref(f->mark);
  orr_free(f->alike);
  orr_free(f->known);
  *f = (data_import_folder){.o = NULL};
}

const data_import_known *data_import_folder_find(const data_import_folder *f, uint64_t key) {
  const data_import_known wanted = {.key = key};
  return f->known_count
             ? bsearch(&wanted, f->known, (size_t)f->known_count, sizeof *f->known, by_key)
             : NULL;
}

const data_import_known *data_import_folder_alike(const data_import_folder *f, uint64_t content,
                                                  int64_t *n) {
  int64_t first = 0, beyond = f->known_count; // the first one that is not less
  while (first < beyond) {
    const int64_t middle = first + (beyond - first) / 2;
    if (f->alike[middle].content < content)
      first = middle + 1;
    else
      beyond = middle;
  }
  *n = 0;
  while (first + *n < f->known_count && f->alike[first + *n].content == content) ++*n;
  return f->alike + first;
}

const data_index *data_import_folder_index(const data_import_folder *f) {
  for (int i = 0; i < 2; i++)
    if (f->parts[i].index && f->parts[i].recordings) return f->parts[i].index;
  return NULL;
}

// -- beginning and ending -------------------------------------------------------------------

static json_t *describe_part(const data_import_part *p) {
  return json_pack("{s:I, s:I}", "recordings", (json_int_t)p->recordings, "shards",
                   (json_int_t)p->next);
}

orr_code data_import_folder_begin(data_import_folder *f, const char *key) {
  orr_path path;
  const char *begun = json_string_value(json_object_get(f->mark, "key"));
  ORR_CHECK(!f->mark || (begun && strcmp(begun, key) == 0), ORR_EINVAL,
            "%s: another import was begun here, of other recordings or with other options; give "
            "those again to go on, choose another folder, or remove this one",
            f->o->dir);
  f->made = false;
  for (int i = 0; i < 2; i++) ORR_TRY(orr_fs_mkdirs(f->parts[i].dir));
  for (int i = 0; i < 2 && f->o->validation > 0; i++)
    ORR_TRY(orr_lock_take(f->parts[i].dir, "orrery data import", &f->parts[i].lock));
  for (int i = 0; i < 2; i++) sweep(f->parts[i].dir);
  if (f->mark) return ORR_OK;
  f->mark = json_pack("{s:s, s:{s:o, s:o}}", "key", key, "before", part_names[0],
                      describe_part(&f->parts[0]), part_names[1], describe_part(&f->parts[1]));
  ORR_CHECK(f->mark, ORR_ENOMEM, "%s: out of memory for " MARK, f->o->dir);
  ORR_TRY(orr_fs_join(path, sizeof path, f->o->dir, MARK));
  return orr_json_store(path, f->mark);
}

orr_code data_import_folder_end(data_import_folder *f) {
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof path, f->o->dir, MARK));
  ORR_TRY(orr_fs_remove_tree(path));
  return orr_fs_fsync_dir(f->o->dir);
}
