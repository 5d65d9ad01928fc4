// Datasets of HDF5 files that others wrote: their shape and kind, and rows of them. Private to
// data/; HDF5's lock held in every call. Messages name the file and the dataset.
#ifndef DATA_H5_DATASET_H
#define DATA_H5_DATASET_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define DATA_H5_RANK_MAX 8

typedef enum {
  DATA_H5_BYTES,    // u8
  DATA_H5_NUMBERS,  // other integers, floats, booleans
  DATA_H5_SEQUENCE, // bytes of variable length: one packed picture an element
  DATA_H5_STRING,   // text of fixed length or opaque bytes: the same
  DATA_H5_OTHER,    // references, compounds and the like
} data_h5_kind;

typedef struct {
  const char *file, *name; // borrowed
  hid_t set, space;
  data_h5_kind kind;
  bool enumerated; // booleans
  size_t size;     // bytes of an element
  int rank;
  hsize_t dims[DATA_H5_RANK_MAX];
  int nested; // so many virtual datasets lead to it
} data_h5_dataset;

// Local. ORR_ENOTFOUND names the dataset and lists what is there instead, or the link that leads
// nowhere; ORR_EUNSUPPORTED names a filter that this HDF5 lacks. On success the caller closes it.
// Whether its rows are there says data/shard/h5_storage.h.
orr_code data_h5_dataset_open(hid_t file, const char *path, const char *name, data_h5_dataset *out);
// Local. Takes one that was never opened but is zeroed.
void data_h5_dataset_close(data_h5_dataset *d);
// Local. Rows first .. first+n-1 of the first dimension into out, converted to memory_type.
// ORR_EINVAL outside the dataset, ORR_EFORMAT for bytes that cannot be read.
orr_code data_h5_dataset_read(const data_h5_dataset *d, int64_t first, int64_t n, hid_t memory_type,
                              void *out);
// Local. Type and shape in words: "float32 [12,48,64,3]", "object references [20]".
void data_h5_dataset_describe(const data_h5_dataset *d, char *out, size_t size);
// Local. Elements of a row: the product of the other dimensions; -1 beyond 2^40.
int64_t data_h5_dataset_row(const data_h5_dataset *d);

// Local. Whether an object (group or dataset) of this name exists.
bool data_h5_has(hid_t file, const char *name);
// Local. Whether it is a group.
bool data_h5_is_group(hid_t file, const char *name);
// Local. Names of the links in a group, in natural order ("demo_2" before "demo_10"); one block,
// orr_free(*names) frees it. ORR_EFORMAT, ORR_ENOMEM.
orr_code data_h5_list(hid_t file, const char *path, const char *group, char ***names, int64_t *n);
// Local. "a, b, c" from a list of names, cut with "..." when long.
void data_h5_join(char *out, size_t size, char *const *names, int64_t n);

#endif
