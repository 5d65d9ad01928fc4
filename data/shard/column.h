// One dataset of an open shard: /frames, /tokens, /actions or /state. Rows are read straight from
// the file where its layout allows (`direct`): contiguous or in chunks of whole rows, little
// endian, packed with nothing but what data/shard/unpack.h undoes, every chunk written. All others
// go through HDF5. Private to data/.
#ifndef DATA_COLUMN_H
#define DATA_COLUMN_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/shard/h5.h"
#include "data/shard/read_counter.h"
#include "data/shard/unpack.h"

typedef struct {
  uint64_t address; // in the file
  size_t bytes;     // as it lies there
  uint32_t skipped; // filters left out, for data_unpack_run
} data_chunk;

typedef struct {
  const char *name; // NULL: the shard has no such dataset
  int rank;
  hsize_t dims[4];
  hid_t set, space; // space: kept, so that a read only selects
  hid_t memory_type;
  size_t row_bytes; // of a row in memory: what data_column_read writes
  // What follows is for direct columns.
  bool direct;
  size_t file_row_bytes; // row_bytes, or half of it for u16 tokens, which are i32 in memory
  int64_t chunk_rows;
  int64_t chunk_count;
  data_chunk *chunks; // [chunk_count]
  data_unpack unpack; // count 0: rows lie in the file as they are
} data_column;

// What a shard may hold under a name. size_a, size_b: bytes of an element, either of them.
typedef struct {
  const char *name;
  int rank;
  H5T_class_t class;
  bool is_signed;
  size_t size_a, size_b;
  hid_t memory_type;
  const char *words; // "u8 [frames,height,width,3]"
} data_column_spec;

// Which file a column is opened from.
typedef struct {
  hid_t file;
  const char *path;
  data_h5_fault *fault;
} data_column_source;

// Lock held. Opens the dataset when it is there; c->name stays NULL otherwise. ORR_EFORMAT for
// another shape or type and for a chunk that lies outside the file, ORR_EUNSUPPORTED for a filter
// that nobody here knows. Close it also after a failure.
orr_code data_column_open(const data_column_source *from, const data_column_spec *spec,
                          data_column *c);
void data_column_close(data_column *c); // lock held
// Lock held. Rows first, first+stride, ... through HDF5, in the memory type: [n] rows.
orr_code data_column_read(const data_column_source *from, const data_column *c, int64_t first,
                          int64_t n, int64_t stride, void *out);
// No lock; any thread. The same rows of a direct column without filters, as they lie in the file:
// [n] rows of file_row_bytes. ORR_EIO, ORR_EFORMAT for a file that has become shorter.
orr_code data_column_pread(data_read_counter *tap, const data_column *c, int64_t first, int64_t n,
                           int64_t stride, void *out);
// u16 in the second half of `values` [n] become i32 in place.
void data_column_widen(int32_t *values, int64_t n);

#endif
