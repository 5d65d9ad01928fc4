#include "tests/golden/golden_file.h"

#include <inttypes.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

// The sizes of one model: a JSON object that lies as text in the file's metadata.
static orr_code read_sizes(const char *path, const json_t *metadata, const char *key,
                           json_t **out) {
  const char *text;
  ORR_TRY(orr_json_get_str(metadata, path, key, &text));
  return orr_json_parse(key, text, strlen(text), out);
}

static orr_code read_metadata(golden_file *f) {
  json_t *header, *metadata;
  ORR_TRY(orr_json_parse(f->path, f->bytes + 8, (size_t)f->table.header_bytes - 8, &header));
  orr_code rc = orr_json_get_object(header, f->path, "__metadata__", &metadata);
  if (rc == ORR_OK) rc = read_sizes(f->path, metadata, "tokenizer", &f->tokenizer);
  if (rc == ORR_OK) rc = read_sizes(f->path, metadata, "dynamics", &f->dynamics);
  json_decref(header);
  return rc;
}

orr_code golden_open(const char *path, golden_file *out) {
  size_t bytes;
  uint64_t header_bytes;
  memset(out, 0, sizeof *out);
  out->path = path;
  ORR_TRY(orr_fs_read_all(path, &out->bytes, &bytes));
  ORR_CHECK(bytes >= 8, ORR_EFORMAT, "%s: %zu bytes are too few for a safetensors file", path,
            bytes);
  ORR_TRY(ckpt_safetensors_length(path, (const unsigned char *)out->bytes, bytes, &header_bytes));
  ORR_TRY(ckpt_safetensors_parse(path, out->bytes, header_bytes, bytes, &out->table));
  return read_metadata(out);
}

void golden_close(golden_file *f) {
  json_decref(f->dynamics);
  json_decref(f->tokenizer);
  ckpt_table_release(&f->table);
  orr_free(f->bytes);
  memset(f, 0, sizeof *f);
}

orr_code golden_entry(const golden_file *f, const char *name, const ckpt_entry **out) {
  for (int i = 0; i < f->table.count; i++)
    if (strcmp(f->table.entries[i].name, name) == 0) {
      *out = &f->table.entries[i];
      return ORR_OK;
    }
  return ORR_FAIL(ORR_EFORMAT, "%s: no tensor %s: not a golden file (docs/build.md)", f->path,
                  name);
}

static orr_code find_typed(const golden_file *f, const char *name, const char *dtype, int64_t count,
                           const char **data) {
  const ckpt_entry *e = NULL;
  ORR_TRY(golden_entry(f, name, &e));
  ORR_CHECK(strcmp(e->dtype, dtype) == 0, ORR_EFORMAT, "%s: tensor %s is %s, wanted %s", f->path,
            name, e->dtype, dtype);
  int64_t got = (int64_t)(e->bytes / ckpt_dtype_bytes(dtype));
  ORR_CHECK(got == count, ORR_EFORMAT, "%s: tensor %s has %" PRId64 " elements, wanted %" PRId64,
            f->path, name, got, count);
  *data = f->bytes + e->offset;
  return ORR_OK;
}

orr_code golden_f32(const golden_file *f, const char *name, int64_t count, float *out) {
  const char *data;
  ORR_TRY(find_typed(f, name, "F32", count, &data));
  memcpy(out, data, (size_t)count * sizeof *out);
  return ORR_OK;
}

orr_code golden_i32(const golden_file *f, const char *name, int64_t count, int32_t *out) {
  const char *data;
  ORR_TRY(find_typed(f, name, "I64", count, &data));
  for (int64_t i = 0; i < count; i++) {
    int64_t value; // may lie unaligned after an odd number of BOOLs
    memcpy(&value, data + i * 8, sizeof value);
    out[i] = (int32_t)value;
  }
  return ORR_OK;
}

orr_code golden_bool(const golden_file *f, const char *name, int64_t count, uint8_t *out) {
  const char *data;
  ORR_TRY(find_typed(f, name, "BOOL", count, &data));
  for (int64_t i = 0; i < count; i++) out[i] = data[i] != 0;
  return ORR_OK;
}
