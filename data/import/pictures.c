// Streams of pictures out of HDF5 files. Each stream has its own file open, takes HDF5's lock for
// every picture, and unpacks JPEGs outside of it.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/shard/h5.h"
#include "data/shard/h5_dataset.h"
#include "data/shard/h5_storage.h"
#include "data/import/hdf5.h"
#include "data/pictures/jpeg.h"
#include "data/shard/format.h"

#define PICTURE_MAX ((int64_t)1 << 28) // bytes of one picture

typedef struct {
  data_import_stream base;
  const data_import_episode *episode; // borrowed
  const char *place;
  hid_t file;
  data_h5_others others;
  data_h5_fault fault;
  data_h5_dataset set;
  bool planes; // [3,height,width] instead of [height,width,3]
  int64_t height, width;
  uint8_t *row;     // a raw picture, or the bytes of a packed one
  uint8_t *picture; // of planes, pixel by pixel
  data_jpeg *jpeg;  // NULL for raw pictures
} pictures;

static void close_pictures(data_import_stream *s) {
  pictures *p = (pictures *)s; // its first member
  data_h5_enter();
  data_h5_dataset_close(&p->set);
  if (p->file >= 0) H5Fclose(p->file);
  data_h5_leave();
  data_jpeg_destroy(p->jpeg);
  orr_free(p->picture);
  orr_free(p->row);
  orr_free(p);
}

static orr_code make(const data_import_episode *e, int64_t camera, pictures **out) {
  pictures *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "%s: no memory to read its pictures", e->file);
  *p = (pictures){.base.close = close_pictures,
                  .episode = e,
                  .place = e->cameras[camera].place,
                  .others = data_import_hdf5_others(e),
                  .file = H5I_INVALID_HID};
  *out = p;
  data_h5_enter();
  orr_code rc = data_import_hdf5_open(e->file, &p->others, &p->fault, &p->file);
  data_h5_leave();
  return rc;
}

// Hands a stream over that is ready, and closes what there is of one that is not.
static orr_code hand_over(pictures *p, orr_code rc, data_import_stream **out) {
  if (rc == ORR_OK)
    *out = &p->base;
  else if (p)
    close_pictures(&p->base);
  return rc;
}

// Room for raw pictures of the given shape.
static orr_code setup_raw(pictures *p, hsize_t height, hsize_t width) {
  ORR_CHECK(height >= 1 && width >= 1 && height <= DATA_SHARD_SIDE_MAX &&
                width <= DATA_SHARD_SIDE_MAX && (int64_t)(height * width * 3) <= PICTURE_MAX,
            ORR_EFORMAT, "%s: %s has pictures of %" PRIu64 " x %" PRIu64 " (height x width)",
            p->episode->file, p->place, (uint64_t)height, (uint64_t)width);
  p->height = (int64_t)height;
  p->width = (int64_t)width;
  p->row = orr_malloc((size_t)(height * width * 3));
  if (p->planes) p->picture = orr_malloc((size_t)(height * width * 3));
  ORR_CHECK(p->row && (p->picture || !p->planes), ORR_ENOMEM,
            "%s: no memory for a picture of %" PRId64 " x %" PRId64, p->episode->file, p->height,
            p->width);
  return ORR_OK;
}

// -- one row a frame -------------------------------------------------------------------------

static void interleave(pictures *p) {
  int64_t n = p->height * p->width;
  for (int64_t i = 0; i < n; i++) {
    for (int c = 0; c < 3; c++) p->picture[3 * i + c] = p->row[c * n + i];
  }
}

static orr_code read_row(pictures *p, int64_t frame) {
  data_h5_enter();
  orr_code rc =
      data_h5_dataset_read(&p->set, p->episode->first + frame, 1, H5T_NATIVE_UINT8, p->row);
  data_h5_leave();
  return rc;
}

static orr_code read_raw(data_import_stream *s, int64_t frame, data_picture *out) {
  pictures *p = (pictures *)s;
  ORR_TRY(read_row(p, frame));
  if (p->planes) interleave(p);
  *out = (data_picture){p->planes ? p->picture : p->row, p->height, p->width};
  return ORR_OK;
}

static orr_code unpack(pictures *p, int64_t frame, const uint8_t *bytes, size_t size,
                       data_picture *out) {
  char what[4600];
  snprintf(what, sizeof what, "%s: %s[%" PRId64 "]", p->episode->file, p->place,
           p->episode->first + frame);
  return data_jpeg_decode(p->jpeg, what, bytes, size, out);
}

static orr_code read_padded(data_import_stream *s, int64_t frame, data_picture *out) {
  pictures *p = (pictures *)s;
  ORR_TRY(read_row(p, frame));
  return unpack(p, frame, p->row, (size_t)p->set.dims[1], out);
}

static orr_code read_sequence(data_import_stream *s, int64_t frame, data_picture *out) {
  pictures *p = (pictures *)s;
  hvl_t bytes = {0};
  data_h5_enter();
  hid_t type = H5Tvlen_create(H5T_NATIVE_UINT8);
  orr_code rc = type >= 0
                    ? data_h5_dataset_read(&p->set, p->episode->first + frame, 1, type, &bytes)
                    : ORR_FAIL(ORR_ENOMEM, "%s: no memory for a type", p->episode->file);
  if (type >= 0) H5Tclose(type);
  data_h5_leave();
  if (rc == ORR_OK) rc = unpack(p, frame, bytes.p, bytes.len, out);
  if (bytes.p) H5free_memory(bytes.p);
  return rc;
}

static orr_code setup_rows(pictures *p) {
  const data_h5_dataset *d = &p->set;
  if (d->kind == DATA_H5_BYTES && d->rank == 4) {
    p->planes = d->dims[3] != 3;
    p->base.read = read_raw;
    return p->planes ? setup_raw(p, d->dims[2], d->dims[3]) : setup_raw(p, d->dims[1], d->dims[2]);
  }
  ORR_TRY(data_jpeg_create(&p->jpeg));
  p->base.read = read_sequence;
  if (d->kind == DATA_H5_SEQUENCE) return ORR_OK;
  p->base.read = read_padded;
  ORR_CHECK(d->dims[1] >= 1 && d->dims[1] <= (hsize_t)PICTURE_MAX, ORR_EFORMAT,
            "%s: %s has JPEGs of %" PRIu64 " bytes", d->file, d->name, (uint64_t)d->dims[1]);
  p->row = orr_malloc((size_t)d->dims[1]);
  ORR_CHECK(p->row, ORR_ENOMEM, "%s: no memory for a JPEG of %" PRIu64 " bytes", d->file,
            (uint64_t)d->dims[1]);
  return ORR_OK;
}

orr_code data_import_rows_open(const data_import_episode *e, int64_t camera,
                               data_import_stream **out) {
  pictures *p = NULL;
  orr_code rc = make(e, camera, &p);
  if (rc == ORR_OK) {
    data_h5_enter();
    rc = data_h5_dataset_open(p->file, e->file, p->place, &p->set);
    if (rc == ORR_OK) rc = data_h5_check_written(p->file, &p->set, e->first, e->frames);
    data_h5_leave();
  }
  if (rc == ORR_OK) rc = setup_rows(p);
  return hand_over(p, rc, out);
}

// -- one dataset a frame ---------------------------------------------------------------------

static orr_code read_dataset(pictures *p, const char *name, data_h5_dataset *d) {
  ORR_CHECK(d->kind == DATA_H5_BYTES && d->rank == 3 && d->dims[2] == 3, ORR_EFORMAT,
            "%s: %s is no picture, u8 [height,width,3]", d->file, name);
  if (!p->row) ORR_TRY(setup_raw(p, d->dims[0], d->dims[1]));
  ORR_CHECK((int64_t)d->dims[0] == p->height && (int64_t)d->dims[1] == p->width, ORR_EFORMAT,
            "%s: %s is %" PRIu64 " x %" PRIu64 " (height x width), but the frame before it %" PRId64
            " x %" PRId64,
            d->file, name, (uint64_t)d->dims[0], (uint64_t)d->dims[1], p->height, p->width);
  ORR_TRY(data_h5_check_written(p->file, d, 0, p->height));
  return data_h5_dataset_read(d, 0, p->height, H5T_NATIVE_UINT8, p->row);
}

static orr_code read_numbered(data_import_stream *s, int64_t frame, data_picture *out) {
  pictures *p = (pictures *)s;
  char name[64];
  data_h5_dataset d;
  const char *number = strstr(p->place, "%lld");
  snprintf(name, sizeof name, "%.*s%" PRId64 "%s", (int)(number - p->place), p->place, frame,
           number + 4);
  data_h5_enter();
  orr_code rc = data_h5_dataset_open(p->file, p->episode->file, name, &d);
  if (rc == ORR_OK) {
    rc = read_dataset(p, name, &d);
    data_h5_dataset_close(&d);
  }
  data_h5_leave();
  if (rc == ORR_OK) *out = (data_picture){p->row, p->height, p->width};
  return rc;
}

orr_code data_import_numbered_open(const data_import_episode *e, int64_t camera,
                                   data_import_stream **out) {
  pictures *p = NULL;
  orr_code rc = make(e, camera, &p);
  if (rc == ORR_OK) p->base.read = read_numbered;
  return hand_over(p, rc, out);
}
