// Making index.json of the shards in a folder: the other half of data/set/index.c.
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sort.h"
#include "data/set/index.h"
#include "data/shard/format.h"

void data_shard_name(char out[DATA_SHARD_NAME_MAX], int64_t number) {
  snprintf(out, DATA_SHARD_NAME_MAX, "shard-%05" PRId64 ".h5", number);
}

orr_code data_shard_name_in(const char *dir, int64_t number, char *out, size_t size) {
  char name[DATA_SHARD_NAME_MAX];
  data_shard_name(name, number);
  return orr_fs_join(out, size, dir, name);
}

typedef struct {
  int64_t *v;
  int64_t n, room;
} numbers;

static orr_code numbers_add(numbers *a, const char *dir, int64_t value) {
  if (a->n == a->room) {
    int64_t room = a->room ? 2 * a->room : 64;
    int64_t *v = orr_realloc(a->v, (size_t)room * sizeof *v);
    ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory: cannot list its shards", dir);
    a->v = v;
    a->room = room;
  }
  a->v[a->n++] = value;
  return ORR_OK;
}

// The number in a shard's name, or -1 for any other name.
static int64_t shard_number(const char *name) {
  char again[DATA_SHARD_NAME_MAX];
  int64_t number = -1;
  if (sscanf(name, "shard-%9" SCNd64 ".h5", &number) != 1 || number < 0) return -1;
  data_shard_name(again, number);
  return strcmp(name, again) == 0 ? number : -1;
}

static orr_code list_shards(const char *dir, numbers *found) {
  orr_code rc = ORR_OK;
  DIR *d = opendir(dir);
  ORR_CHECK(d, errno == ENOENT ? ORR_ENOTFOUND : ORR_EIO, "%s: cannot list this folder: %s", dir,
            strerror(errno));
  for (struct dirent *e = readdir(d); e && rc == ORR_OK; e = readdir(d)) {
    int64_t number = shard_number(e->d_name);
    if (number >= 0) rc = numbers_add(found, dir, number);
  }
  closedir(d);
  ORR_TRY(rc);
  ORR_CHECK(found->n > 0, ORR_ENOTFOUND, "%s: no shard-*.h5 in this folder; write shards first",
            dir);
  orr_sort_i64(found->v, found->n);
  return ORR_OK;
}

// [[length, episodes of it], ...] by length. NULL when out of memory.
static json_t *length_list(const data_shard *s) {
  int64_t n = data_shard_episodes(s);
  const int64_t *offsets = data_shard_offsets(s);
  int64_t *lengths = orr_malloc((size_t)n * sizeof *lengths);
  json_t *list = lengths ? json_array() : NULL;
  for (int64_t e = 0; list && e < n; e++) lengths[e] = offsets[e + 1] - offsets[e];
  if (list) orr_sort_i64(lengths, n);
  for (int64_t e = 0, next; list && e < n; e = next) {
    for (next = e; next < n && lengths[next] == lengths[e];) next++;
    json_array_append_new(list, json_pack("[I,I]", (json_int_t)lengths[e], (json_int_t)(next - e)));
  }
  orr_free(lengths);
  return list;
}

static json_t *name_list(const char *const *names, int64_t n) {
  json_t *list = json_array();
  for (int64_t i = 0; i < n; i++) json_array_append_new(list, json_string(names[i]));
  return list;
}

static json_t *format_members(const data_shard_format *f) {
  json_t *j =
      json_pack("{s:i, s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:o, s:o}", "orrery_index",
                DATA_INDEX_VERSION, "branch", f->branch, "source", f->source, "fps", f->fps,
                "height", (json_int_t)f->height, "width", (json_int_t)f->width, "S",
                (json_int_t)f->S, "codes", (json_int_t)f->codes, "action_names",
                name_list(f->action_names, f->A), "state_names", name_list(f->state_names, f->Q));
  if (j && f->reward) json_object_set_new(j, "reward", json_true());
  if (j && f->done) json_object_set_new(j, "done", json_true());
  if (j && f->success) json_object_set_new(j, "success", json_true());
  if (j && f->views.n) json_object_set_new(j, "views", data_views_json(&f->views));
  return j;
}

typedef struct {
  data_shard_format *format; // the first shard's
  char first[DATA_SHARD_NAME_MAX];
  json_t *shards;
  uint64_t bytes;
  int64_t frames, episodes;
} building;

static orr_code add_shard(building *b, const char *dir, int64_t number) {
  char name[DATA_SHARD_NAME_MAX], path[ORR_PATH_MAX];
  data_shard *s = NULL;
  orr_hash128 hash;
  uint64_t bytes = 0;
  orr_code rc = ORR_OK;
  data_shard_name(name, number);
  ORR_TRY(orr_fs_join(path, sizeof path, dir, name));
  ORR_TRY(data_shard_open(path, &s));
  if (!b->format) {
    ORR_TRY_GOTO(data_shard_format_copy(data_shard_get_format(s), &b->format), close_shard);
    memcpy(b->first, name, sizeof name);
  }
  ORR_TRY_GOTO(data_shard_format_equal(b->format, b->first, data_shard_get_format(s), path),
               close_shard);
  ORR_TRY_GOTO(orr_hash_file(path, &hash, &bytes), close_shard);
  json_t *lengths = length_list(s);
  ORR_CHECK_GOTO(lengths, close_shard, ORR_ENOMEM, "%s: out of memory for its line in the index",
                 path);
  b->bytes += bytes;
  b->frames += data_shard_frames(s);
  b->episodes += data_shard_episodes(s);
  json_array_append_new(b->shards,
                        json_pack("{s:s, s:I, s:s, s:I, s:I, s:o}", "file", name, "bytes",
                                  (json_int_t)bytes, "xxh3_128", orr_hash_to_hex(hash).s, "frames",
                                  (json_int_t)data_shard_frames(s), "episodes",
                                  (json_int_t)data_shard_episodes(s), "lengths", lengths));
close_shard:
  data_shard_close(s);
  return rc;
}

orr_code data_index_build(const char *dir, const json_t *extra) {
  orr_path path;
  orr_code rc = ORR_OK;
  numbers found = {0};
  building b = {.shards = json_array()};
  json_t *top = NULL;
  ORR_TRY_GOTO(orr_fs_join(path, sizeof path, dir, DATA_INDEX_NAME), done);
  ORR_TRY_GOTO(list_shards(dir, &found), done);
  for (int64_t i = 0; i < found.n; i++) ORR_TRY_GOTO(add_shard(&b, dir, found.v[i]), done);
  top = format_members(b.format);
  ORR_CHECK_GOTO(top && b.shards && json_array_size(b.shards) == (size_t)found.n, done, ORR_ENOMEM,
                 "%s: out of memory for the index", path);
  json_object_set_new(top, "bytes", json_integer((json_int_t)b.bytes));
  json_object_set_new(top, "frames", json_integer(b.frames));
  json_object_set_new(top, "episodes", json_integer(b.episodes));
  json_object_set(top, "shards", b.shards);
  // jansson counts references even in what it only reads
  if (extra) json_object_update_missing(top, (json_t *)(uintptr_t)extra);
  rc = orr_json_store(path, top);
done:
  json_decref(top);
  json_decref(b.shards);
  orr_free(b.format);
  orr_free(found.v);
  return rc;
}
