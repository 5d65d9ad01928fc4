#include "checkpoints/layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "checkpoints/safetensors.h"

// Of a float32 tensor. ORR_EINVAL for dimensions below 1, more than 4, or an overflow.
static orr_code tensor_bytes(const ckpt_tensor *t, uint64_t *bytes) {
  ORR_CHECK(t->name && t->name[0] && strcmp(t->name, "__metadata__") != 0, ORR_EINVAL,
            "a tensor without a name, or named __metadata__, cannot be saved");
  ORR_CHECK(t->ndim >= 0 && t->ndim <= 4, ORR_EINVAL,
            "tensor %s has %d dimensions, at most 4 are possible", t->name, t->ndim);
  *bytes = sizeof(float);
  for (int i = 0; i < t->ndim; i++) {
    ORR_CHECK(t->shape[i] > 0, ORR_EINVAL, "tensor %s: dimension %d is %" PRId64 ", wanted > 0",
              t->name, i, t->shape[i]);
    ORR_CHECK(!__builtin_mul_overflow(*bytes, (uint64_t)t->shape[i], bytes) && *bytes <= INT64_MAX,
              ORR_EINVAL, "tensor %s: its shape overflows 64 bits", t->name);
  }
  return ORR_OK;
}

static int count_tensors(const ckpt_plan *plan) {
  int n = 0;
  for (int s = 0; s < plan->count; s++) n += plan->sets[s].count;
  return n;
}

// True when an earlier set belongs to the same series of files as set `s`.
static bool series_seen(const ckpt_plan *plan, int s) {
  for (int i = 0; i < s; i++)
    if (strcmp(plan->sets[i].file, plan->sets[s].file) == 0) return true;
  return false;
}

// -- cutting into files ---------------------------------------------------------------------

typedef struct {
  const ckpt_plan *plan;
  ckpt_layout *l;
  uint64_t data_bytes, header_guess; // of the file that is being filled
} cutter;

// Appends one tensor, in a new file when the present one would grow beyond the wanted size. Offsets
// count from the end of the header until the header is built.
static orr_code cutter_add(cutter *c, int set, int tensor, bool new_series) {
  const ckpt_tensor *t = &c->plan->sets[set].tensors[tensor];
  uint64_t bytes = 0, limit = c->plan->file_bytes > 0 ? (uint64_t)c->plan->file_bytes : UINT64_MAX;
  ORR_TRY(tensor_bytes(t, &bytes));
  // An entry takes its names, dtype, and at most 4 + 2 numbers of 20 digits; doubled for escapes.
  uint64_t entry = 2 * (strlen(c->plan->sets[set].prefix) + strlen(t->name)) + 220;
  bool full = c->data_bytes > 0 && (bytes > limit || c->data_bytes > limit - bytes);
  if (new_series || full || c->header_guess + entry > CKPT_HEADER_MAX - CKPT_PAGE) {
    c->l->files[c->l->file_count++].first_place = c->l->place_count;
    c->data_bytes = c->header_guess = 0;
  }
  ckpt_file *f = &c->l->files[c->l->file_count - 1];
  c->l->places[c->l->place_count++] = (ckpt_place){.set = set,
                                                   .tensor = tensor,
                                                   .file = c->l->file_count - 1,
                                                   .offset = c->data_bytes,
                                                   .bytes = bytes};
  f->end_place = c->l->place_count;
  c->data_bytes += bytes;
  c->header_guess += entry;
  return ORR_OK;
}

static orr_code name_series(ckpt_layout *l, const char *series, int first) {
  int of = l->file_count - first;
  for (int f = first; f < l->file_count; f++) {
    l->files[f].name = orr_format("%s-%05d-of-%05d.safetensors", series, f - first + 1, of);
    ORR_CHECK(l->files[f].name, ORR_ENOMEM, "out of memory for the layout of a checkpoint");
  }
  return ORR_OK;
}

static orr_code cut_files(const ckpt_plan *plan, ckpt_layout *l) {
  cutter c = {.plan = plan, .l = l};
  for (int s = 0; s < plan->count; s++) {
    if (series_seen(plan, s)) continue;
    int first = l->file_count;
    bool fresh = true;
    for (int i = s; i < plan->count; i++) {
      if (strcmp(plan->sets[i].file, plan->sets[s].file) != 0) continue;
      for (int t = 0; t < plan->sets[i].count; t++, fresh = false)
        ORR_TRY(cutter_add(&c, i, t, fresh));
    }
    ORR_TRY(name_series(l, plan->sets[s].file, first));
  }
  return ORR_OK;
}

// -- headers --------------------------------------------------------------------------------

static orr_code fill_entries(const ckpt_plan *plan, const ckpt_layout *l, const ckpt_file *f,
                             ckpt_entry *entries) {
  for (int p = f->first_place; p < f->end_place; p++) {
    const ckpt_place *place = &l->places[p];
    const ckpt_set *set = &plan->sets[place->set];
    const ckpt_tensor *t = &set->tensors[place->tensor];
    ckpt_entry *e = &entries[p - f->first_place];
    *e = (ckpt_entry){
        .dtype = "F32", .ndim = t->ndim, .offset = place->offset, .bytes = place->bytes};
    memcpy(e->shape, t->shape, (size_t)t->ndim * sizeof(int64_t));
    e->name = orr_format("%s%s", set->prefix, t->name);
    ORR_CHECK(e->name, ORR_ENOMEM, "out of memory for the layout of a checkpoint");
  }
  return ORR_OK;
}

static orr_code build_header(const ckpt_plan *plan, ckpt_layout *l, ckpt_file *f) {
  static const char *const metadata[] = {"format", "pt", NULL}; // transformers insists on a format
  int count = f->end_place - f->first_place;
  ckpt_entry *entries = orr_calloc((size_t)count, sizeof(*entries));
  ORR_CHECK(entries, ORR_ENOMEM, "out of memory for the layout of a checkpoint");
  orr_code rc = fill_entries(plan, l, f, entries);
  if (rc == ORR_OK)
    rc = ckpt_safetensors_build(entries, count, metadata, CKPT_PAGE, &f->header, &f->header_bytes);
  for (int i = 0; i < count; i++) orr_free(entries[i].name);
  orr_free(entries);
  ORR_TRY(rc);
  f->bytes = f->header_bytes;
  for (int p = f->first_place; p < f->end_place; p++) {
    l->places[p].offset += f->header_bytes;
    f->bytes += l->places[p].bytes;
  }
  l->bytes += f->bytes;
  return ORR_OK;
}

static orr_code build_headers(const ckpt_plan *plan, ckpt_layout *l) {
  orr_hash_stream *h = orr_hash_stream_create();
  ORR_CHECK(h, ORR_ENOMEM, "out of memory for the layout of a checkpoint");
  orr_code rc = ORR_OK;
  for (int f = 0; f < l->file_count && rc == ORR_OK; f++) {
    rc = build_header(plan, l, &l->files[f]);
    if (rc != ORR_OK) break;
    orr_hash_stream_update(h, l->files[f].name, strlen(l->files[f].name));
    orr_hash_stream_update(h, l->files[f].header, l->files[f].header_bytes);
  }
  l->id = orr_hash_stream_digest(h);
  orr_hash_stream_destroy(h);
  return rc;
}

typedef struct {
  const ckpt_set *set;
  const char *name;
} full_name;

// Orders by file series, then by the whole name, prefix and name taken together.
static int by_name(const void *a, const void *b) {
  const full_name *x = a, *y = b;
  int order = strcmp(x->set->file, y->set->file);
  const char *p = x->set->prefix, *q = y->set->prefix;
  bool p_name = false, q_name = false;
  while (order == 0) {
    if (!*p && !p_name) p = x->name, p_name = true;
    if (!*q && !q_name) q = y->name, q_name = true;
    if (!*p || *p != *q) return (unsigned char)*p - (unsigned char)*q;
    p++, q++;
  }
  return order;
}

static orr_code check_names(const ckpt_plan *plan, int count) {
  full_name *names = orr_calloc((size_t)count, sizeof(*names));
  ORR_CHECK(names, ORR_ENOMEM, "out of memory for the layout of a checkpoint");
  orr_code rc = ORR_OK;
  int n = 0;
  for (int s = 0; s < plan->count; s++)
    for (int t = 0; t < plan->sets[s].count; t++)
      names[n++] = (full_name){&plan->sets[s], plan->sets[s].tensors[t].name};
  qsort(names, (size_t)count, sizeof(*names), by_name);
  for (int i = 1; i < count && rc == ORR_OK; i++)
    if (by_name(&names[i - 1], &names[i]) == 0)
      rc = ORR_FAIL(ORR_EINVAL, "tensor %s%s occurs twice in the %s files of a checkpoint",
                    names[i].set->prefix, names[i].name, names[i].set->file);
  orr_free(names);
  return rc;
}

// -- extents --------------------------------------------------------------------------------

static uint64_t extent_unit(uint64_t total) {
  uint64_t unit = total / CKPT_EXTENT_SHARE / CKPT_EXTENT_MIN * CKPT_EXTENT_MIN;
  if (unit < CKPT_EXTENT_MIN) return CKPT_EXTENT_MIN;
  return unit > CKPT_EXTENT_MAX ? CKPT_EXTENT_MAX : unit;
}

// Cuts at multiples of the unit, so that extents meet Lustre's stripes; a rest below
// CKPT_EXTENT_MIN stays with its neighbour. Counts only while `out` is NULL.
static int cut_extents(const ckpt_layout *l, ckpt_extent *out) {
  uint64_t unit = extent_unit(l->bytes);
  int n = 0;
  for (int f = 0; f < l->file_count; f++)
    for (uint64_t at = 0, end; at < l->files[f].bytes; at = end, n++) {
      end = at + unit;
      if (end + CKPT_EXTENT_MIN > l->files[f].bytes) end = l->files[f].bytes;
      if (out) out[n] = (ckpt_extent){.file = f, .offset = at, .bytes = end - at};
    }
  return n;
}

orr_code ckpt_layout_build(const ckpt_plan *plan, ckpt_layout *out) {
  orr_code rc;
  int count = count_tensors(plan);
  *out = (ckpt_layout){0};
  ORR_CHECK(count > 0, ORR_EINVAL, "a checkpoint without tensors: the plan has %d sets, all empty",
            plan->count);
  for (int s = 0; s < plan->count; s++) {
    const char *file = plan->sets[s].file;
    ORR_CHECK(file && file[0] && !strchr(file, '/') && plan->sets[s].prefix, ORR_EINVAL,
              "set %d of a checkpoint has no prefix, or a file name that is empty or a path", s);
  }
  // A file holds at least one tensor, so `count` is enough for either table.
  out->places = orr_calloc((size_t)count, sizeof(ckpt_place));
  out->files = orr_calloc((size_t)count, sizeof(ckpt_file));
  ORR_CHECK_GOTO(out->places && out->files, release, ORR_ENOMEM,
                 "out of memory for the layout of %d tensors", count);
  ORR_TRY_GOTO(cut_files(plan, out), release);
  ORR_TRY_GOTO(check_names(plan, count), release);
  ORR_TRY_GOTO(build_headers(plan, out), release);
  out->extent_count = cut_extents(out, NULL);
  out->extents = orr_calloc((size_t)out->extent_count, sizeof(ckpt_extent));
  ORR_CHECK_GOTO(out->extents, release, ORR_ENOMEM, "out of memory for %d extents",
                 out->extent_count);
  cut_extents(out, out->extents);
  return ORR_OK;
release:
  ckpt_layout_release(out);
  return rc;
}

void ckpt_layout_release(ckpt_layout *l) {
  orr_free(l->extents);
  for (int f = 0; f < l->file_count; f++) {
    orr_free(l->files[f].name);
    orr_free(l->files[f].header);
  }
  orr_free(l->files);
  orr_free(l->places);
  *l = (ckpt_layout){0};
}

// The first extent of `rank`: an extent belongs to the rank that owns the byte in its middle, the
// whole being cut into `ranks` equal parts.
static int share_begin(const ckpt_layout *l, int rank, int ranks) {
  uint64_t at = 0;
  int e = 0;
  for (; e < l->extent_count; at += l->extents[e++].bytes) {
    double middle = (double)at + (double)l->extents[e].bytes / 2;
    if ((int)(middle * ranks / (double)l->bytes) >= rank) break;
  }
  return e;
}

void ckpt_layout_share(const ckpt_layout *l, int rank, int ranks, int *first, int *end) {
  *first = share_begin(l, rank, ranks);
  *end = share_begin(l, rank + 1, ranks);
}

// Index of the first tensor of a file that ends after `offset`.
static int place_at(const ckpt_layout *l, const ckpt_file *f, uint64_t offset) {
  int low = f->first_place, high = f->end_place;
  while (low < high) {
    int mid = low + (high - low) / 2;
    if (l->places[mid].offset + l->places[mid].bytes > offset)
      high = mid;
    else
      low = mid + 1;
  }
  return low;
}

orr_code ckpt_layout_visit(const ckpt_layout *l, int extent, ckpt_piece_fn visit, void *ctx) {
  const ckpt_extent *x = &l->extents[extent];
  const ckpt_file *f = &l->files[x->file];
  uint64_t at = x->offset > f->header_bytes ? x->offset : f->header_bytes,
           end = x->offset + x->bytes;
  for (int p = place_at(l, f, at); at < end; p++) {
    const ckpt_place *place = &l->places[p];
    uint64_t stop = place->offset + place->bytes;
    uint64_t n = (stop < end ? stop : end) - at;
    ORR_TRY(visit(ctx, place->set, place->tensor, at - place->offset, n));
    at += n;
  }
  return ORR_OK;
}

orr_code ckpt_layout_fill(const ckpt_layout *l, int extent, ckpt_copy_fn get, void *ctx,
                          void *host) {
  const ckpt_extent *x = &l->extents[extent];
  const ckpt_file *f = &l->files[x->file];
  uint64_t at = x->offset, end = x->offset + x->bytes;
  char *to = host;
  if (at < f->header_bytes) {
    uint64_t n = (end < f->header_bytes ? end : f->header_bytes) - at;
    memcpy(to, f->header + at, n);
    at += n;
    to += n;
  }
  for (int p = place_at(l, f, at); at < end; p++) {
    const ckpt_place *place = &l->places[p];
    uint64_t stop = place->offset + place->bytes;
    uint64_t n = (stop < end ? stop : end) - at;
    ORR_TRY(get(ctx, place->set, place->tensor, at - place->offset, n, to));
    at += n;
    to += n;
  }
  return ORR_OK;
}
