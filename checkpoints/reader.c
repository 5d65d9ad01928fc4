// Loading: every byte that leaves this file belongs to an extent whose checksum matched, headers
// included. A reader belongs to one thread.
#include "checkpoints/reader.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "checkpoints/exported.h"
#include "checkpoints/manifest.h"
#include "checkpoints/safetensors.h"
#include "kernels/bf16.h"

typedef struct {
  char *path;
  int fd;
  char *series; // "model"; NULL for a file without tensors
  ckpt_table table;
} reader_file;

// A tensor under its full name.
typedef struct {
  const char *series;
  const ckpt_entry *entry;
  int file;
} tensor_ref;

struct ckpt_reader {
  char *path;
  bool single; // an exported file, which is all of it
  ckpt_manifest manifest;
  reader_file *files;  // as in the manifest
  int file_count;      // opened so far
  tensor_ref *tensors; // in file order
  tensor_ref *by_name; // the same, by series and name
  int tensor_count;
  unsigned char *cache; // the extent that was verified last
  uint64_t cache_bytes;
  int cached; // its index, -1 for none
};

// -- bytes ----------------------------------------------------------------------------------

// Reads a whole extent to `host` and checks it.
static orr_code read_extent(ckpt_reader *r, int index, void *host) {
  ckpt_sum *s = &r->manifest.sums[index];
  const reader_file *f = &r->files[s->file];
  ORR_TRY(orr_fs_pread_all(f->fd, f->path, host, s->bytes, s->offset));
  orr_hash128 sum = orr_hash_bytes(host, s->bytes);
  ORR_CHECK(orr_hash_equal(sum, s->sum), ORR_ECORRUPT,
            "%s: extent %d, bytes %" PRIu64 " to %" PRIu64
            ": got checksum %s, the manifest says %s: damaged; use another checkpoint",
            f->path, index - r->manifest.files[s->file].first_sum, s->offset, s->offset + s->bytes,
            orr_hash_to_hex(sum).s, orr_hash_to_hex(s->sum).s);
  s->verified = true;
  return ORR_OK;
}

static orr_code fill_cache(ckpt_reader *r, int index) {
  if (r->cached == index) return ORR_OK;
  r->cached = -1;
  ORR_TRY(read_extent(r, index, r->cache));
  r->cached = index;
  return ORR_OK;
}

// Bytes [at, at + bytes) of the file, within extent `index`.
static orr_code read_within(ckpt_reader *r, int index, uint64_t at, size_t bytes, void *host) {
  const ckpt_sum *s = &r->manifest.sums[index];
  const reader_file *f = &r->files[s->file];
  if (r->cached != index) {
    if (s->verified) return orr_fs_pread_all(f->fd, f->path, host, bytes, at);
    if (bytes == s->bytes) return read_extent(r, index, host);
    ORR_TRY(fill_cache(r, index));
  }
  memcpy(host, r->cache + (at - s->offset), bytes);
  return ORR_OK;
}

static int extent_at(const ckpt_manifest *m, int file, uint64_t offset) {
  int low = m->files[file].first_sum, high = m->files[file].end_sum;
  while (low < high) {
    int mid = low + (high - low) / 2;
    if (m->sums[mid].offset + m->sums[mid].bytes > offset)
      high = mid;
    else
      low = mid + 1;
  }
  return low;
}

static orr_code read_file(ckpt_reader *r, int file, uint64_t at, size_t bytes, void *host) {
  char *to = host;
  for (int e = extent_at(&r->manifest, file, at); bytes > 0; e++) {
    const ckpt_sum *s = &r->manifest.sums[e];
    uint64_t left = s->offset + s->bytes - at;
    size_t n = bytes < left ? bytes : left;
    ORR_TRY(read_within(r, e, at, n, to));
    at += n;
    to += n;
    bytes -= n;
  }
  return ORR_OK;
}

// -- opening one checkpoint -----------------------------------------------------------------

// True for the end of a file's name without its .safetensors: "-00001-of-00002".
static bool is_part(const char *s) {
  static const char pattern[] = "-00000-of-00000";
  for (size_t i = 0; i < sizeof(pattern) - 1; i++)
    if (pattern[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != pattern[i]) return false;
  return true;
}

// "model" of model-00001-of-00002.safetensors; NULL with ORR_OK for a file without tensors.
static orr_code series_of(const char *name, char **out) {
  const char *end = strstr(name, ".safetensors");
  *out = NULL;
  if (!end || strcmp(end, ".safetensors") != 0) return ORR_OK;
  size_t n = (size_t)(end - name), part = strlen("-00001-of-00002");
  if (n > part && is_part(end - part)) n -= part;
  *out = orr_format("%.*s", (int)n, name);
  ORR_CHECK(*out, ORR_ENOMEM, "%s: out of memory", name);
  return ORR_OK;
}

static orr_code read_table(ckpt_reader *r, int file) {
  unsigned char head[8];
  uint64_t header_bytes = 0, bytes = r->manifest.files[file].bytes;
  reader_file *f = &r->files[file];
  ORR_CHECK(bytes >= 8, ORR_EFORMAT, "%s: %" PRIu64 " bytes are no safetensors file", f->path,
            bytes);
  ORR_TRY(read_file(r, file, 0, 8, head));
  ORR_TRY(ckpt_safetensors_length(f->path, head, bytes, &header_bytes));
  char *header = orr_malloc(header_bytes);
  ORR_CHECK(header, ORR_ENOMEM, "%s: out of memory for its header of %" PRIu64 " bytes", f->path,
            header_bytes);
  orr_code rc = read_file(r, file, 0, header_bytes, header);
  if (rc == ORR_OK) rc = ckpt_safetensors_parse(f->path, header, header_bytes, bytes, &f->table);
  orr_free(header);
  return rc;
}

static orr_code open_file(ckpt_reader *r, int file) {
  const ckpt_manifest_file *m = &r->manifest.files[file];
  reader_file *f = &r->files[file];
  uint64_t bytes = 0;
  *f = (reader_file){.fd = -1};
  r->file_count++;
  f->path = r->single ? orr_strdup(r->path) : orr_format("%s/%s", r->path, m->name);
  ORR_CHECK(f->path, ORR_ENOMEM, "%s: out of memory", r->path);
  ORR_TRY(orr_fs_size(f->path, &bytes));
  ORR_CHECK(bytes == m->bytes, ORR_EFORMAT,
            "%s: %" PRIu64 " bytes, the manifest says %" PRIu64 ": %s", f->path, bytes, m->bytes,
            bytes < m->bytes ? "truncated" : "not the file that was saved");
  ORR_TRY(orr_fs_open(f->path, O_RDONLY, 0, &f->fd));
  ORR_TRY(series_of(m->name, &f->series));
  return f->series ? read_table(r, file) : ORR_OK;
}

static int by_name(const void *a, const void *b) {
  const tensor_ref *x = a, *y = b;
  int order = strcmp(x->series, y->series);
  return order ? order : strcmp(x->entry->name, y->entry->name);
}

static orr_code list_tensors(ckpt_reader *r) {
  int n = 0;
  for (int f = 0; f < r->file_count; f++) r->tensor_count += r->files[f].table.count;
  r->tensors = orr_calloc((size_t)r->tensor_count, sizeof(*r->tensors));
  r->by_name = orr_calloc((size_t)r->tensor_count, sizeof(*r->by_name));
  ORR_CHECK(r->tensors && r->by_name, ORR_ENOMEM, "%s: out of memory for %d tensors", r->path,
            r->tensor_count);
  for (int f = 0; f < r->file_count; f++)
    for (int i = 0; i < r->files[f].table.count; i++)
      r->tensors[n++] = (tensor_ref){r->files[f].series, &r->files[f].table.entries[i], f};
  memcpy(r->by_name, r->tensors, (size_t)n * sizeof(*r->tensors));
  qsort(r->by_name, (size_t)n, sizeof(*r->by_name), by_name);
  for (int i = 1; i < n; i++)
    ORR_CHECK(by_name(&r->by_name[i - 1], &r->by_name[i]) != 0, ORR_EFORMAT,
              "%s: tensor %s is in two %s files", r->path, r->by_name[i].entry->name,
              r->by_name[i].series);
  return ORR_OK;
}

static orr_code open_files(ckpt_reader *r) {
  const ckpt_manifest *m = &r->manifest;
  for (int i = 0; i < m->sum_count; i++)
    if (m->sums[i].bytes > r->cache_bytes) r->cache_bytes = m->sums[i].bytes;
  r->cache = orr_malloc(r->cache_bytes);
  r->files = orr_calloc((size_t)m->file_count, sizeof(*r->files));
  ORR_CHECK(r->cache && r->files, ORR_ENOMEM,
            "%s: out of memory for an extent of %" PRIu64 " bytes", r->path, r->cache_bytes);
  for (int f = 0; f < m->file_count; f++) ORR_TRY(open_file(r, f));
  return list_tensors(r);
}

orr_code ckpt_reader_open(const char *path, ckpt_reader **out) {
  orr_code rc;
  ckpt_reader *r = orr_calloc(1, sizeof(*r));
  ORR_CHECK(r, ORR_ENOMEM, "%s: out of memory", path);
  r->cached = -1;
  r->single = !orr_fs_is_dir(path);
  r->path = orr_strdup(path);
  ORR_CHECK_GOTO(r->path, close, ORR_ENOMEM, "%s: out of memory", path);
  ORR_TRY_GOTO(r->single ? ckpt_exported_manifest(path, &r->manifest)
                         : ckpt_manifest_load(path, &r->manifest),
               close);
  ORR_TRY_GOTO(open_files(r), close);
  *out = r;
  return ORR_OK;
close:
  ckpt_close(r);
  return rc;
}

void ckpt_close(ckpt_reader *r) {
  if (!r) return;
  orr_free(r->by_name);
  orr_free(r->tensors);
  for (int f = 0; f < r->file_count; f++) {
    ckpt_table_release(&r->files[f].table);
    if (r->files[f].fd >= 0) close(r->files[f].fd);
    orr_free(r->files[f].series);
    orr_free(r->files[f].path);
  }
  orr_free(r->files);
  orr_free(r->cache);
  ckpt_manifest_release(&r->manifest);
  orr_free(r->path);
  orr_free(r);
}

// -- asking ---------------------------------------------------------------------------------

const char *ckpt_reader_path(const ckpt_reader *r) {
  return r->path;
}
int64_t ckpt_reader_step(const ckpt_reader *r) {
  return r->manifest.step;
}
const json_t *ckpt_reader_meta(const ckpt_reader *r) {
  return r->manifest.meta;
}

static bool is_half(const ckpt_entry *e) {
  return strcmp(e->dtype, "BF16") == 0;
}

static const tensor_ref *find(const ckpt_reader *r, const char *series, const char *name) {
  ckpt_entry entry = {.name = (char *)name};
  tensor_ref key = {.series = series, .entry = &entry};
  return r->tensor_count ? bsearch(&key, r->by_name, (size_t)r->tensor_count, sizeof(key), by_name)
                         : NULL;
}

bool ckpt_reader_has(const ckpt_reader *r, const char *file, const char *tensor) {
  return find(r, file, tensor) != NULL;
}

int ckpt_reader_count(const ckpt_reader *r, const char *file) {
  int n = 0;
  for (int i = 0; i < r->tensor_count; i++) n += strcmp(r->tensors[i].series, file) == 0;
  return n;
}

orr_code ckpt_reader_tensor(const ckpt_reader *r, const char *file, int i, const char **name,
                            int *ndim, int64_t *shape) {
  int n = 0;
  for (int t = 0; t < r->tensor_count; t++) {
    const ckpt_entry *e = r->tensors[t].entry;
    if (strcmp(r->tensors[t].series, file) != 0 || n++ != i) continue;
    *name = e->name;
    *ndim = e->ndim;
    memcpy(shape, e->shape, (size_t)e->ndim * sizeof(*shape));
    return ORR_OK;
  }
  return ORR_FAIL(ORR_EINVAL, "%s: tensor %d of the %s files, there are %d", r->path, i, file, n);
}

static void shape_text(char *out, size_t size, int ndim, const int64_t *shape) {
  size_t at = (size_t)snprintf(out, size, "[");
  for (int i = 0; i < ndim && at < size; i++)
    at += (size_t)snprintf(out + at, size - at, "%s%" PRId64, i ? ", " : "", shape[i]);
  if (at < size) snprintf(out + at, size - at, "]");
}

static orr_code match_tensor(const ckpt_reader *r, const ckpt_set *set, const ckpt_tensor *t) {
  char name[1024], got[192], wanted[192];
  snprintf(name, sizeof(name), "%s%s", set->prefix, t->name);
  const tensor_ref *f = find(r, set->file, name);
  shape_text(wanted, sizeof(wanted), t->ndim, t->shape);
  ORR_CHECK(f, ORR_EINVAL,
            "%s: no tensor %s in the %s files, this model wants one of shape %s: a checkpoint of "
            "another model",
            r->path, name, set->file, wanted);
  const ckpt_entry *e = f->entry;
  shape_text(got, sizeof(got), e->ndim, e->shape);
  ORR_CHECK(strcmp(e->dtype, "F32") == 0 || is_half(e), ORR_EINVAL,
            "%s: tensor %s is %s, wanted F32 or BF16", r->path, name, e->dtype);
  ORR_CHECK(
      e->ndim == t->ndim && memcmp(e->shape, t->shape, (size_t)t->ndim * sizeof(int64_t)) == 0,
      ORR_EINVAL, "%s: tensor %s has shape %s, this model wants %s: a checkpoint of another model",
      r->path, name, got, wanted);
  return ORR_OK;
}

orr_code ckpt_reader_match(const ckpt_reader *r, const ckpt_set *set) {
  size_t prefix = strlen(set->prefix);
  int present = 0;
  const char *extra = NULL;
  for (int t = 0; t < set->count; t++) ORR_TRY(match_tensor(r, set, &set->tensors[t]));
  for (int i = 0; i < r->tensor_count; i++)
    if (strcmp(r->tensors[i].series, set->file) == 0 &&
        strncmp(r->tensors[i].entry->name, set->prefix, prefix) == 0)
      present++;
  if (present == set->count) return ORR_OK;
  for (int i = 0; i < r->tensor_count && !extra; i++) {
    const char *name = r->tensors[i].entry->name;
    bool known =
        strcmp(r->tensors[i].series, set->file) != 0 || strncmp(name, set->prefix, prefix) != 0;
    for (int t = 0; t < set->count && !known; t++)
      known = strcmp(name + prefix, set->tensors[t].name) == 0;
    if (!known) extra = name;
  }
  return ORR_FAIL(
      ORR_EINVAL,
      "%s: tensor %s of the %s files is unknown to this model: a checkpoint of another model",
      r->path, extra ? extra : "(none)", set->file);
}

// Values of a bfloat16 tensor, as the float32 that they are.
static orr_code read_half(ckpt_reader *r, const tensor_ref *t, uint64_t first, uint64_t count,
                          float *to) {
  enum { CHUNK = 4096 };
  uint16_t half[CHUNK];
  for (uint64_t at = 0, n; at < count; at += n) {
    n = count - at < CHUNK ? count - at : CHUNK;
    ORR_TRY(read_file(r, t->file, t->entry->offset + 2 * (first + at), 2 * n, half));
    for (uint64_t i = 0; i < n; i++) to[at + i] = kern_bf16_to_f32(half[i]);
  }
  return ORR_OK;
}

orr_code ckpt_read(ckpt_reader *r, const char *file, const char *tensor, uint64_t first,
                   size_t bytes, void *host) {
  const tensor_ref *t = find(r, file, tensor);
  ORR_CHECK(t, ORR_EINVAL, "%s: no tensor %s in the %s files", r->path, tensor, file);
  const bool half = is_half(t->entry);
  const uint64_t all = t->entry->bytes * (half ? 2 : 1);
  ORR_CHECK(first <= all && bytes <= all - first, ORR_EINVAL,
            "%s: bytes [%" PRIu64 ", %" PRIu64 ") of tensor %s, which has %" PRIu64, r->path, first,
            first + bytes, tensor, all);
  return half ? read_half(r, t, first / sizeof(float), bytes / sizeof(float), host)
              : read_file(r, t->file, t->entry->offset + first, bytes, host);
}

orr_code ckpt_verify(ckpt_reader *r) {
  for (int i = 0; i < r->manifest.sum_count; i++)
    if (!r->manifest.sums[i].verified) ORR_TRY(fill_cache(r, i));
  return ORR_OK;
}
