// PhyWorld's data sets (Kang et al. 2024): every element of /video_streams/NNNNN is the bytes of
// one film, an episode without actions. The film is put into a file without a name, for libav.
#define _GNU_SOURCE // memfd_create
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/import/formats.h"
#include "data/import/h5_paths.h"
#include "data/import/hdf5.h"
#include "data/pictures/video_reader.h"
#include "data/shard/h5_storage.h"

#define STREAMS "video_streams/*"

static bool is_phyworld(const data_import_options *o, hid_t file) {
  return data_h5_is_group(file, "/video_streams");
}

// -- one film --------------------------------------------------------------------------------

// A film's bytes, written to a new file in memory, whose number is *fd.
static orr_code copy_out(const data_h5_dataset *d, int64_t row, int *fd) {
  hvl_t bytes = {0};
  orr_code rc = ORR_OK;
  hid_t type = H5Tvlen_create(H5T_NATIVE_UINT8);
  *fd = -1;
  ORR_CHECK(type >= 0, ORR_ENOMEM, "%s: out of memory for a type", d->file);
  ORR_TRY_GOTO(data_h5_dataset_read(d, row, 1, type, &bytes), done);
  ORR_CHECK_GOTO(bytes.len > 0, done, ORR_EFORMAT, "%s: %s[%" PRId64 "] holds no film", d->file,
                 d->name, row);
  *fd = memfd_create("film", MFD_CLOEXEC);
  ORR_CHECK_GOTO(*fd >= 0, done, ORR_ENOMEM, "%s: out of memory for a film of %zu bytes", d->file,
                 bytes.len);
  rc = orr_fs_pwrite_all(*fd, d->name, bytes.p, bytes.len, 0);
done:
  if (bytes.p) H5free_memory(bytes.p);
  H5Tclose(type);
  if (rc != ORR_OK && *fd >= 0) close(*fd);
  return rc;
}

static orr_code open_film(const data_h5_dataset *d, int64_t row, int *fd, data_video_reader **out) {
  char path[64], why[ORR_STATUS_MESSAGE_MAX];
  ORR_TRY(copy_out(d, row, fd));
  snprintf(path, sizeof path, "/proc/self/fd/%d", *fd);
  orr_code rc = data_video_open(path, out);
  if (rc == ORR_OK) return ORR_OK;
  close(*fd);
  orr_status_copy(why, sizeof why);
  return ORR_FAIL(rc, "%s: %s[%" PRId64 "] is no film: %.1500s", d->file, d->name, row, why);
}

typedef struct {
  data_import_stream base;
  const data_import_episode *episode; // borrowed
  data_video_reader *video;
  int fd;
  int64_t next; // number of the next frame
  data_picture last;
} film;

static orr_code film_read(data_import_stream *s, int64_t frame, data_picture *out) {
  film *f = (film *)s; // its first member
  while (f->next <= frame) {
    ORR_TRY(data_video_next(f->video, &f->last));
    ORR_CHECK(f->last.rgb, ORR_EFORMAT,
              "%s: ends after %" PRId64 " frames, although it lists %" PRId64, f->episode->name,
              f->next, f->episode->frames);
    f->next++;
  }
  *out = f->last;
  return ORR_OK;
}

static void film_close(data_import_stream *s) {
  film *f = (film *)s;
  data_video_close(f->video);
  if (f->video) close(f->fd);
  orr_free(f);
}

static orr_code open(const data_import_episode *e, int64_t camera, data_import_stream **out) {
  const data_h5_others others = data_import_hdf5_others(e);
  data_h5_fault fault;
  data_h5_dataset d;
  hid_t file = H5I_INVALID_HID;
  film *f = orr_calloc(1, sizeof *f);
  ORR_CHECK(f, ORR_ENOMEM, "%s: out of memory to read it", e->name);
  *f = (film){.base = {.read = film_read, .close = film_close}, .episode = e};
  data_h5_enter();
  orr_code rc = data_import_hdf5_open(e->file, &others, &fault, &file);
  if (rc == ORR_OK) rc = data_h5_dataset_open(file, e->file, e->cameras[camera].place, &d);
  if (rc == ORR_OK) {
    rc = open_film(&d, e->first, &f->fd, &f->video);
    data_h5_dataset_close(&d);
  }
  rc = data_import_hdf5_close(file, &fault, rc);
  data_h5_leave();
  if (rc == ORR_OK)
    *out = &f->base;
  else
    film_close(&f->base);
  return rc;
}

// -- listing ---------------------------------------------------------------------------------

static orr_code add_film(const data_import_h5 *h, const data_h5_path *p, const data_h5_dataset *d,
                         int64_t row) {
  char name[4400];
  data_import_episode *e;
  data_video_reader *v = NULL;
  int fd = -1;
  if (d->dims[0] > 1)
    snprintf(name, sizeof name, "%s:%s/%" PRId64, h->name, p->starred, row);
  else
    snprintf(name, sizeof name, "%s:%s", h->name, p->starred);
  ORR_TRY(data_import_layout_add(h, name, "", &e));
  e->first = row;
  ORR_TRY(data_import_add_camera(e, "film", p->path));
  ORR_TRY(open_film(d, row, &fd, &v));
  e->fps = data_video_fps(v);
  orr_code rc = data_video_count(v, &e->frames, NULL);
  data_video_close(v);
  close(fd);
  return rc;
}

static orr_code add_films(const data_import_h5 *h, const data_h5_path *p) {
  data_h5_dataset d;
  char words[256];
  orr_code rc = ORR_OK;
  ORR_TRY(data_h5_dataset_open(h->file, h->path, p->path, &d));
  data_h5_dataset_describe(&d, words, sizeof words);
  ORR_CHECK_GOTO(d.kind == DATA_H5_SEQUENCE && d.rank == 1, close, ORR_EFORMAT,
                 "%s: %s holds %s, wanted a film in each element, as bytes of variable length",
                 h->path, p->path, words);
  ORR_TRY_GOTO(data_h5_check_written(h->file, &d, 0, (int64_t)d.dims[0]), close);
  for (int64_t row = 0; row < (int64_t)d.dims[0]; row++)
    ORR_TRY_GOTO(add_film(h, p, &d, row), close);
close:
  data_h5_dataset_close(&d);
  return rc;
}

static orr_code list(const data_import_h5 *h) {
  data_import_search *s = h->search;
  data_h5_paths streams = {0};
  orr_code rc = data_h5_paths_find(h->file, h->path, "", STREAMS, &streams);
  for (int64_t i = 0; rc == ORR_OK && i < streams.n; i++) {
    const int64_t before = s->list->n;
    char name[4400];
    snprintf(name, sizeof name, "%s:%s", h->name, streams.v[i].starred);
    rc = add_films(h, &streams.v[i]);
    if (rc != ORR_OK) data_import_list_cut(s->list, before);
    rc = data_import_faults_take(s->faults, name, h->path, rc);
  }
  data_h5_paths_release(&streams);
  return rc;
}

static orr_code no_actions(const data_import_options *o, const data_import_episode *e,
                           data_import_actions *out) {
  *out = (data_import_actions){.rows = e->frames, .success = -1};
  return ORR_OK;
}

static const data_import_layout layout = {
    .wants = "/video_streams, films as bytes",
    .is = is_phyworld,
    .list = list,
};

const data_import_format data_import_phyworld = {
    .name = "phyworld",
    .source = &data_import_hdf5_source,
    .layout = &layout,
    .fps = 10,
    .channels = DATA_CHANNELS_RGB,
    .merge = data_import_merge_last,
    .actions = no_actions,
    .open = open,
};
