#include "data/import/parquet/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/import/parquet/codec.h"
#include "data/import/parquet/header.h"
#include "data/import/parquet/runs.h"
#include "data/import/parquet/values.h"

#define WINDOW 4096 // bytes read for a page's header at first; statistics can make it longer

struct data_parquet_pages {
  data_parquet *file;
  const data_parquet_column *c;
  int column;
  int64_t group;  // row group at hand
  uint64_t at;    // in the file
  uint64_t bytes; // of the group's chunk from there on
  int64_t left;   // entries of the chunk from there on
  data_parquet_buffer raw, data, repeated, defined;
  data_parquet_values_state values;
};

static orr_code fail_damaged(const data_parquet_pages *r, const char *what) {
  return ORR_FAIL(ORR_EFORMAT,
                  "%s: column %s, row group %" PRId64
                  ": damaged Parquet file: %s; copy or write it again",
                  r->file->path, r->c->name, r->group, what);
}

static orr_code grow(data_parquet_pages *r, data_parquet_buffer *b, size_t bytes) {
  ORR_CHECK(data_parquet_buffer_grow(b, bytes), ORR_ENOMEM,
            "%s: column %s: out of memory for a page of %zu bytes", r->file->path, r->c->name,
            bytes);
  return ORR_OK;
}

// -- one page -------------------------------------------------------------------------------

static orr_code read_header(data_parquet_pages *r, data_parquet_header *h) {
  for (size_t window = WINDOW;; window *= 8) {
    size_t bytes = window < r->bytes ? window : (size_t)r->bytes;
    ORR_TRY(grow(r, &r->raw, bytes));
    ORR_TRY(orr_fs_pread_all(r->file->fd, r->file->path, r->raw.p, bytes, r->at));
    if (data_parquet_header_read(r->raw.p, bytes, h)) break;
    if (bytes == r->bytes) return fail_damaged(r, "the header of a page cannot be read");
  }
  r->at += h->length;
  r->bytes -= h->length;
  if (h->packed > r->bytes) return fail_damaged(r, "a page goes beyond its column's end");
  return ORR_OK;
}

// The page's bytes as they are packed, and their checksum where the writer made one.
static orr_code read_bytes(data_parquet_pages *r, const data_parquet_header *h) {
  ORR_TRY(grow(r, &r->raw, h->packed));
  ORR_TRY(orr_fs_pread_all(r->file->fd, r->file->path, r->raw.p, h->packed, r->at));
  r->at += h->packed;
  r->bytes -= h->packed;
  if (h->has_crc && (uint32_t)crc32(0, r->raw.p, (uInt)h->packed) != h->crc)
    return fail_damaged(r, "the checksum of a page is wrong");
  return ORR_OK;
}

// Unpacks the page into r->data. The levels of version 2, at its beginning, are never packed.
static orr_code unpack(data_parquet_pages *r, const data_parquet_header *h) {
  char what[600];
  const data_parquet_chunk *chunk = &r->file->groups[r->group].chunks[r->column];
  const uint8_t *raw = r->raw.p;
  size_t plain = h->version == 2 ? h->repeated_bytes + h->defined_bytes : 0;
  if (plain > h->packed || plain > h->unpacked)
    return fail_damaged(r, "the levels of a page are longer than the page");
  ORR_TRY(grow(r, &r->data, h->unpacked));
  if (plain) memcpy(r->data.p, raw, plain);
  snprintf(what, sizeof what, "%.400s: column %.100s", r->file->path, r->c->name);
  return data_parquet_unpack(h->is_packed ? chunk->codec : 0, what, raw + plain, h->packed - plain,
                             (uint8_t *)r->data.p + plain, h->unpacked - plain);
}

// Reads levels 0 to `most` of all entries from *at on. Version 1 has their length before them.
static orr_code read_levels(data_parquet_pages *r, const data_parquet_header *h, int most,
                            size_t bytes, size_t *at, data_parquet_buffer *levels) {
  const uint8_t *p = (const uint8_t *)r->data.p + *at;
  int width = 0;
  if (!most) return ORR_OK;
  while (most >> width) width++;
  if (h->version == 1) {
    if (h->unpacked - *at < 4) return fail_damaged(r, "a page ends in its levels");
    bytes = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    p += 4;
    *at += 4;
  }
  if (bytes > h->unpacked - *at) return fail_damaged(r, "a page ends in its levels");
  *at += bytes;
  ORR_TRY(grow(r, levels, (size_t)h->entries * sizeof(uint32_t)));
  uint32_t *v = levels->p;
  if (!data_parquet_runs(p, bytes, width, h->entries, v))
    return fail_damaged(r, "the levels of a page cannot be read");
  for (int64_t i = 0; i < h->entries; i++)
    if (v[i] > (uint32_t)most) return fail_damaged(r, "a level of a page is too high");
  return ORR_OK;
}

static orr_code read_data_page(data_parquet_pages *r, const data_parquet_header *h,
                               data_parquet_page *out) {
  const data_parquet_column *c = r->c;
  size_t at = 0;
  if (h->entries > r->left) return fail_damaged(r, "its pages hold more values than it lists");
  ORR_TRY(unpack(r, h));
  ORR_TRY(read_levels(r, h, c->repeated, h->repeated_bytes, &at, &r->repeated));
  ORR_TRY(read_levels(r, h, c->defined, h->defined_bytes, &at, &r->defined));
  *out = (data_parquet_page){.entries = h->entries,
                             .repeated = c->repeated ? r->repeated.p : NULL,
                             .defined = c->defined ? r->defined.p : NULL,
                             .present = h->entries};
  for (int64_t i = 0; out->defined && i < h->entries; i++)
    out->present -= out->defined[i] != (uint32_t)c->defined;
  const char *fault = NULL;
  orr_code rc =
      data_parquet_values_decode(&r->values, c, h->encoding, (const uint8_t *)r->data.p + at,
                                 h->unpacked - at, out->present, &fault);
  if (rc == ORR_EFORMAT) return fail_damaged(r, fault);
  ORR_CHECK(rc != ORR_EUNSUPPORTED, rc,
            "%s: column %s: encoding %d is not read here; write it with plain or dictionary "
            "encoding (pyarrow's defaults)",
            r->file->path, c->name, h->encoding);
  ORR_CHECK(rc == ORR_OK, rc, "%s: column %s: out of memory for %" PRId64 " values", r->file->path,
            c->name, out->present);
  out->numbers = r->values.numbers.p;
  out->blobs = r->values.blobs.p;
  r->left -= h->entries;
  return ORR_OK;
}

static orr_code read_dictionary(data_parquet_pages *r, const data_parquet_header *h) {
  const char *fault = NULL;
  ORR_TRY(unpack(r, h));
  orr_code rc =
      data_parquet_values_dictionary(&r->values, r->c, r->data.p, h->unpacked, h->entries, &fault);
  if (rc == ORR_EFORMAT) return fail_damaged(r, fault);
  ORR_CHECK(rc == ORR_OK, rc, "%s: column %s: out of memory for its dictionary", r->file->path,
            r->c->name);
  return ORR_OK;
}

// -- all of them ----------------------------------------------------------------------------

static void enter_group(data_parquet_pages *r, int64_t group) {
  r->group = group;
  r->left = 0;
  r->bytes = 0;
  r->values.dictionary = -1;
  if (group >= r->file->group_count) return;
  const data_parquet_chunk *chunk = &r->file->groups[group].chunks[r->column];
  r->at = (uint64_t)chunk->first;
  r->bytes = (uint64_t)chunk->bytes;
  r->left = chunk->values;
}

orr_code data_parquet_pages_open(data_parquet *p, int column, int64_t group,
                                 data_parquet_pages **out) {
  data_parquet_pages *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "%s: out of memory: cannot read it", p->path);
  r->file = p;
  r->column = column;
  r->c = &p->columns[column];
  enter_group(r, group);
  *out = r;
  return ORR_OK;
}

void data_parquet_pages_close(data_parquet_pages *r) {
  if (!r) return;
  orr_free(r->raw.p);
  orr_free(r->data.p);
  orr_free(r->repeated.p);
  orr_free(r->defined.p);
  data_parquet_values_release(&r->values);
  orr_free(r);
}

orr_code data_parquet_pages_next(data_parquet_pages *r, data_parquet_page *out) {
  *out = (data_parquet_page){0};
  while (!out->entries) {
    data_parquet_header h;
    if (r->group >= r->file->group_count) return ORR_OK;
    if (!r->left) {
      enter_group(r, r->group + 1);
      continue;
    }
    if (!r->bytes) return fail_damaged(r, "its pages hold fewer values than it lists");
    ORR_TRY(read_header(r, &h));
    ORR_TRY(read_bytes(r, &h));
    if (h.kind == DATA_PARQUET_PAGE_DATA) ORR_TRY(read_data_page(r, &h, out));
    if (h.kind == DATA_PARQUET_PAGE_DICTIONARY) ORR_TRY(read_dictionary(r, &h));
  }
  return ORR_OK;
}
