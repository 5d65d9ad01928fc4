#include "data/index.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/remote_set.h"
#include "data/shard_format.h"
#include "data/url.h"

#define INDEX_VERSION   1
#define INDEX_NAME      "index.json"
#define PATH_MAX_BYTES  4096
#define SHARD_BYTES_MAX (INT64_C(1) << 50) // sums of them do not overflow

void data_shard_name(char out[DATA_SHARD_NAME_MAX], int64_t number) {
  snprintf(out, DATA_SHARD_NAME_MAX, "shard-%05" PRId64 ".h5", number);
}

// -- building --------------------------------------------------------------------------------

typedef struct {
  int64_t *v;
  int64_t n, room;
} numbers;

static orr_code numbers_add(numbers *a, const char *dir, int64_t value) {
  if (a->n == a->room) {
    int64_t room = a->room ? 2 * a->room : 64;
    int64_t *v = orr_realloc(a->v, (size_t)room * sizeof *v);
    ORR_CHECK(v, ORR_ENOMEM, "%s: no memory to list its shards", dir);
    a->v = v;
    a->room = room;
  }
  a->v[a->n++] = value;
  return ORR_OK;
}

static int by_value(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
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
  qsort(found->v, (size_t)found->n, sizeof *found->v, by_value);
  return ORR_OK;
}

// [[length, episodes of it], ...] by length. NULL when out of memory.
static json_t *length_list(const data_shard *s) {
  int64_t n = data_shard_episodes(s);
  const int64_t *offsets = data_shard_offsets(s);
  int64_t *lengths = orr_malloc((size_t)n * sizeof *lengths);
  json_t *list = lengths ? json_array() : NULL;
  for (int64_t e = 0; list && e < n; e++) lengths[e] = offsets[e + 1] - offsets[e];
  if (list) qsort(lengths, (size_t)n, sizeof *lengths, by_value);
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
  return json_pack("{s:i, s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:o, s:o}", "orrery_index",
                   INDEX_VERSION, "branch", f->branch, "source", f->source, "fps", f->fps, "height",
                   (json_int_t)f->height, "width", (json_int_t)f->width, "S", (json_int_t)f->S,
                   "codes", (json_int_t)f->codes, "action_names", name_list(f->action_names, f->A),
                   "state_names", name_list(f->state_names, f->Q));
}

typedef struct {
  data_shard_format *format; // the first shard's
  char first[DATA_SHARD_NAME_MAX];
  json_t *shards;
  uint64_t bytes;
  int64_t frames, episodes;
} building;

static orr_code add_shard(building *b, const char *dir, int64_t number) {
  char name[DATA_SHARD_NAME_MAX], path[PATH_MAX_BYTES];
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
  ORR_CHECK_GOTO(lengths, close_shard, ORR_ENOMEM, "%s: no memory for its line in the index", path);
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
  char path[PATH_MAX_BYTES];
  orr_code rc = ORR_OK;
  numbers found = {0};
  building b = {.shards = json_array()};
  json_t *top = NULL;
  ORR_TRY_GOTO(orr_fs_join(path, sizeof path, dir, INDEX_NAME), done);
  ORR_TRY_GOTO(list_shards(dir, &found), done);
  for (int64_t i = 0; i < found.n; i++) ORR_TRY_GOTO(add_shard(&b, dir, found.v[i]), done);
  top = format_members(b.format);
  ORR_CHECK_GOTO(top && b.shards && json_array_size(b.shards) == (size_t)found.n, done, ORR_ENOMEM,
                 "%s: no memory for the index", path);
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

// -- reading ---------------------------------------------------------------------------------

typedef struct {
  data_index index;
  char dir[PATH_MAX_BYTES];
  json_t *json;
  data_shard_format *format;
  data_index_shard *shards;
  int64_t (*lengths)[2]; // of all shards, one behind the other
} opened;

static orr_code read_names(const json_t *top, const char *path, const char *key,
                           const char ***names, int64_t *n) {
  json_t *list = NULL;
  ORR_TRY(orr_json_get_array(top, path, key, &list));
  *n = (int64_t)json_array_size(list);
  *names = orr_calloc((size_t)*n, sizeof **names);
  ORR_CHECK(*names, ORR_ENOMEM, "%s: no memory for %s", path, key);
  for (int64_t i = 0; i < *n; i++) {
    (*names)[i] = json_string_value(json_array_get(list, (size_t)i));
    ORR_CHECK((*names)[i], ORR_EFORMAT, "%s: %s[%" PRId64 "] is not text", path, key, i);
  }
  return ORR_OK;
}

static orr_code read_format(const json_t *top, const char *path, data_shard_format **out) {
  data_shard_format f = {0};
  const char **action_names = NULL, **state_names = NULL;
  orr_code rc = ORR_OK;
  ORR_TRY(orr_json_get_str(top, path, "branch", &f.branch));
  ORR_TRY(orr_json_get_str(top, path, "source", &f.source));
  ORR_TRY(orr_json_get_f64(top, path, "fps", &f.fps));
  ORR_TRY(orr_json_get_i64(top, path, "height", &f.height));
  ORR_TRY(orr_json_get_i64(top, path, "width", &f.width));
  ORR_TRY(orr_json_get_i64(top, path, "S", &f.S));
  ORR_TRY(orr_json_get_i64(top, path, "codes", &f.codes));
  ORR_TRY_GOTO(read_names(top, path, "action_names", &action_names, &f.A), done);
  ORR_TRY_GOTO(read_names(top, path, "state_names", &state_names, &f.Q), done);
  f.action_names = action_names;
  f.state_names = state_names;
  rc = data_shard_format_check(&f, path);
  if (rc == ORR_EINVAL) rc = ORR_EFORMAT; // bytes from outside, not an argument
  if (rc == ORR_OK) rc = data_shard_format_copy(&f, out);
done:
  orr_free(state_names);
  orr_free(action_names);
  return rc;
}

// Reads the lengths of one shard behind `lengths` and checks that they add up.
static orr_code read_lengths(const json_t *list, const char *what, const data_index_shard *s,
                             int64_t (*lengths)[2]) {
  int64_t frames = 0, episodes = 0;
  for (int64_t i = 0; i < s->length_count; i++) {
    const json_t *pair = json_array_get(list, (size_t)i);
    int64_t length = json_integer_value(json_array_get(pair, 0));
    int64_t count = json_integer_value(json_array_get(pair, 1));
    ORR_CHECK(length >= 1 && count >= 1 && count <= s->frames / length, ORR_EFORMAT,
              "%s: lengths[%" PRId64 "] is not [frames of an episode, episodes of that length]",
              what, i);
    lengths[i][0] = length;
    lengths[i][1] = count;
    frames += length * count;
    episodes += count;
  }
  ORR_CHECK(frames == s->frames && episodes == s->episodes, ORR_EFORMAT,
            "%s: lengths add up to %" PRId64 " frames of %" PRId64 " episodes, wanted %" PRId64
            " of %" PRId64 "; build the index again",
            what, frames, episodes, s->frames, s->episodes);
  return ORR_OK;
}

static orr_code read_shard(const json_t *entry, const char *what, data_index_shard *s,
                           json_t **lengths) {
  const char *hex = NULL;
  int64_t bytes = 0;
  ORR_CHECK(json_is_object(entry), ORR_EFORMAT, "%s: not an object", what);
  ORR_TRY(orr_json_get_str(entry, what, "file", &s->file));
  ORR_CHECK(data_url_is_name(s->file), ORR_EFORMAT,
            "%s: file is '%.200s', wanted a name inside the folder: letters, digits, '.', '_', '-'",
            what, s->file);
  ORR_TRY(orr_json_get_i64(entry, what, "bytes", &bytes));
  ORR_TRY(orr_json_get_str(entry, what, "xxh3_128", &hex));
  ORR_CHECK(orr_hash_from_hex(hex, &s->hash) == ORR_OK, ORR_EFORMAT,
            "%s: xxh3_128 is '%s', wanted 32 hex digits", what, hex);
  ORR_TRY(orr_json_get_i64(entry, what, "frames", &s->frames));
  ORR_TRY(orr_json_get_i64(entry, what, "episodes", &s->episodes));
  ORR_CHECK(bytes > 0 && bytes <= SHARD_BYTES_MAX && s->episodes > 0 && s->episodes <= s->frames &&
                s->frames <= DATA_SHARD_FRAMES_MAX,
            ORR_EFORMAT,
            "%s: %" PRId64 " bytes, %" PRId64 " frames, %" PRId64
            " episodes; wanted at least 1 of each and a frame for each episode",
            what, bytes, s->frames, s->episodes);
  s->bytes = (uint64_t)bytes;
  ORR_TRY(orr_json_get_array(entry, what, "lengths", lengths));
  s->length_count = (int64_t)json_array_size(*lengths);
  return ORR_OK;
}

static orr_code read_shards(opened *o, const json_t *list, const char *path) {
  data_index *x = &o->index;
  json_t *lengths = NULL;
  int64_t total = 0, at = 0;
  x->count = (int64_t)json_array_size(list);
  ORR_CHECK(x->count > 0, ORR_EFORMAT, "%s: lists no shard; build the index again", path);
  o->shards = orr_calloc((size_t)x->count, sizeof *o->shards);
  for (int64_t i = 0; i < x->count; i++) {
    const json_t *entry = json_array_get(list, (size_t)i);
    total += (int64_t)json_array_size(json_object_get(entry, "lengths"));
  }
  o->lengths = orr_calloc((size_t)total, sizeof *o->lengths);
  ORR_CHECK(o->shards && o->lengths, ORR_ENOMEM, "%s: no memory for %" PRId64 " shards", path,
            x->count);
  for (int64_t i = 0; i < x->count; i++) {
    data_index_shard *s = &o->shards[i];
    char what[PATH_MAX_BYTES + 64];
    snprintf(what, sizeof what, "%s: shards[%" PRId64 "]", path, i);
    ORR_TRY(read_shard(json_array_get(list, (size_t)i), what, s, &lengths));
    s->lengths = o->lengths + at;
    ORR_TRY(read_lengths(lengths, what, s, o->lengths + at));
    at += s->length_count;
    x->bytes += s->bytes;
    x->frames += s->frames;
    x->episodes += s->episodes;
  }
  x->shards = o->shards;
  return ORR_OK;
}

static orr_code check_total(const json_t *top, const char *path, const char *key, int64_t sum) {
  int64_t got = 0;
  ORR_TRY(orr_json_get_i64(top, path, key, &got));
  ORR_CHECK(got == sum, ORR_EFORMAT,
            "%s: %s is %" PRId64 ", but its shards add up to %" PRId64 "; build the index again",
            path, key, got, sum);
  return ORR_OK;
}

static orr_code read_index(opened *o, const char *path) {
  json_t *list = NULL;
  int64_t version = 0;
  ORR_TRY(orr_json_get_i64(o->json, path, "orrery_index", &version));
  ORR_CHECK(version == INDEX_VERSION, ORR_EFORMAT, "%s: an index of version %" PRId64 ", wanted %d",
            path, version, INDEX_VERSION);
  ORR_TRY(read_format(o->json, path, &o->format));
  o->index.format = *o->format;
  ORR_TRY(orr_json_get_array(o->json, path, "shards", &list));
  ORR_TRY(read_shards(o, list, path));
  ORR_TRY(check_total(o->json, path, "bytes", (int64_t)o->index.bytes));
  ORR_TRY(check_total(o->json, path, "frames", o->index.frames));
  return check_total(o->json, path, "episodes", o->index.episodes);
}

static orr_code load_local(opened *o, const char *dir, char path[PATH_MAX_BYTES]) {
  ORR_TRY(orr_fs_join(path, PATH_MAX_BYTES, dir, INDEX_NAME));
  ORR_CHECK(orr_fs_exists(path), ORR_ENOTFOUND,
            "%s: %s; a data set is a folder with %s, which `orrery data generate`, `tokenize` and "
            "`verify --index` make",
            dir, orr_fs_is_dir(dir) ? "no " INDEX_NAME " in this folder" : "no such folder",
            INDEX_NAME);
  ORR_CHECK(strlen(dir) < sizeof o->dir, ORR_EINVAL, "%.64s...: a path too long", dir);
  memcpy(o->dir, dir, strlen(dir) + 1);
  return orr_json_load(path, &o->json);
}

static orr_code load_remote(opened *o, const char *where, data_remote *remote,
                            char path[PATH_MAX_BYTES]) {
  char *text = NULL;
  size_t bytes = 0;
  ORR_TRY(data_remote_set_open(remote, where, &o->index.remote));
  snprintf(o->dir, sizeof o->dir, "%s", data_remote_set_address(o->index.remote));
  ORR_TRY(orr_fs_join(path, PATH_MAX_BYTES, o->dir, INDEX_NAME));
  ORR_TRY(data_remote_set_fetch_index(o->index.remote, &text, &bytes));
  orr_code rc = orr_json_parse(path, text, bytes, &o->json);
  orr_free(text);
  return rc;
}

orr_code data_index_open_from(const char *where, data_remote *remote, data_index **out) {
  char path[PATH_MAX_BYTES];
  orr_code rc = ORR_OK;
  opened *o = orr_calloc(1, sizeof *o);
  ORR_CHECK(o, ORR_ENOMEM, "%s: no memory to open it", where);
  o->index.dir = o->dir;
  rc = data_url_is(where) ? load_remote(o, where, remote, path) : load_local(o, where, path);
  if (rc != ORR_OK) goto fail;
  ORR_TRY_GOTO(read_index(o, path), fail);
  o->index.json = o->json;
  if (o->index.remote)
    ORR_TRY_GOTO(data_remote_set_list(o->index.remote, o->shards, o->index.count), fail);
  *out = &o->index;
  return ORR_OK;
fail:
  data_index_close(&o->index);
  return rc;
}

orr_code data_index_open(const char *dir, data_index **out) {
  return data_index_open_from(dir, NULL, out);
}

void data_index_close(data_index *x) {
  opened *o = (opened *)x; // its first member
  if (!o) return;
  data_remote_set_close(o->index.remote);
  orr_free(o->lengths);
  orr_free(o->shards);
  orr_free(o->format);
  json_decref(o->json);
  orr_free(o);
}

orr_code data_index_pin(const data_index *x, int64_t i, char *path, size_t size, int *pin) {
  *pin = -1;
  if (x->remote) return data_remote_set_pin(x->remote, i, path, size, pin);
  return orr_fs_join(path, size, x->dir, x->shards[i].file);
}

orr_code data_index_open_shard(const data_index *x, int64_t i, data_shard **out) {
  char path[PATH_MAX_BYTES];
  int pin = -1;
  ORR_TRY(data_index_pin(x, i, path, sizeof path, &pin));
  orr_code rc = data_shard_open(path, out);
  if (rc == ORR_OK)
    data_shard_hold(*out, pin);
  else if (pin >= 0)
    close(pin);
  return rc;
}

orr_code data_index_want(const data_index *x, const data_index_need *needs, int64_t count) {
  return x->remote ? data_remote_set_want(x->remote, needs, count) : ORR_OK;
}

orr_code data_index_want_in_order(const data_index *x, int64_t first) {
  if (!x->remote) return ORR_OK;
  data_index_need *needs = orr_malloc((size_t)(x->count - first) * sizeof *needs);
  ORR_CHECK(needs, ORR_ENOMEM, "%s: no memory to order its shards", x->dir);
  for (int64_t i = first; i < x->count; i++)
    needs[i - first] = (data_index_need){.shard = i, .need = (uint64_t)(i - first)};
  orr_code rc = data_index_want(x, needs, x->count - first);
  orr_free(needs);
  return rc;
}

int64_t data_index_clips(const data_index *x, int64_t i, int64_t T, int64_t stride) {
  const data_index_shard *s = &x->shards[i];
  int64_t span = (T - 1) * stride, clips = 0;
  for (int64_t k = 0; k < s->length_count; k++) {
    if (s->lengths[k][0] > span) clips += (s->lengths[k][0] - span) * s->lengths[k][1];
  }
  return clips;
}
