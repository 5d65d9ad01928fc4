#include "data/shard/column.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/shard/format.h"
#include "data/shard/h5_storage.h"

#define OWN_ROWS                                                                                   \
  "a shard holds its rows itself: write it with them inside, or bring the source in with `orrery " \
  "data import`"
#define DAMAGED "the file is damaged, fetch or write it again"

// -- opening --------------------------------------------------------------------------------

// Access through which an unfiltered dataset is read straight from the file, only the rows wanted,
// and a filtered one through a cache of two chunks.
static hid_t access_list(hid_t set) {
  hsize_t chunk[8];
  hid_t create = H5Dget_create_plist(set), type = H5Dget_type(set);
  hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
  if (create >= 0 && type >= 0 && access >= 0 && H5Pget_layout(create) == H5D_CHUNKED) {
    int rank = H5Pget_chunk(create, 8, chunk);
    size_t bytes = H5Tget_size(type) * 2;
    for (int i = 0; i < rank && i < 8; i++) bytes *= (size_t)chunk[i];
    H5Pset_chunk_cache(access, 521, H5Pget_nfilters(create) > 0 ? bytes : 0, 1.0);
  }
  if (type >= 0) H5Tclose(type);
  if (create >= 0) H5Pclose(create);
  return access;
}

// How an element lies in memory.
static hid_t plain_type(H5T_class_t class, size_t size) {
  if (class == H5T_FLOAT) return H5T_IEEE_F32LE;
  return size == 1 ? H5T_STD_U8LE : size == 2 ? H5T_STD_U16LE : H5T_STD_U32LE;
}

// *plain: the bytes of an element lie in the file as they do in memory.
static bool type_fits(hid_t set, const data_column_spec *spec, size_t *size, bool *plain) {
  hid_t type = H5Dget_type(set);
  if (type < 0) return false;
  *size = H5Tget_size(type);
  bool good = H5Tget_class(type) == spec->class && (*size == spec->size_a || *size == spec->size_b);
  if (good && spec->class == H5T_INTEGER) {
    good = (H5Tget_sign(type) == H5T_SGN_2) == spec->is_signed;
  }
  // not only the order of the bytes: a type may have padding bits, or be no IEEE number
  *plain = good && H5Tequal(type, plain_type(spec->class, *size)) > 0;
  H5Tclose(type);
  return good;
}

static orr_code check_filters(const char *path, const data_column *c) {
  orr_code rc = ORR_OK;
  data_h5_filter missing;
  hid_t create = H5Dget_create_plist(c->set);
  H5_CHECK_GOTO(create >= 0, done, ORR_EFORMAT, "%s: cannot look at /%s", path, c->name);
  ORR_CHECK_GOTO(!data_h5_lacks_filter(create, &missing), done, ORR_EUNSUPPORTED,
                 "%s: /%s is packed with filter %d (%s); wanted none, gzip or lzf; write it again "
                 "with one of them",
                 path, c->name, missing.id, missing.name);
done:
  if (create >= 0) H5Pclose(create);
  return rc;
}

// HDF5 hands out zeros for what was never written: black frames that nobody recorded.
static orr_code check_written(const char *path, const data_column *c) {
  const int64_t rows = (int64_t)c->dims[0];
  if (rows <= 0 || rows > DATA_SHARD_FRAMES_MAX || c->row_bytes == 0) return ORR_OK;
  const int64_t written = data_h5_rows_written(c->set, c->dims, c->rank, 0, rows);
  ORR_CHECK(written == rows, ORR_EFORMAT,
            "%s: of /%s only %" PRId64 " of %" PRId64
            " rows were written; write the shard again, with zeros where zeros are meant",
            path, c->name, written, rows);
  return ORR_OK;
}

// -- where the chunks lie -------------------------------------------------------------------

// Rows a chunk, and how it is packed. false when HDF5 has to read this layout.
static bool chunk_layout(data_column *c) {
  hsize_t chunk[4];
  unsigned edges = 0;
  hid_t create = H5Dget_create_plist(c->set);
  if (create < 0) return false;
  H5D_layout_t layout = H5Pget_layout(create);
  bool good = data_unpack_from(create, &c->unpack);
  if (layout == H5D_CHUNKED) {
    good = good && H5Pget_chunk(create, 4, chunk) == c->rank &&
           H5Pget_chunk_opts(create, &edges) >= 0 && edges == 0;
    for (int i = 1; good && i < c->rank; i++) good = chunk[i] == c->dims[i];
    c->chunk_rows = good ? (int64_t)chunk[0] : 0;
  } else {
    good = good && layout == H5D_CONTIGUOUS && H5Pget_external_count(create) == 0;
    c->chunk_rows = (int64_t)c->dims[0];
  }
  H5Pclose(create);
  return good && c->chunk_rows > 0;
}

// false: chunk i was never written.
static bool locate(const data_column *c, data_h5_window *w, int64_t i, data_chunk *out) {
  hsize_t first[4] = {(hsize_t)(i * c->chunk_rows)}, bytes = 0;
  unsigned char untouched[1];
  uint32_t skipped = 0;
  if (H5Dget_chunk_storage_size(c->set, first, &bytes) < 0 || bytes == 0) return false;
  w->length = 0;
  w->probing = true;
  herr_t rc = H5Dread_chunk(c->set, H5P_DEFAULT, first, &skipped, untouched);
  w->probing = false;
  *out = (data_chunk){.address = w->address, .bytes = w->length, .skipped = skipped};
  return rc >= 0 && w->length == bytes;
}

// The one block of a contiguous dataset, or the chunks of a chunked one; `whole`: bytes of an
// unpacked chunk. *all: every chunk is in the file.
static orr_code locate_all(const data_column_source *from, data_column *c, data_h5_window *w,
                           bool contiguous, size_t whole, bool *all) {
  c->chunks = orr_calloc((size_t)c->chunk_count, sizeof *c->chunks);
  ORR_CHECK(c->chunks, ORR_ENOMEM, "%s: out of memory for %" PRId64 " chunks of /%s", from->path,
            c->chunk_count, c->name);
  *all = true;
  for (int64_t i = 0; *all && i < c->chunk_count; i++) {
    data_chunk *k = &c->chunks[i];
    if (contiguous) {
      haddr_t at = H5Dget_offset(c->set);
      *k = (data_chunk){.address = at, .bytes = whole};
      *all = at != HADDR_UNDEF;
    } else {
      *all = locate(c, w, i, k);
    }
    if (!*all) return ORR_OK;
    ORR_CHECK(k->address <= w->bytes && k->bytes <= w->bytes - k->address, ORR_EFORMAT,
              "%s: /%s: chunk %" PRId64 " lies at byte %" PRIu64 " of %" PRIu64 "; " DAMAGED,
              from->path, c->name, i, k->address, w->bytes);
    ORR_CHECK(c->unpack.count || k->bytes == whole, ORR_EFORMAT,
              "%s: /%s: chunk %" PRId64 " has %zu bytes, wanted %zu; " DAMAGED, from->path, c->name,
              i, k->bytes, whole);
  }
  return ORR_OK;
}

// Makes the column direct when it can be. `size`: bytes of an element in the file.
static orr_code open_direct(const data_column_source *from, data_column *c, size_t size) {
  data_h5_window *w = data_h5_file_window(from->file);
  hsize_t written = 0;
  size_t whole = 0;
  bool all = false;
  if (!w || !chunk_layout(c)) return ORR_OK;
  c->file_row_bytes = size;
  for (int i = 1; i < c->rank; i++) c->file_row_bytes *= (size_t)c->dims[i];
  if (__builtin_mul_overflow((size_t)c->chunk_rows, c->file_row_bytes, &whole)) return ORR_OK;
  c->unpack.element = size;
  c->unpack.bytes = whole;
  c->chunk_count = ((int64_t)c->dims[0] - 1) / c->chunk_rows + 1;
  bool contiguous = c->chunk_count == 1 && H5Dget_offset(c->set) != HADDR_UNDEF;
  // A count that the file cannot hold is not worth the memory of a table.
  if (!contiguous && (H5Dget_num_chunks(c->set, c->space, &written) < 0 ||
                      written != (hsize_t)c->chunk_count || written > w->bytes)) {
    return ORR_OK;
  }
  ORR_TRY(locate_all(from, c, w, contiguous, whole, &all));
  c->direct = all;
  return ORR_OK;
}

orr_code data_column_open(const data_column_source *from, const data_column_spec *spec,
                          data_column *c) {
  size_t size = 0;
  bool plain = false;
  *c = (data_column){.set = H5I_INVALID_HID, .space = H5I_INVALID_HID};
  if (H5Lexists(from->file, spec->name, H5P_DEFAULT) <= 0) return ORR_OK;
  ORR_TRY(data_h5_check_own(from->file, from->path, spec->name, OWN_ROWS));
  hid_t set = H5Dopen2(from->file, spec->name, H5P_DEFAULT);
  if (set < 0) return data_h5_blame(from->fault, from->path, "open one of its datasets", DAMAGED);
  hid_t access = access_list(set);
  H5Dclose(set); // the cache's size is fixed at the first open
  c->name = spec->name;
  c->rank = spec->rank;
  c->memory_type = spec->memory_type;
  c->set = access < 0 ? H5I_INVALID_HID : H5Dopen2(from->file, spec->name, access);
  if (access >= 0) H5Pclose(access);
  c->space = c->set < 0 ? H5I_INVALID_HID : H5Dget_space(c->set);
  if (c->space < 0)
    return data_h5_blame(from->fault, from->path, "open one of its datasets", DAMAGED);
  ORR_CHECK(H5Sget_simple_extent_ndims(c->space) == c->rank, ORR_EFORMAT,
            "%s: /%s has %d dimensions, wanted %d: %s", from->path, c->name,
            H5Sget_simple_extent_ndims(c->space), c->rank, spec->words);
  H5Sget_simple_extent_dims(c->space, c->dims, NULL);
  ORR_CHECK(type_fits(c->set, spec, &size, &plain), ORR_EFORMAT,
            "%s: /%s has another type than a version %d shard, wanted %s", from->path, c->name,
            DATA_SHARD_VERSION, spec->words);
  c->row_bytes = H5Tget_size(spec->memory_type);
  for (int i = 1; i < c->rank; i++) {
    ORR_CHECK(!__builtin_mul_overflow(c->row_bytes, (size_t)c->dims[i], &c->row_bytes), ORR_EFORMAT,
              "%s: /%s has %" PRIu64 " values along dimension %d, wanted %s", from->path, c->name,
              (uint64_t)c->dims[i], i, spec->words);
  }
  ORR_TRY(check_filters(from->path, c));
  ORR_TRY(check_written(from->path, c));
  if (plain && c->dims[0] > 0 && c->row_bytes > 0) ORR_TRY(open_direct(from, c, size));
  // what HDF5 could not tell for want of a byte is no property of the layout
  return from->fault->rc == ORR_OK ? ORR_OK
                                   : data_h5_blame(from->fault, from->path, "open it", DAMAGED);
}

void data_column_close(data_column *c) {
  if (c->space >= 0) H5Sclose(c->space);
  if (c->set >= 0) H5Dclose(c->set);
  orr_free(c->chunks);
  *c = (data_column){.set = H5I_INVALID_HID, .space = H5I_INVALID_HID};
}

// -- reading --------------------------------------------------------------------------------

orr_code data_column_read(const data_column_source *from, const data_column *c, int64_t first,
                          int64_t n, int64_t stride, void *out) {
  hsize_t start[4] = {(hsize_t)first}, step[4] = {(hsize_t)stride, 1, 1, 1};
  hsize_t count[4] = {(hsize_t)n};
  char what[64];
  for (int i = 1; i < c->rank; i++) count[i] = c->dims[i];
  from->fault->rc = ORR_OK;
  hid_t memory = H5Screate_simple(c->rank, count, NULL);
  bool good = memory >= 0 &&
              H5Sselect_hyperslab(c->space, H5S_SELECT_SET, start, step, count, NULL) >= 0 &&
              H5Dread(c->set, c->memory_type, memory, c->space, H5P_DEFAULT, out) >= 0;
  if (memory >= 0) H5Sclose(memory);
  if (good) return ORR_OK;
  snprintf(what, sizeof what, "read /%s from row %" PRId64, c->name, first);
  return data_h5_blame(from->fault, from->path, what, DAMAGED);
}

orr_code data_column_pread(data_read_counter *tap, const data_column *c, int64_t first, int64_t n,
                           int64_t stride, void *out) {
  unsigned char *to = out;
  for (int64_t i = 0; i < n;) {
    int64_t row = first + i * stride, within = row % c->chunk_rows, run = 1;
    if (stride == 1) run = n - i < c->chunk_rows - within ? n - i : c->chunk_rows - within;
    size_t bytes = (size_t)run * c->file_row_bytes;
    uint64_t at =
        c->chunks[row / c->chunk_rows].address + (uint64_t)within * (uint64_t)c->file_row_bytes;
    ORR_TRY(data_read_counter_read(tap, to, bytes, at));
    to += bytes;
    i += run;
  }
  return ORR_OK;
}

// Value i comes from bytes that values before it do not reach: 2n + 2i >= 4i.
void data_column_widen(int32_t *values, int64_t n) {
  const unsigned char *half = (const unsigned char *)values + 2 * n;
  for (int64_t i = 0; i < n; i++) {
    uint16_t value;
    memcpy(&value, half + 2 * i, sizeof value);
    values[i] = value;
  }
}
