#include "data/set/index.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/remote/set.h"
#include "data/shard/format.h"
#include "data/remote/url.h"

#define SHARD_BYTES_MAX (INT64_C(1) << 50) // sums of them do not overflow

typedef struct {
  data_index index;
  orr_path dir;
  json_t *json;
  data_shard_format *format;
  data_index_shard *shards;
  int64_t (*lengths)[2]; // of all shards, one after the other
} opened;

static orr_code read_names(const json_t *top, const char *path, const char *key,
                           const char ***names, int64_t *n) {
  json_t *list = NULL;
  ORR_TRY(orr_json_get_array(top, path, key, &list));
  *n = (int64_t)json_array_size(list);
  *names = orr_calloc((size_t)*n, sizeof **names);
  ORR_CHECK(*names, ORR_ENOMEM, "%s: out of memory for %s", path, key);
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
  f.reward = json_is_true(json_object_get(top, "reward"));
  f.done = json_is_true(json_object_get(top, "done"));
  f.success = json_is_true(json_object_get(top, "success"));
  const json_t *views = json_object_get(top, "views");
  if (views) ORR_TRY_GOTO(data_views_parse(views, path, &f.views), done);
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

// Reads the lengths of one shard after `lengths` and checks that they add up.
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
  ORR_CHECK(o->shards && o->lengths, ORR_ENOMEM, "%s: out of memory for %" PRId64 " shards", path,
            x->count);
  for (int64_t i = 0; i < x->count; i++) {
    data_index_shard *s = &o->shards[i];
    char what[ORR_PATH_MAX + 64];
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
  ORR_CHECK(version == DATA_INDEX_VERSION, ORR_EFORMAT,
            "%s: an index of version %" PRId64 ", wanted %d", path, version, DATA_INDEX_VERSION);
  ORR_TRY(read_format(o->json, path, &o->format));
  o->index.format = *o->format;
  ORR_TRY(orr_json_get_array(o->json, path, "shards", &list));
  ORR_TRY(read_shards(o, list, path));
  ORR_TRY(check_total(o->json, path, "bytes", (int64_t)o->index.bytes));
  ORR_TRY(check_total(o->json, path, "frames", o->index.frames));
  return check_total(o->json, path, "episodes", o->index.episodes);
}

static orr_code load_local(opened *o, const char *dir, char path[ORR_PATH_MAX]) {
  ORR_TRY(orr_fs_join(path, ORR_PATH_MAX, dir, DATA_INDEX_NAME));
  ORR_CHECK(orr_fs_exists(path), ORR_ENOTFOUND,
            "%s: %s; a data set is a folder with %s, which `orrery data generate`, `import`, "
            "`tokenize` and "
            "`verify --index` make",
            dir, orr_fs_is_dir(dir) ? "no " DATA_INDEX_NAME " in this folder" : "no such folder",
            DATA_INDEX_NAME);
  ORR_CHECK(strlen(dir) < sizeof o->dir, ORR_EINVAL, "%.64s...: a path too long", dir);
  memcpy(o->dir, dir, strlen(dir) + 1);
  return orr_json_load(path, &o->json);
}

static orr_code load_remote(opened *o, const char *where, data_remote *remote,
                            char path[ORR_PATH_MAX]) {
  char *text = NULL;
  size_t bytes = 0;
  ORR_TRY(data_remote_set_open(remote, where, &o->index.remote));
  snprintf(o->dir, sizeof o->dir, "%s", data_remote_set_address(o->index.remote));
  ORR_TRY(orr_fs_join(path, ORR_PATH_MAX, o->dir, DATA_INDEX_NAME));
  ORR_TRY(data_remote_set_fetch_index(o->index.remote, &text, &bytes));
  orr_code rc = orr_json_parse(path, text, bytes, &o->json);
  orr_free(text);
  return rc;
}

// Tells the remote set which files the index lists.
static orr_code list_remote(const data_index *x) {
  data_remote_file *files = orr_malloc((size_t)x->count * sizeof *files);
  ORR_CHECK(files, ORR_ENOMEM, "%s: out of memory for %" PRId64 " shards", x->dir, x->count);
  for (int64_t i = 0; i < x->count; i++) {
    const data_index_shard *s = &x->shards[i];
    files[i] = (data_remote_file){.name = s->file, .bytes = s->bytes, .hash = s->hash};
  }
  orr_code rc = data_remote_set_list(x->remote, files, x->count);
  orr_free(files);
  return rc;
}

orr_code data_index_open_from(const char *where, data_remote *remote, data_index **out) {
  orr_path path;
  orr_code rc = ORR_OK;
  opened *o = orr_calloc(1, sizeof *o);
  ORR_CHECK(o, ORR_ENOMEM, "%s: out of memory: cannot open it", where);
  o->index.dir = o->dir;
  rc = data_url_is(where) ? load_remote(o, where, remote, path) : load_local(o, where, path);
  if (rc != ORR_OK) goto fail;
  ORR_TRY_GOTO(read_index(o, path), fail);
  o->index.json = o->json;
  if (o->index.remote) ORR_TRY_GOTO(list_remote(&o->index), fail);
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
  orr_path path;
  int pin = -1;
  ORR_TRY(data_index_pin(x, i, path, sizeof path, &pin));
  orr_code rc = data_shard_open(path, out);
  if (rc == ORR_OK)
    data_shard_hold(*out, pin);
  else if (pin >= 0)
    close(pin);
  return rc;
}

orr_code data_index_want(const data_index *x, const data_remote_need *needs, int64_t count) {
  return x->remote ? data_remote_set_want(x->remote, needs, count) : ORR_OK;
}

orr_code data_index_want_in_order(const data_index *x, int64_t first) {
  if (!x->remote) return ORR_OK;
  data_remote_need *needs = orr_malloc((size_t)(x->count - first) * sizeof *needs);
  ORR_CHECK(needs, ORR_ENOMEM, "%s: out of memory: cannot order its shards", x->dir);
  for (int64_t i = first; i < x->count; i++)
    needs[i - first] = (data_remote_need){.shard = i, .need = (uint64_t)(i - first)};
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
