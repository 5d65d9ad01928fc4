#include "data/import/film.h"

#include <inttypes.h>

#include "base/mem.h"
#include "data/pictures/video_reader.h"

typedef struct {
  data_import_stream base;
  const char *path; // borrowed
  data_video_reader *video;
  int64_t next, frames; // number of the next frame, and how many were counted
  data_picture last;
} film;

static orr_code film_read(data_import_stream *s, int64_t frame, data_picture *out) {
  film *f = (film *)s; // its first member
  while (f->next <= frame) {
    ORR_TRY(data_video_next(f->video, &f->last));
    ORR_CHECK(f->last.rgb, ORR_EFORMAT,
              "%s: ends after %" PRId64 " frames, although it lists %" PRId64
              "; it is damaged or truncated",
              f->path, f->next, f->frames);
    f->next++;
  }
  *out = f->last;
  return ORR_OK;
}

static void film_close(data_import_stream *s) {
  film *f = (film *)s;
  data_video_close(f->video);
  orr_free(f);
}

orr_code data_import_film_open(const data_import_episode *e, int64_t camera,
                               data_import_stream **out) {
  film *f = orr_calloc(1, sizeof *f);
  ORR_CHECK(f, ORR_ENOMEM, "%s: out of memory: cannot read it", e->cameras[camera].place);
  *f = (film){.base = {.read = film_read, .close = film_close},
              .path = e->cameras[camera].place,
              .frames = e->frames};
  orr_code rc = data_video_open(f->path, &f->video);
  if (rc == ORR_OK && e->cameras[camera].from > 0)
    rc = data_video_seek(f->video, e->cameras[camera].from);
  if (rc == ORR_OK)
    *out = &f->base;
  else
    film_close(&f->base);
  return rc;
}
