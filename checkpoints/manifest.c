#include "checkpoints/manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

#define FORMAT "orrery-checkpoint"

// Checksum of the manifest's contents. Its text is canonical, so that the spaces of the file, which
// people may change, do not count.
static orr_code self_sum(const json_t *root, orr_hash128 *out) {
  json_t *rest = json_copy((json_t *)root);
  if (rest) json_object_del(rest, "checksum");
  char *text = rest ? json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
  json_decref(rest);
  ORR_CHECK(text, ORR_ENOMEM, "out of memory for a manifest");
  *out = orr_hash_bytes(text, strlen(text));
  free(text);
  return ORR_OK;
}

// -- building -------------------------------------------------------------------------------

static json_t *extent_json(uint64_t offset, uint64_t bytes, orr_hash128 sum) {
  return json_pack("[I,I,s]", (json_int_t)offset, (json_int_t)bytes, orr_hash_to_hex(sum).s);
}

static json_t *file_json(const char *name, uint64_t bytes, json_t *extents) {
  return json_pack("{s:s, s:I, s:o}", "name", name, "bytes", (json_int_t)bytes, "extents", extents);
}

static json_t *files_json(const ckpt_layout *l, const orr_hash128 *sums,
                          const ckpt_text_file *texts, int text_count) {
  json_t *files = json_array();
  int bad = 0, e = 0;
  for (int f = 0; f < l->file_count; f++) {
    json_t *extents = json_array();
    for (; e < l->extent_count && l->extents[e].file == f; e++)
      bad |= json_array_append_new(extents,
                                   extent_json(l->extents[e].offset, l->extents[e].bytes, sums[e]));
    bad |= json_array_append_new(files, file_json(l->files[f].name, l->files[f].bytes, extents));
  }
  for (int t = 0; t < text_count; t++) {
    size_t n = strlen(texts[t].text);
    json_t *extents = json_array();
    bad |= json_array_append_new(extents, extent_json(0, n, orr_hash_bytes(texts[t].text, n)));
    bad |= json_array_append_new(files, file_json(texts[t].name, n, extents));
  }
  if (!bad) return files;
  json_decref(files);
  return NULL;
}

orr_code ckpt_manifest_build(const ckpt_layout *l, const orr_hash128 *sums, int64_t step,
                             const ckpt_text_file *texts, int text_count, const json_t *meta,
                             json_t **out) {
  orr_hash128 own;
  json_t *root = json_pack(
      "{s:s, s:i, s:I, s:s, s:o, s:o}", "format", FORMAT, "version", CKPT_VERSION, "step",
      (json_int_t)step, "layout", orr_hash_to_hex(l->id).s, "files",
      files_json(l, sums, texts, text_count), "meta", meta ? json_deep_copy(meta) : json_object());
  ORR_CHECK(root, ORR_ENOMEM, "out of memory for a manifest");
  orr_code rc = self_sum(root, &own);
  if (rc == ORR_OK &&
      json_object_set_new(root, "checksum", json_string(orr_hash_to_hex(own).s)) != 0)
    rc = ORR_FAIL(ORR_ENOMEM, "out of memory for a manifest");
  if (rc == ORR_OK)
    *out = root;
  else
    json_decref(root);
  return rc;
}

// -- reading --------------------------------------------------------------------------------

static orr_code parse_sum(const char *path, const char *hex, orr_hash128 *out) {
  ORR_CHECK(orr_hash_from_hex(hex, out) == ORR_OK, ORR_ECORRUPT,
            "%s: '%.40s' is not a checksum: damaged or edited", path, hex);
  return ORR_OK;
}

static orr_code parse_extent(const char *what, const json_t *j, ckpt_sum *s) {
  ORR_CHECK(json_is_array(j) && json_array_size(j) == 3 && json_is_integer(json_array_get(j, 0)) &&
                json_is_integer(json_array_get(j, 1)) && json_is_string(json_array_get(j, 2)),
            ORR_EFORMAT, "%s: an extent is not [offset, bytes, checksum]", what);
  int64_t offset = json_integer_value(json_array_get(j, 0)),
          bytes = json_integer_value(json_array_get(j, 1));
  ORR_CHECK(offset >= 0 && bytes > 0, ORR_EFORMAT,
            "%s: an extent of %" PRId64 " bytes at byte %" PRId64, what, bytes, offset);
  s->offset = (uint64_t)offset;
  s->bytes = (uint64_t)bytes;
  return parse_sum(what, json_string_value(json_array_get(j, 2)), &s->sum);
}

static orr_code parse_file(const char *path, const json_t *j, ckpt_manifest *m) {
  const char *name;
  int64_t bytes;
  json_t *extents;
  ORR_TRY(orr_json_get_str(j, path, "name", &name));
  ORR_TRY(orr_json_get_i64(j, path, "bytes", &bytes));
  ORR_TRY(orr_json_get_array(j, path, "extents", &extents));
  ORR_CHECK(name[0] && name[0] != '.' && !strchr(name, '/'), ORR_EFORMAT,
            "%s: '%s' is not the name of a file", path, name);
  ckpt_manifest_file *f = &m->files[m->file_count];
  f->name = orr_strdup(name);
  ORR_CHECK(f->name, ORR_ENOMEM, "%s: out of memory for its files", path);
  f->bytes = (uint64_t)bytes;
  f->first_sum = m->sum_count;
  uint64_t at = 0;
  for (size_t e = 0; e < json_array_size(extents); e++) {
    ckpt_sum *s = &m->sums[m->sum_count];
    ORR_TRY(parse_extent(path, json_array_get(extents, e), s));
    ORR_CHECK(s->offset == at, ORR_EFORMAT, "%s: extents of %s leave a hole at byte %" PRIu64, path,
              name, at);
    s->file = m->file_count;
    at += s->bytes;
    m->sum_count++;
  }
  ORR_CHECK(at == f->bytes, ORR_EFORMAT,
            "%s: extents of %s end at byte %" PRIu64 ", the file at %" PRIu64, path, name, at,
            f->bytes);
  f->end_sum = m->sum_count;
  return ORR_OK;
}

static orr_code parse_files(const char *path, json_t *files, ckpt_manifest *m) {
  size_t sums = 0;
  for (size_t f = 0; f < json_array_size(files); f++) {
    json_t *extents;
    ORR_TRY(orr_json_get_array(json_array_get(files, f), path, "extents", &extents));
    sums += json_array_size(extents);
  }
  m->files = orr_calloc(json_array_size(files), sizeof(*m->files));
  m->sums = orr_calloc(sums, sizeof(*m->sums));
  ORR_CHECK(m->files && m->sums, ORR_ENOMEM, "%s: out of memory for %zu extents", path, sums);
  for (size_t f = 0; f < json_array_size(files); f++) {
    orr_code rc = parse_file(path, json_array_get(files, f), m);
    if (m->files[m->file_count].name) m->file_count++; // so that release finds the name
    ORR_TRY(rc);
  }
  return ORR_OK;
}

static orr_code check_sum(const char *path, const json_t *root) {
  const char *hex;
  orr_hash128 own, wanted;
  ORR_TRY(orr_json_get_str(root, path, "checksum", &hex));
  ORR_TRY(parse_sum(path, hex, &wanted));
  ORR_TRY(self_sum(root, &own));
  ORR_CHECK(orr_hash_equal(own, wanted), ORR_ECORRUPT,
            "%s: its contents have checksum %s, it says %s: damaged or edited", path,
            orr_hash_to_hex(own).s, hex);
  return ORR_OK;
}

static orr_code parse_manifest(const char *path, ckpt_manifest *m) {
  const char *format;
  int64_t version;
  json_t *files, *meta;
  ORR_TRY(orr_json_get_str(m->root, path, "format", &format));
  ORR_CHECK(strcmp(format, FORMAT) == 0, ORR_EFORMAT, "%s: format '%s', wanted '%s'", path, format,
            FORMAT);
  ORR_TRY(orr_json_get_i64(m->root, path, "version", &version));
  ORR_CHECK(version == CKPT_VERSION, ORR_EFORMAT,
            "%s: checkpoint version %" PRId64
            ", this program reads version %d: use the release that wrote it",
            path, version, CKPT_VERSION);
  ORR_TRY(check_sum(path, m->root));
  ORR_TRY(orr_json_get_i64(m->root, path, "step", &m->step));
  ORR_TRY(orr_json_get_array(m->root, path, "files", &files));
  ORR_TRY(orr_json_get_object(m->root, path, "meta", &meta));
  m->meta = meta;
  return parse_files(path, files, m);
}

orr_code ckpt_manifest_load(const char *dir, ckpt_manifest *out) {
  orr_path path;
  *out = (ckpt_manifest){0};
  ORR_TRY(orr_fs_join(path, sizeof(path), dir, "manifest.json"));
  ORR_CHECK(orr_fs_exists(path), ORR_ENOTFOUND,
            "%s: no manifest.json, so this is not a finished checkpoint; name a step-* folder or "
            "the folder above",
            dir);
  ORR_TRY(orr_json_load(path, &out->root));
  orr_code rc = parse_manifest(path, out);
  if (rc != ORR_OK) ckpt_manifest_release(out);
  return rc;
}

void ckpt_manifest_release(ckpt_manifest *m) {
  for (int f = 0; f < m->file_count; f++) orr_free(m->files[f].name);
  orr_free(m->files);
  orr_free(m->sums);
  json_decref(m->root);
  *m = (ckpt_manifest){0};
}
