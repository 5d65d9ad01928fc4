// Streams of pictures out of HDF5 files. Each stream has its own file open, takes HDF5's lock for
// every picture, and unpacks JPEG and PNG outside of it.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/shard/h5.h"
#include "data/shard/h5_dataset.h"
#include "data/shard/h5_storage.h"
#include "data/import/hdf5.h"
#include "data/import/picture_form.h"
#include "data/pictures/packed.h"
#include "data/shard/format.h"

// One stream. What a row of the dataset is, `form` says.
typedef struct {
  data_import_stream base;
  const data_import_episode *episode; // borrowed
  const char *place;
  hid_t file;
  data_h5_others others;
  data_h5_fault fault;
  data_h5_dataset set;
  hid_t type; // that a row is read as
  data_picture_form form;
  void *row;        // as it is read
  uint8_t *picture; // [height,width,3], where the row is none
  data_packed *packed;
} pictures;

static void close_pictures(data_import_stream *s) {
  pictures *p = (pictures *)s; // its first member
  data_h5_enter();
  if (p->type >= 0) H5Tclose(p->type);
  data_h5_dataset_close(&p->set);
  if (p->file >= 0) H5Fclose(p->file);
  data_h5_leave();
  data_packed_destroy(p->packed);
  orr_free(p->picture);
  orr_free(p->row);
  orr_free(p);
}

static orr_code make(const data_import_episode *e, int64_t camera, pictures **out) {
  pictures *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "%s: out of memory: cannot read its pictures", e->file);
  *p = (pictures){.base.close = close_pictures,
                  .episode = e,
                  .place = e->cameras[camera].place,
                  .others = data_import_hdf5_others(e),
                  .type = H5I_INVALID_HID,
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

// -- pixels ---------------------------------------------------------------------------------

// Channel c of pixel i in a plain row: red, green and blue of grey are the same.
static int64_t value_at(const data_picture_form *f, int64_t i, int c) {
  if (c >= f->channels) c = 0;
  return f->planes ? c * f->height * f->width + i : i * f->channels + c;
}

static void take_bytes(pictures *p) {
  const uint8_t *row = p->row;
  for (int64_t i = 0; i < p->form.height * p->form.width; i++)
    for (int c = 0; c < 3; c++) p->picture[3 * i + c] = row[value_at(&p->form, i, c)];
}

static orr_code take_numbers(pictures *p, int64_t frame) {
  const data_import_episode *e = p->episode;
  const float *row = p->row;
  const double low = e->pixel_low, high = e->pixel_high,
               scale = high > low ? 255 / (high - low) : 0;
  const double slack = (high - low) * 1e-3; // what rounding did to black and white
  for (int64_t i = 0; i < p->form.height * p->form.width; i++) {
    for (int c = 0; c < 3; c++) {
      const double v = row[value_at(&p->form, i, c)];
      ORR_CHECK(scale == 0 || (v >= low - slack && v <= high + slack), ORR_EFORMAT,
                "%s: %s[%" PRId64 "] has a pixel of %g, but pictures here go from %g (black) to %g "
                "(white); say what is black and white with --pixel-range LOW:HIGH",
                e->file, p->place, e->first + frame, v, low, high);
      const double byte = (v - low) * scale + 0.5;
      p->picture[3 * i + c] = byte <= 0 ? 0 : byte >= 255 ? 255 : (uint8_t)byte;
    }
  }
  return ORR_OK;
}

static orr_code setup_pixels(pictures *p) {
  const data_picture_form *f = &p->form;
  const size_t pixels = (size_t)(f->height * f->width);
  const bool bytes = f->kind == DATA_FORM_BYTES;
  p->row = orr_malloc(pixels * (size_t)f->channels * (bytes ? 1 : sizeof(float)));
  p->picture = orr_malloc(pixels * 3);
  ORR_CHECK(p->row && p->picture, ORR_ENOMEM,
            "%s: out of memory for a picture of %" PRId64 " x %" PRId64, p->episode->file,
            f->height, f->width);
  p->type = H5Tcopy(bytes ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT);
  return ORR_OK;
}

// The row as a picture.
static orr_code finish_pixels(pictures *p, int64_t frame, data_picture *out) {
  const data_picture_form *f = &p->form;
  const bool as_it_is = f->kind == DATA_FORM_BYTES && f->channels == 3 && !f->planes;
  if (f->kind == DATA_FORM_NUMBERS)
    ORR_TRY(take_numbers(p, frame));
  else if (!as_it_is)
    take_bytes(p);
  *out = (data_picture){as_it_is ? p->row : p->picture, f->height, f->width};
  return ORR_OK;
}

static void widen(const pictures *p, double *low, double *high) {
  const float *row = p->row;
  const data_picture_form *f = &p->form;
  for (int64_t i = 0; i < f->height * f->width; i++) {
    for (int c = 0; c < 3; c++) {
      const double v = row[value_at(f, i, c)];
      if (isnan(v)) *low = NAN; // nothing widens it any more
      if (v < *low) *low = v;
      if (v > *high) *high = v;
    }
  }
}

// -- one row a frame ------------------------------------------------------------------------

static orr_code read_row(pictures *p, int64_t frame, void *row) {
  data_h5_enter();
  orr_code rc = data_h5_dataset_read(&p->set, p->episode->first + frame, 1, p->type, row);
  data_h5_leave();
  return rc;
}

static orr_code read_pixels(data_import_stream *s, int64_t frame, data_picture *out) {
  pictures *p = (pictures *)s;
  ORR_TRY(read_row(p, frame, p->row));
  return finish_pixels(p, frame, out);
}

static orr_code read_range(data_import_stream *s, int64_t frame, double *low, double *high) {
  pictures *p = (pictures *)s;
  ORR_TRY(read_row(p, frame, p->row));
  widen(p, low, high);
  return ORR_OK;
}

static orr_code unpack(pictures *p, int64_t frame, const void *bytes, size_t size,
                       data_picture *out) {
  char what[4600];
  snprintf(what, sizeof what, "%s: %s[%" PRId64 "]", p->episode->file, p->place,
           p->episode->first + frame);
  return data_packed_decode(p->packed, what, bytes, size, out);
}

static orr_code read_packed(data_import_stream *s, int64_t frame, data_picture *out) {
  pictures *p = (pictures *)s;
  ORR_TRY(read_row(p, frame, p->row));
  return unpack(p, frame, p->row, p->form.bytes, out);
}

static orr_code read_sequence(data_import_stream *s, int64_t frame, data_picture *out) {
  pictures *p = (pictures *)s;
  hvl_t bytes = {0};
  orr_code rc = read_row(p, frame, &bytes);
  if (rc == ORR_OK) rc = unpack(p, frame, bytes.p, bytes.len, out);
  if (bytes.p) H5free_memory(bytes.p);
  return rc;
}

// HDF5's lock held.
static orr_code setup_rows(pictures *p) {
  char words[256];
  p->form = data_picture_form_of(&p->set);
  switch (p->form.kind) {
  case DATA_FORM_BYTES:
  case DATA_FORM_NUMBERS:
    p->base.read = read_pixels;
    if (p->form.kind == DATA_FORM_NUMBERS) p->base.range = read_range;
    return setup_pixels(p);
  case DATA_FORM_SEQUENCES:
    p->base.read = read_sequence;
    p->type = H5Tvlen_create(H5T_NATIVE_UINT8);
    return data_packed_create(&p->packed);
  case DATA_FORM_ROWS:
  case DATA_FORM_STRINGS:
    p->base.read = read_packed;
    p->type =
        p->form.kind == DATA_FORM_STRINGS ? H5Dget_type(p->set.set) : H5Tcopy(H5T_NATIVE_UINT8);
    p->row = orr_malloc(p->form.bytes);
    ORR_CHECK(p->row, ORR_ENOMEM, "%s: out of memory for a picture of %zu bytes", p->set.file,
              p->form.bytes);
    return data_packed_create(&p->packed);
  case DATA_FORM_NONE:
    break;
  }
  data_h5_dataset_describe(&p->set, words, sizeof words);
  return ORR_FAIL(
      ORR_EFORMAT,
      "%s: %s holds %s, which are no pictures: wanted [frames,height,width,3] (or 1, 4, or "
      "channels first), or JPEG or PNG as bytes",
      p->set.file, p->place, words);
}

orr_code data_import_rows_open(const data_import_episode *e, int64_t camera,
                               data_import_stream **out) {
  pictures *p = NULL;
  orr_code rc = make(e, camera, &p);
  if (rc == ORR_OK) {
    data_h5_enter();
    rc = data_h5_dataset_open(p->file, e->file, p->place, &p->set);
    if (rc == ORR_OK) rc = setup_rows(p);
    if (rc == ORR_OK) rc = data_h5_check_written(p->file, &p->set, e->first, e->frames);
    data_h5_leave();
  }
  return hand_over(p, rc, out);
}

// -- one dataset a frame --------------------------------------------------------------------

static orr_code read_dataset(pictures *p, const char *name, data_h5_dataset *d) {
  const data_picture_form f = data_picture_form_of_one(d), *before = &p->form;
  ORR_CHECK(f.kind == DATA_FORM_BYTES && f.channels == 3, ORR_EFORMAT,
            "%s: %s is no picture, u8 [height,width,3]", d->file, name);
  ORR_CHECK(!p->row || (f.height == before->height && f.width == before->width &&
                        f.planes == before->planes),
            ORR_EFORMAT,
            "%s: %s is %" PRId64 " x %" PRId64 " (height x width), but the frame before it %" PRId64
            " x %" PRId64,
            d->file, name, f.height, f.width, before->height, before->width);
  p->form = f;
  if (!p->row) ORR_TRY(setup_pixels(p));
  ORR_TRY(data_h5_check_written(p->file, d, 0, (int64_t)d->dims[0]));
  return data_h5_dataset_read(d, 0, (int64_t)d->dims[0], p->type, p->row);
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
  return rc == ORR_OK ? finish_pixels(p, frame, out) : rc;
}

orr_code data_import_numbered_open(const data_import_episode *e, int64_t camera,
                                   data_import_stream **out) {
  pictures *p = NULL;
  orr_code rc = make(e, camera, &p);
  if (rc == ORR_OK) p->base.read = read_numbered;
  return hand_over(p, rc, out);
}
