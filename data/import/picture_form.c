#include "data/import/picture_form.h"

#include "data/shard/format.h"

#define PACKED_MIN 64                // bytes: no packed picture is shorter
#define PACKED_MAX ((size_t)1 << 28) // bytes

// Whether a dimension counts channels; in doubt the last one does.
static bool is_channels(hsize_t n) {
  return n == 1 || n == 3 || n == 4;
}

// Pixels in dimensions dims[0..rank).
static data_picture_form pixels(data_picture_form_kind kind, const hsize_t *dims, int rank) {
  data_picture_form f = {.kind = kind, .channels = 1}, none = {.kind = DATA_FORM_NONE};
  if (rank == 3) {
    f.planes = !is_channels(dims[2]) || (dims[2] != 3 && dims[0] == 3);
    if (f.planes && !is_channels(dims[0])) return none;
    f.channels = (int)(f.planes ? dims[0] : dims[2]);
  } else if (rank != 2) {
    return none;
  }
  const hsize_t height = dims[f.planes], width = dims[f.planes + 1];
  if (height < 1 || width < 1 || height > DATA_SHARD_SIDE_MAX || width > DATA_SHARD_SIDE_MAX)
    return none;
  f.height = (int64_t)height;
  f.width = (int64_t)width;
  return f;
}

static bool one_a_row(const data_h5_dataset *d) {
  return data_h5_dataset_row(d) == 1;
}

static data_picture_form packed(data_picture_form_kind kind, uint64_t bytes) {
  if (bytes < PACKED_MIN || bytes > PACKED_MAX) return (data_picture_form){.kind = DATA_FORM_NONE};
  return (data_picture_form){.kind = kind, .bytes = (size_t)bytes};
}

data_picture_form data_picture_form_of(const data_h5_dataset *d) {
  switch (d->kind) {
  case DATA_H5_SEQUENCE:
    if (one_a_row(d)) return (data_picture_form){.kind = DATA_FORM_SEQUENCES};
    break;
  case DATA_H5_STRING:
    if (one_a_row(d)) return packed(DATA_FORM_STRINGS, d->size);
    break;
  case DATA_H5_BYTES:
  case DATA_H5_NUMBERS:
    if (d->rank == 2 && d->size == 1 && !d->enumerated) return packed(DATA_FORM_ROWS, d->dims[1]);
    if (d->rank < 3) break;
    return pixels(d->kind == DATA_H5_BYTES ? DATA_FORM_BYTES : DATA_FORM_NUMBERS, d->dims + 1,
                  d->rank - 1);
  case DATA_H5_OTHER:
    break;
  }
  return (data_picture_form){.kind = DATA_FORM_NONE};
}

data_picture_form data_picture_form_of_one(const data_h5_dataset *d) {
  if (d->kind == DATA_H5_BYTES || d->kind == DATA_H5_NUMBERS)
    return pixels(d->kind == DATA_H5_BYTES ? DATA_FORM_BYTES : DATA_FORM_NUMBERS, d->dims, d->rank);
  return (data_picture_form){.kind = DATA_FORM_NONE};
}

int data_picture_form_rank(const data_picture_form *f) {
  if (f->kind == DATA_FORM_NONE) return 0;
  if (f->bytes || f->kind == DATA_FORM_SEQUENCES) return 3;
  if (f->channels == 1) return 1;
  return f->kind == DATA_FORM_BYTES ? 3 : 2;
}
