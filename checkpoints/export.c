#include "checkpoints/export.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "checkpoints/exported.h"
#include "checkpoints/layout.h"
#include "checkpoints/root.h"
#include "checkpoints/safetensors.h"
#include "kernels/bf16.h"

#define CHUNK_BYTES ((size_t)4 << 20) // of float32 at a time
#define EMA_PREFIX  "ema."

typedef struct {
  ckpt_reader *reader;
  const char *path;
  const ckpt_export_options *o;
  ckpt_entry *entries; // of the new file
  char **names;        // [count] of its tensors
  int count;
  char *header;
  uint64_t header_bytes, bytes;
  float *chunk;
  uint16_t *half; // the chunk in bfloat16
  int fd;
} exporter;

// The new file's table: the model's tensors in their order, back to back.
static orr_code list_entries(exporter *x) {
  uint64_t at = 0;
  const ckpt_tensor *other = x->o->tensors;
  size_t width = x->o->dtype == CKPT_EXPORT_BF16 ? 2 : 4;
  x->count = other ? x->o->count : ckpt_reader_count(x->reader, "model");
  ORR_CHECK(x->count > 0, ORR_ENOTFOUND, "%s: no model files, nothing to export",
            ckpt_reader_path(x->reader));
  x->entries = orr_calloc((size_t)x->count, sizeof(*x->entries));
  x->names = orr_calloc((size_t)x->count, sizeof(*x->names));
  ORR_CHECK(x->entries && x->names, ORR_ENOMEM, "%s: out of memory", x->path);
  for (int i = 0; i < x->count; i++) {
    ckpt_entry *e = &x->entries[i];
    const char *name;
    if (other) {
      name = other[i].name;
      e->ndim = other[i].ndim;
      memcpy(e->shape, other[i].shape, sizeof e->shape);
    } else {
      ORR_TRY(ckpt_reader_tensor(x->reader, "model", i, &name, &e->ndim, e->shape));
    }
    x->names[i] = orr_format("%s%s", x->o->prefix ? x->o->prefix : "", name);
    ORR_CHECK(x->names[i], ORR_ENOMEM, "%s: out of memory", x->path);
    e->name = x->names[i];
    snprintf(e->dtype, sizeof(e->dtype), "%s", width == 2 ? "BF16" : "F32");
    e->offset = at;
    e->bytes = width;
    for (int d = 0; d < e->ndim; d++) e->bytes *= (uint64_t)e->shape[d];
    at += e->bytes;
  }
  return ORR_OK;
}

// What the file says of itself; ckpt_open_weights takes the keys that begin with "orrery.".
static orr_code build_header(exporter *x) {
  enum { MORE = 16 }; // texts
  char step[24];
  int n = 0;
  const char *list[8 + MORE + 1];
  const char *hash = json_string_value(json_object_get(ckpt_reader_meta(x->reader), "config_hash"));
  snprintf(step, sizeof(step), "%" PRId64, ckpt_reader_step(x->reader));
  const char *const own[] = {"format",
                             "pt",
                             CKPT_EXPORTED_KEYS "step",
                             step,
                             CKPT_EXPORTED_KEYS "weights",
                             x->o->ema ? "ema" : "raw",
                             hash ? CKPT_EXPORTED_KEYS "config_hash" : NULL,
                             hash};
  for (int i = 0; i < 8 && own[i]; i++) list[n++] = own[i];
  for (int i = 0; x->o->more && x->o->more[i] && i < MORE; i++) list[n++] = x->o->more[i];
  list[n] = NULL;
  return ckpt_safetensors_build(x->entries, x->count, list, CKPT_PAGE, &x->header,
                                &x->header_bytes);
}

// The reader's bytes [first, first + bytes) of a tensor, in the new type, to their place.
static orr_code copy_chunk(exporter *x, const ckpt_entry *e, const char *file, const char *name,
                           uint64_t first, size_t bytes) {
  ORR_TRY(file ? ckpt_read(x->reader, file, name, first, bytes, x->chunk)
               : x->o->read(x->o->ctx, (int)(e - x->entries), first, bytes, x->chunk));
  const void *from = x->chunk;
  if (x->o->dtype == CKPT_EXPORT_BF16) {
    for (size_t i = 0; i < bytes / 4; i++) x->half[i] = kern_f32_to_bf16(x->chunk[i]);
    from = x->half;
    first /= 2;
    bytes /= 2;
  }
  return orr_fs_pwrite_all(x->fd, x->path, from, bytes, x->header_bytes + e->offset + first);
}

static orr_code copy_tensor(exporter *x, const ckpt_entry *e) {
  uint64_t bytes = e->bytes * (x->o->dtype == CKPT_EXPORT_BF16 ? 2 : 1);
  const char *file = x->o->tensors ? NULL : x->o->ema ? "optim" : "model";
  const size_t prefix = x->o->prefix ? strlen(x->o->prefix) : 0;
  char name[1024];
  int n = snprintf(name, sizeof(name), "%s%s", x->o->ema ? EMA_PREFIX : "", e->name + prefix);
  ORR_CHECK(n < (int)sizeof(name), ORR_EINVAL, "%s: tensor name of %d bytes", x->path, n);
  ORR_CHECK(
      !file || ckpt_reader_has(x->reader, file, name), ORR_ENOTFOUND,
      "%s: no tensor %s in the %s files: the run kept no moving average; export without --ema",
      ckpt_reader_path(x->reader), name, file);
  for (uint64_t at = 0; at < bytes; at += CHUNK_BYTES)
    ORR_TRY(copy_chunk(x, e, file, name, at, bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES));
  return ORR_OK;
}

static orr_code write_file(exporter *x) {
  ORR_TRY(orr_fs_pwrite_all(x->fd, x->path, x->header, x->header_bytes, 0));
  x->bytes = x->header_bytes;
  for (int i = 0; i < x->count; i++) {
    ORR_TRY(copy_tensor(x, &x->entries[i]));
    x->bytes += x->entries[i].bytes;
  }
  return orr_fs_fsync(x->fd, x->path);
}

// Under another name in the same folder, then renamed.
static orr_code write_aside(exporter *x) {
  char *aside = orr_format("%s.tmp-%ld", x->path, (long)getpid());
  ORR_CHECK(aside, ORR_ENOMEM, "%s: out of memory", x->path);
  orr_code rc = orr_fs_open(aside, O_WRONLY | O_CREAT | O_TRUNC, 0666, &x->fd);
  if (rc == ORR_OK) {
    rc = write_file(x);
    close(x->fd);
    if (rc == ORR_OK) rc = orr_fs_rename(aside, x->path);
    if (rc != ORR_OK) orr_fs_remove_tree(aside);
  }
  orr_free(aside);
  return rc == ORR_OK ? ckpt_sync_parent(x->path) : rc;
}

orr_code ckpt_export_as(ckpt_reader *r, const char *path, const ckpt_export_options *o,
                        uint64_t *bytes) {
  orr_code rc;
  exporter x = {.reader = r, .path = path, .o = o};
  ORR_CHECK(!orr_fs_is_dir(path), ORR_EINVAL, "%s: is a folder, wanted the name of a new file",
            path);
  ORR_TRY_GOTO(list_entries(&x), release);
  ORR_TRY_GOTO(build_header(&x), release);
  x.chunk = orr_malloc(CHUNK_BYTES);
  x.half = orr_malloc(CHUNK_BYTES / 2);
  ORR_CHECK_GOTO(x.chunk && x.half, release, ORR_ENOMEM, "%s: out of memory", path);
  rc = write_aside(&x);
  if (rc == ORR_OK && bytes) *bytes = x.bytes;
release:
  for (int i = 0; x.names && i < x.count; i++) orr_free(x.names[i]);
  orr_free(x.names);
  orr_free(x.half);
  orr_free(x.chunk);
  orr_free(x.header);
  orr_free(x.entries);
  return rc;
}

orr_code ckpt_export(ckpt_reader *r, const char *path, ckpt_export_dtype dtype, bool ema,
                     const char *const *more, uint64_t *bytes) {
  return ckpt_export_as(r, path, &(ckpt_export_options){.dtype = dtype, .ema = ema, .more = more},
                        bytes);
}
