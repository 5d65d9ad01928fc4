#include "data/import/frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "data/pictures/orient.h"
#include "data/pictures/resize.h"
#include "data/shard/format.h"

#define CAMERAS_MAX 16

typedef struct {
  const data_import_camera *camera; // borrowed
  data_import_stream *stream;
  int64_t height, width; // of its pictures, turned as --rotate and --flip say
  uint8_t *turned;       // room for one of them; NULL: they stay as they are
  int64_t top, left, cut_height, cut_width;
  data_resizer *resizer;
} view;

struct data_import_framer {
  const data_import_episode *episode;
  int64_t n, rows, cols; // views, and how they are tiled
  int64_t cell_height, cell_width;
  int64_t height, width;
  bool swap; // blue comes first in the source
  uint64_t fingerprint;
  data_orientation orientation;
  view views[CAMERAS_MAX];
};

// -- opening --------------------------------------------------------------------------------

static void join_cameras(const data_import_episode *e, char *out, size_t size) {
  size_t at = 0;
  for (int64_t i = 0; i < e->camera_count && at < size; i++)
    at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "", e->cameras[i].name);
}

static orr_code add_view(data_import_framer *f, const char *name) {
  const data_import_episode *e = f->episode;
  char list[512];
  int64_t i = 0;
  join_cameras(e, list, sizeof list);
  while (i < e->camera_count && strcmp(e->cameras[i].name, name) != 0) i++;
  ORR_CHECK(i < e->camera_count, ORR_ENOTFOUND, "%s: no camera %s; there are: %s", e->name, name,
            list);
  view *v = &f->views[f->n++];
  v->camera = &e->cameras[i];
  return e->format->open(e, i, &v->stream);
}

static orr_code open_views(data_import_framer *f, const data_import_options *o) {
  char list[512];
  join_cameras(f->episode, list, sizeof list);
  if (!o->cameras.n) {
    ORR_CHECK(f->episode->camera_count == 1, ORR_EINVAL,
              "%s: several cameras: %s; choose one with --camera NAME, or put some side by side "
              "with --camera NAME,NAME",
              f->episode->name, list);
    return add_view(f, f->episode->cameras[0].name);
  }
  ORR_CHECK(o->cameras.n <= CAMERAS_MAX, ORR_EINVAL, "%" PRId64 " cameras, wanted at most %d",
            o->cameras.n, CAMERAS_MAX);
  for (int64_t i = 0; i < o->cameras.n; i++) ORR_TRY(add_view(f, o->cameras.v[i]));
  return ORR_OK;
}

// The largest part of the picture with the cell's proportions, in its middle.
static void cut_centre(const data_import_framer *f, view *v) {
  if (v->width * f->cell_height > v->height * f->cell_width)
    v->cut_width = (v->height * f->cell_width + f->cell_height / 2) / f->cell_height;
  else
    v->cut_height = (v->width * f->cell_height + f->cell_width / 2) / f->cell_width;
  v->cut_height = v->cut_height > 0 ? v->cut_height : 1;
  v->cut_width = v->cut_width > 0 ? v->cut_width : 1;
  v->top = (v->height - v->cut_height) / 2;
  v->left = (v->width - v->cut_width) / 2;
}

static orr_code cut_given(const data_import_framer *f, const data_import_options *o, view *v) {
  v->top = o->crop[0];
  v->left = o->crop[1];
  v->cut_height = o->crop[2];
  v->cut_width = o->crop[3];
  ORR_CHECK(v->cut_height <= v->height - v->top && v->cut_width <= v->width - v->left, ORR_EINVAL,
            "%s: --crop %" PRId64 "x%" PRId64 "+%" PRId64 "+%" PRId64
            " (height x width + top + left) goes beyond the pictures of camera %s, %" PRId64
            " x %" PRId64,
            f->episode->name, v->cut_height, v->cut_width, v->top, v->left, v->camera->name,
            v->height, v->width);
  return ORR_OK;
}

// A view's picture number `frame`, turned.
static orr_code read_picture(data_import_framer *f, view *v, int64_t frame, data_picture *p) {
  ORR_TRY(v->stream->read(v->stream, frame, p));
  if (data_orient_is_none(f->orientation)) return ORR_OK;
  int64_t height = p->height, width = p->width;
  data_orient_size(f->orientation, height, width, &p->height, &p->width);
  if (!v->turned) {
    v->turned = orr_malloc((size_t)(height * width * 3));
  } else if (p->height != v->height || p->width != v->width) {
    return ORR_OK; // of another size than the room: the caller refuses it
  }
  ORR_CHECK(v->turned, ORR_ENOMEM, "%s: out of memory for a picture of %" PRId64 " x %" PRId64,
            f->episode->name, height, width);
  data_orient_run(f->orientation, p->rgb, height, width, v->turned);
  p->rgb = v->turned;
  return ORR_OK;
}

// The first picture tells the size of a view.
static orr_code measure(data_import_framer *f, const data_import_options *o, view *v,
                        int64_t first) {
  data_picture p;
  ORR_TRY(read_picture(f, v, first, &p));
  v->height = v->cut_height = p.height;
  v->width = v->cut_width = p.width;
  return o->crop[2] > 0 ? cut_given(f, o, v) : ORR_OK;
}

static orr_code setup_cells(data_import_framer *f, const data_import_options *o) {
  f->rows = o->tile_rows ? o->tile_rows : 1;
  f->cols = o->tile_rows ? o->tile_cols : f->n;
  ORR_CHECK(f->rows * f->cols >= f->n, ORR_EINVAL,
            "--tile %" PRId64 "x%" PRId64 " has no room for %" PRId64 " cameras", f->rows, f->cols,
            f->n);
  ORR_CHECK(o->height % f->rows == 0 && o->width % f->cols == 0, ORR_EINVAL,
            "--size %" PRId64 "x%" PRId64 " does not divide into %" PRId64 " x %" PRId64
            " tiles (height x width); choose multiples",
            o->height, o->width, f->rows, f->cols);
  f->cell_height = o->height ? o->height / f->rows : f->views[0].cut_height;
  f->cell_width = o->width ? o->width / f->cols : f->views[0].cut_width;
  for (int64_t i = 1; i < f->n && !o->height; i++) {
    const view *v = &f->views[i];
    ORR_CHECK(v->cut_height == f->cell_height && v->cut_width == f->cell_width, ORR_EINVAL,
              "%s: camera %s is %" PRId64 " x %" PRId64 ", but %s is %" PRId64 " x %" PRId64
              " (height x width); give --size",
              f->episode->name, v->camera->name, v->cut_height, v->cut_width,
              f->views[0].camera->name, f->cell_height, f->cell_width);
  }
  f->height = f->cell_height * f->rows;
  f->width = f->cell_width * f->cols;
  ORR_CHECK(f->height <= DATA_SHARD_SIDE_MAX && f->width <= DATA_SHARD_SIDE_MAX, ORR_EINVAL,
            "frames of %" PRId64 " x %" PRId64 " (height x width), wanted at most %d", f->height,
            f->width, DATA_SHARD_SIDE_MAX);
  return ORR_OK;
}

orr_code data_import_framer_open(const data_import_options *o, const data_import_episode *e,
                                 int64_t first, data_import_framer **out) {
  orr_code rc = ORR_OK;
  data_import_framer *f = orr_calloc(1, sizeof *f);
  ORR_CHECK(f, ORR_ENOMEM, "%s: out of memory: cannot read it", e->name);
  f->episode = e;
  data_channels channels = o->channels ? o->channels : e->format->channels;
  f->swap = channels == DATA_CHANNELS_BGR;
  ORR_CHECK_GOTO(data_orient_turn(o->rotate, &f->orientation), fail, ORR_EINVAL,
                 "--rotate %d, wanted 0, 90, 180 or 270", o->rotate);
  if (o->flip_h) f->orientation = data_orient_then(f->orientation, data_orient_mirror(false));
  if (o->flip_v) f->orientation = data_orient_then(f->orientation, data_orient_mirror(true));
  ORR_TRY_GOTO(open_views(f, o), fail);
  for (int64_t i = 0; i < f->n; i++) ORR_TRY_GOTO(measure(f, o, &f->views[i], first), fail);
  ORR_TRY_GOTO(setup_cells(f, o), fail);
  for (int64_t i = 0; i < f->n; i++) {
    view *v = &f->views[i];
    if (o->crop_centre) cut_centre(f, v);
    ORR_TRY_GOTO(data_resizer_create(v->cut_height, v->cut_width, f->cell_height, f->cell_width,
                                     &v->resizer),
                 fail);
  }
  *out = f;
  return ORR_OK;
fail:
  data_import_framer_close(f);
  return rc;
}

void data_import_framer_close(data_import_framer *f) {
  if (!f) return;
  for (int64_t i = 0; i < f->n; i++) {
    data_resizer_destroy(f->views[i].resizer);
    orr_free(f->views[i].turned);
    if (f->views[i].stream) f->views[i].stream->close(f->views[i].stream);
  }
  orr_free(f);
}

int64_t data_import_framer_height(const data_import_framer *f) {
  return f->height;
}

int64_t data_import_framer_width(const data_import_framer *f) {
  return f->width;
}

// -- reading --------------------------------------------------------------------------------

static orr_code read_view(data_import_framer *f, view *v, int64_t frame, uint8_t *out) {
  data_picture p;
  ORR_TRY(read_picture(f, v, frame, &p));
  ORR_CHECK(p.height == v->height && p.width == v->width, ORR_EFORMAT,
            "%s: frame %" PRId64 " of camera %s is %" PRId64 " x %" PRId64
            " (height x width), but the first is %" PRId64 " x %" PRId64,
            f->episode->name, frame, v->camera->name, p.height, p.width, v->height, v->width);
  data_resizer_run(v->resizer, p.rgb + (v->top * p.width + v->left) * 3, (size_t)p.width * 3, out,
                   (size_t)f->width * 3);
  return ORR_OK;
}

orr_code data_import_framer_read(data_import_framer *f, int64_t frame, uint8_t *out) {
  if (f->n < f->rows * f->cols) memset(out, 0, (size_t)(f->height * f->width * 3));
  for (int64_t i = 0; i < f->n; i++) {
    int64_t top = i / f->cols * f->cell_height, left = i % f->cols * f->cell_width;
    ORR_TRY(read_view(f, &f->views[i], frame, out + (top * f->width + left) * 3));
  }
  for (int64_t i = 0; f->swap && i < f->height * f->width; i++) {
    uint8_t blue = out[3 * i];
    out[3 * i] = out[3 * i + 2];
    out[3 * i + 2] = blue;
  }
  return ORR_OK;
}

bool data_import_framer_numbers(const data_import_framer *f) {
  for (int64_t i = 0; i < f->n; i++)
    if (f->views[i].stream->range) return true;
  return false;
}

orr_code data_import_framer_range(data_import_framer *f, int64_t frame, double *low, double *high) {
  for (int64_t i = 0; i < f->n; i++) {
    data_import_stream *s = f->views[i].stream;
    if (s->range) ORR_TRY(s->range(s, frame, low, high));
  }
  return ORR_OK;
}

uint64_t data_import_framer_fingerprint(const data_import_framer *f) {
  return f->fingerprint;
}
