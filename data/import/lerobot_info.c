// meta/info.json of a LeRobot data set.
#define _GNU_SOURCE // memmem
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/import/lerobot.h"

#define INFO "meta/info.json"

// Templates, where a data set does not give them.
static const char *const data_paths[] = {
    [2] = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    [3] = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"};
static const char *const video_paths[] = {
    [2] = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    [3] = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"};

static const char *text_or(const json_t *info, const char *key, const char *usual) {
  const char *text = json_string_value(json_object_get(info, key));
  return text ? text : usual;
}

static orr_code read_info(data_lerobot *l, const char *path) {
  json_t *features;
  ORR_TRY(orr_json_load(path, &l->info));
  const char *version = text_or(l->info, "codebase_version", "");
  l->version = (int)strtol(version + (version[0] == 'v'), NULL, 10);
  ORR_CHECK(l->version == 2 || l->version == 3, ORR_EUNSUPPORTED,
            "%s: LeRobot's format %s; 2.0, 2.1 and 3.0 are read: convert it with LeRobot's own "
            "tools",
            path, version[0] ? version : "without a version");
  ORR_TRY(orr_json_get_f64(l->info, path, "fps", &l->fps));
  ORR_TRY(orr_json_get_object(l->info, path, "features", &features));
  ORR_CHECK(l->fps > 0, ORR_EFORMAT, "%s: fps is %g, wanted a number above 0", path, l->fps);
  const json_t *size = json_object_get(l->info, "chunks_size");
  l->chunk_size =
      json_is_integer(size) && json_integer_value(size) > 0 ? json_integer_value(size) : 1000;
  l->data_path = text_or(l->info, "data_path", data_paths[l->version]);
  l->video_path = text_or(l->info, "video_path", video_paths[l->version]);
  return ORR_OK;
}

orr_code data_lerobot_open(const char *root, size_t below, data_lerobot *out) {
  orr_path path;
  *out = (data_lerobot){.root = orr_strdup(root)};
  ORR_CHECK(out->root, ORR_ENOMEM, "%s: out of memory: cannot read it", root);
  out->name = out->root + below;
  orr_code rc = orr_fs_join(path, sizeof path, root, INFO);
  if (rc == ORR_OK) rc = read_info(out, path);
  if (rc != ORR_OK) data_lerobot_close(out);
  return rc;
}

void data_lerobot_close(data_lerobot *l) {
  json_decref(l->info);
  orr_free(l->root);
  *l = (data_lerobot){0};
}

// One {word} of a template, which may say how many digits: {episode_index:06d}.
static int put_word(const char *word, size_t letters, int64_t chunk, int64_t number,
                    const char *key, char *out, size_t size) {
  const char *colon = memchr(word, ':', letters);
  const size_t n = colon ? (size_t)(colon - word) : letters;
  const long digits = colon ? strtol(colon + 1, NULL, 10) : 0;
  const bool is_chunk = n >= 5 && memmem(word, n, "chunk", 5);
  if (n >= 3 && memcmp(word + n - 3, "key", 3) == 0) return snprintf(out, size, "%s", key);
  return snprintf(out, size, "%0*" PRId64, digits >= 0 && digits < 20 ? (int)digits : 0,
                  is_chunk ? chunk : number);
}

orr_code data_lerobot_path(const data_lerobot *l, const char *template, int64_t chunk,
                           int64_t number, const char *key, char *out, size_t size) {
  int n = snprintf(out, size, "%s", l->root);
  size_t at = n > 0 ? (size_t)n : 0;
  for (const char *t = template; *t && at < size;) {
    const char *end = *t == '{' ? strchr(t, '}') : NULL;
    if (!end) {
      out[at++] = *t++;
      continue;
    }
    n = put_word(t + 1, (size_t)(end - t - 1), chunk, number, key, out + at, size - at);
    at += n > 0 ? (size_t)n : 0;
    t = end + 1;
  }
  ORR_CHECK(at < size, ORR_EINVAL, "%s: a path of more than %zu letters", l->root, size);
  out[at] = 0;
  return ORR_OK;
}

// The folder of meta/info.json above a table: "a/b/" for "a/b/data/chunk-000/x.parquet".
static bool find_info(const char *table, char *out, size_t size) {
  size_t at = strlen(table);
  for (int up = 0; up < 3 && at > 0; up++)
    while (at > 0 && table[--at] != '/') continue;
  snprintf(out, size, "%.*s%s" INFO, (int)at, table, at ? "/" : "");
  return orr_fs_exists(out);
}

char **data_lerobot_names(const char *table, const char *feature, int64_t A) {
  orr_path path;
  json_t *info = NULL;
  size_t bytes = (size_t)A * sizeof(char *);
  if (!find_info(table, path, sizeof path) || orr_json_load(path, &info) != ORR_OK) return NULL;
  const json_t *list =
      json_object_get(json_object_get(json_object_get(info, "features"), feature), "names");
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
