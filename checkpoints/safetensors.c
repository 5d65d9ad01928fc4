#include "checkpoints/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "checkpoints/layout.h"

size_t ckpt_dtype_bytes(const char *dtype) {
  static const struct {
    const char *name;
    size_t bytes;
  } known[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
               {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
               {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
    if (strcmp(known[i].name, dtype) == 0) return known[i].bytes;
  return 0;
}

orr_code ckpt_safetensors_length(const char *path, const unsigned char head[8], uint64_t file_bytes,
                                 uint64_t *header_bytes) {
  uint64_t n = 0;
  for (int i = 7; i >= 0; i--) n = n << 8 | head[i];
  ORR_CHECK(n <= CKPT_HEADER_MAX, ORR_EFORMAT,
            "%s: header of %" PRIu64 " bytes, at most %" PRIu64
            " are allowed: this is not a safetensors file, or its start is damaged",
            path, n, CKPT_HEADER_MAX);
  ORR_CHECK(n >= 2 && n + 8 <= file_bytes, ORR_EFORMAT,
            "%s: header of %" PRIu64 " bytes in a file of %" PRIu64
            ": truncated or not safetensors",
            path, n, file_bytes);
  *header_bytes = n + 8;
  return ORR_OK;
}

// A JSON integer that is not negative.
static orr_code parse_count(const char *path, const char *name, const char *what, const json_t *j,
                            uint64_t *out) {
  ORR_CHECK(json_is_integer(j) && json_integer_value(j) >= 0, ORR_EFORMAT,
            "%s: tensor %s: %s is not a count", path, name, what);
  *out = (uint64_t)json_integer_value(j);
  return ORR_OK;
}

static orr_code parse_shape(const char *path, const json_t *shape, ckpt_entry *e, uint64_t *bytes) {
  ORR_CHECK(json_is_array(shape) && json_array_size(shape) <= CKPT_NDIM_MAX, ORR_EFORMAT,
            "%s: tensor %s: shape is not an array of at most %d counts", path, e->name,
            CKPT_NDIM_MAX);
  e->ndim = (int)json_array_size(shape);
  *bytes = ckpt_dtype_bytes(e->dtype);
  for (int i = 0; i < e->ndim; i++) {
    uint64_t n = 0;
    ORR_TRY(parse_count(path, e->name, "a dimension", json_array_get(shape, (size_t)i), &n));
    ORR_CHECK(!__builtin_mul_overflow(*bytes, n, bytes), ORR_EFORMAT,
              "%s: tensor %s: its shape overflows 64 bits", path, e->name);
    e->shape[i] = (int64_t)n;
  }
  return ORR_OK;
}

// One member of the header. The name is already in *e.
static orr_code parse_entry(const char *path, const json_t *j, uint64_t header_bytes,
                            uint64_t file_bytes, ckpt_entry *e) {
  ORR_CHECK(json_is_object(j) && json_object_size(j) == 3, ORR_EFORMAT,
            "%s: tensor %s is not described by exactly dtype, shape, data_offsets", path, e->name);
  const char *dtype = json_string_value(json_object_get(j, "dtype"));
  ORR_CHECK(dtype && ckpt_dtype_bytes(dtype) > 0, ORR_EFORMAT, "%s: tensor %s: unknown dtype %s",
            path, e->name, dtype ? dtype : "(none)");
  snprintf(e->dtype, sizeof(e->dtype), "%s", dtype);

  uint64_t bytes = 0, first = 0, end = 0;
  ORR_TRY(parse_shape(path, json_object_get(j, "shape"), e, &bytes));
  const json_t *range = json_object_get(j, "data_offsets");
  ORR_CHECK(json_is_array(range) && json_array_size(range) == 2, ORR_EFORMAT,
            "%s: tensor %s: data_offsets is not a pair", path, e->name);
  ORR_TRY(parse_count(path, e->name, "data_offsets[0]", json_array_get(range, 0), &first));
  ORR_TRY(parse_count(path, e->name, "data_offsets[1]", json_array_get(range, 1), &end));
  ORR_CHECK(first <= end && end <= file_bytes - header_bytes, ORR_EFORMAT,
            "%s: tensor %s: data [%" PRIu64 ", %" PRIu64 ") lies beyond the file's %" PRIu64
            " bytes of data: truncated?",
            path, e->name, first, end, file_bytes - header_bytes);
  ORR_CHECK(end - first == bytes, ORR_EFORMAT,
            "%s: tensor %s: %" PRIu64 " bytes of data, its %s shape wants %" PRIu64, path, e->name,
            end - first, e->dtype, bytes);
  e->offset = header_bytes + first;
  e->bytes = bytes;
  return ORR_OK;
}

static orr_code parse_metadata(const char *path, const json_t *j) {
  const char *key;
  json_t *value;
  ORR_CHECK(json_is_object(j), ORR_EFORMAT, "%s: __metadata__ is not an object", path);
  json_object_foreach((json_t *)j, key, value) ORR_CHECK(
      json_is_string(value), ORR_EFORMAT, "%s: __metadata__.%s is not a string", path, key);
  return ORR_OK;
}

static int by_offset(const void *a, const void *b) {
  const ckpt_entry *x = a, *y = b;
  if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
  return strcmp(x->name, y->name);
}

// Data must follow data without overlap or hole, from the header to the file's end.
static orr_code check_cover(const char *path, const ckpt_table *t, uint64_t file_bytes) {
  uint64_t at = t->header_bytes;
  for (int i = 0; i < t->count; i++) {
    const ckpt_entry *e = &t->entries[i];
    ORR_CHECK(e->offset == at, ORR_EFORMAT,
              "%s: tensor %s begins at byte %" PRIu64 ", wanted %" PRIu64
              ": tensors must not overlap nor leave a hole",
              path, e->name, e->offset, at);
    at += e->bytes;
  }
  ORR_CHECK(at == file_bytes, ORR_EFORMAT,
            "%s: tensors end at byte %" PRIu64 ", the file at %" PRIu64, path, at, file_bytes);
  return ORR_OK;
}

static orr_code parse_members(const char *path, json_t *root, uint64_t file_bytes, ckpt_table *t) {
  const char *key;
  json_t *value;
  json_object_foreach(root, key, value) {
    if (strcmp(key, "__metadata__") == 0) {
      ORR_TRY(parse_metadata(path, value));
      continue;
    }
    ckpt_entry *e = &t->entries[t->count];
    e->name = orr_strdup(key);
    ORR_CHECK(e->name, ORR_ENOMEM, "%s: out of memory for the names of its tensors", path);
    t->count++;
    ORR_TRY(parse_entry(path, value, t->header_bytes, file_bytes, e));
  }
  qsort(t->entries, (size_t)t->count, sizeof(ckpt_entry), by_offset);
  return check_cover(path, t, file_bytes);
}

static orr_code parse_json(const char *path, const char *header, uint64_t header_bytes,
                           json_t **out) {
  json_error_t error;
  ORR_CHECK(header[8] == '{', ORR_EFORMAT, "%s: the header does not begin with '{'", path);
  *out = json_loadb(header + 8, header_bytes - 8, JSON_REJECT_DUPLICATES, &error);
  ORR_CHECK(*out, ORR_EFORMAT, "%s: the header is not valid JSON at byte %d: %s", path,
            error.position, error.text);
  return ORR_OK;
}

orr_code ckpt_safetensors_metadata(const char *path, const char *header, uint64_t header_bytes,
                                   json_t **out) {
  json_t *root;
  ORR_TRY(parse_json(path, header, header_bytes, &root));
  json_t *found = json_object_get(root, "__metadata__");
  const orr_code rc = found ? parse_metadata(path, found) : ORR_OK;
  *out = rc == ORR_OK ? (found ? json_incref(found) : json_object()) : NULL;
  json_decref(root);
  ORR_CHECK(rc != ORR_OK || *out, ORR_ENOMEM, "%s: out of memory", path);
  return rc;
}

orr_code ckpt_safetensors_parse(const char *path, const char *header, uint64_t header_bytes,
                                uint64_t file_bytes, ckpt_table *out) {
  orr_code rc = ORR_OK;
  json_t *root;
  *out = (ckpt_table){.header_bytes = header_bytes};
  ORR_TRY(parse_json(path, header, header_bytes, &root));
  out->entries = orr_calloc(json_object_size(root) + 1, sizeof(ckpt_entry));
  ORR_CHECK_GOTO(out->entries, free_root, ORR_ENOMEM, "%s: out of memory for %zu tensors", path,
                 json_object_size(root));
  rc = parse_members(path, root, file_bytes, out);
free_root:
  json_decref(root);
  if (rc != ORR_OK) ckpt_table_release(out);
  return rc;
}

void ckpt_table_release(ckpt_table *t) {
  for (int i = 0; i < t->count; i++) orr_free(t->entries[i].name);
  orr_free(t->entries);
  *t = (ckpt_table){0};
}

// -- building -------------------------------------------------------------------------------

static json_t *entry_json(const ckpt_entry *e) {
  json_t *shape = json_array();
  for (int i = 0; i < e->ndim; i++) json_array_append_new(shape, json_integer(e->shape[i]));
  return json_pack("{s:s, s:o, s:[I,I]}", "dtype", e->dtype, "shape", shape, "data_offsets",
                   (json_int_t)e->offset, (json_int_t)(e->offset + e->bytes));
}

static json_t *header_json(const ckpt_entry *entries, int count, const char *const *metadata) {
  json_t *root = json_object(), *meta = json_object();
  int bad = 0;
  for (int i = 0; metadata && metadata[i]; i += 2)
    bad |= json_object_set_new(meta, metadata[i], json_string(metadata[i + 1]));
  bad |= json_object_set_new(root, "__metadata__", meta);
  for (int i = 0; i < count; i++)
    bad |= json_object_set_new(root, entries[i].name, entry_json(&entries[i]));
  if (!bad) return root;
  json_decref(root);
  return NULL;
}

orr_code ckpt_safetensors_build(const ckpt_entry *entries, int count, const char *const *metadata,
                                uint64_t align, char **out, uint64_t *header_bytes) {
  orr_code rc = ORR_OK;
  json_t *root = header_json(entries, count, metadata);
  char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
  json_decref(root);
  ORR_CHECK(text, ORR_EINVAL,
            "a safetensors header of %d tensors cannot be made: a name is not UTF-8", count);
  size_t length = strlen(text);
  uint64_t total = (8 + length + align - 1) / align * align;
  ORR_CHECK_GOTO(total - 8 <= CKPT_HEADER_MAX, free_text, ORR_EINVAL,
                 "a safetensors header of %" PRIu64 " bytes, at most %" PRIu64
                 " are allowed: make the files smaller",
                 total - 8, CKPT_HEADER_MAX);
  char *header = orr_malloc(total);
  ORR_CHECK_GOTO(header, free_text, ORR_ENOMEM, "out of memory for a header of %" PRIu64 " bytes",
                 total);
  for (int i = 0; i < 8; i++) header[i] = (char)((total - 8) >> (8 * i));
  memcpy(header + 8, text, length);
  memset(header + 8 + length, ' ', total - 8 - length);
  *out = header;
  *header_bytes = total;
free_text:
  free(text);
  return rc;
}
