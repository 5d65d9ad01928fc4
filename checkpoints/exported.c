#include "checkpoints/exported.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "checkpoints/safetensors.h"

// *meta (=) a new object.
static orr_code take_meta(const char *path, const char *header, uint64_t header_bytes,
                          json_t **meta) {
  const char *key;
  json_t *value, *all = NULL;
  int bad = 0;
  ORR_TRY(ckpt_safetensors_metadata(path, header, header_bytes, &all));
  *meta = json_object();
  json_object_foreach(all, key, value) {
    if (strncmp(key, CKPT_EXPORTED_KEYS, strlen(CKPT_EXPORTED_KEYS)) == 0)
      bad |= json_object_set(*meta, key + strlen(CKPT_EXPORTED_KEYS), value);
  }
  json_decref(all);
  ORR_CHECK(*meta && !bad, ORR_ENOMEM, "%s: out of memory", path);
  return ORR_OK;
}

static orr_code read_meta(const char *path, int fd, uint64_t bytes, json_t **meta) {
  unsigned char head[8];
  uint64_t header_bytes = 0;
  ORR_CHECK(bytes >= sizeof head, ORR_EFORMAT, "%s: %" PRIu64 " bytes are no safetensors file",
            path, bytes);
  ORR_TRY(orr_fs_pread_all(fd, path, head, sizeof head, 0));
  ORR_TRY(ckpt_safetensors_length(path, head, bytes, &header_bytes));
  char *header = orr_malloc(header_bytes);
  ORR_CHECK(header, ORR_ENOMEM, "%s: out of memory for its header of %" PRIu64 " bytes", path,
            header_bytes);
  orr_code rc = orr_fs_pread_all(fd, path, header, header_bytes, 0);
  if (rc == ORR_OK) rc = take_meta(path, header, header_bytes, meta);
  orr_free(header);
  return rc;
}

static orr_code fill(ckpt_manifest *m, const char *path, uint64_t bytes) {
  const char *step = json_string_value(json_object_get(m->meta, "step"));
  m->files = orr_calloc(1, sizeof *m->files);
  m->sums = orr_calloc(1, sizeof *m->sums);
  ORR_CHECK(m->files && m->sums, ORR_ENOMEM, "%s: out of memory", path);
  m->step = step ? strtoll(step, NULL, 10) : 0;
  m->file_count = m->sum_count = 1;
  m->files[0] =
      (ckpt_manifest_file){.name = orr_strdup("model.safetensors"), .bytes = bytes, .end_sum = 1};
  ORR_CHECK(m->files[0].name, ORR_ENOMEM, "%s: out of memory", path);
  m->sums[0] = (ckpt_sum){.bytes = bytes, .verified = true};
  return ORR_OK;
}

orr_code ckpt_exported_manifest(const char *path, ckpt_manifest *out) {
  int fd;
  uint64_t bytes = 0;
  *out = (ckpt_manifest){0};
  ORR_TRY(orr_fs_open(path, O_RDONLY, 0, &fd));
  orr_code rc = orr_fs_size(path, &bytes);
  if (rc == ORR_OK) rc = read_meta(path, fd, bytes, &out->root);
  close(fd);
  out->meta = out->root;
  if (rc == ORR_OK) rc = fill(out, path, bytes);
  if (rc != ORR_OK) ckpt_manifest_release(out);
  return rc;
}
