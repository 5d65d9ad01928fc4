#include "train/live/projector.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/crew.h"
#include "base/mem.h"

enum { SIDE = 512, LEAST_NICE = 10 }; // pixels that the longer side is enlarged to

struct train_live_projector {
  orr_crew *crew;
  train_live_film film;
  bool busy;
  _Atomic bool ready;
};

static int scale_of(const train_live_film *f) {
  const int64_t side = f->height > f->width ? f->height : f->width;
  return side >= SIDE ? 1 : (int)(SIDE / side);
}

// In the crew's thread: the film is its own until `ready`. Whoever plays goes first.
static void run(void *job) {
  train_live_projector *p = job;
  train_live_film *f = &p->film;
  if (nice(LEAST_NICE) == -1) f->rc = ORR_OK; // then it takes its full share
  f->rc = data_film_encode(f->format, f->frames, f->count, f->height, f->width, f->fps, scale_of(f),
                           &f->film, &f->bytes);
  if (f->rc != ORR_OK) snprintf(f->words, sizeof f->words, "%s", orr_status_message());
  orr_free(f->frames);
  f->frames = NULL;
  atomic_store(&p->ready, true);
}

orr_code train_live_projector_create(train_live_projector **out) {
  train_live_projector *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "play: out of memory");
  const orr_code rc = orr_crew_create(1, 1, run, &p->crew);
  if (rc != ORR_OK) {
    orr_free(p);
    return rc;
  }
  *out = p;
  return ORR_OK;
}

void train_live_projector_destroy(train_live_projector *p) {
  if (!p) return;
  orr_crew_destroy(p->crew);
  orr_free(p->film.film);
  orr_free(p);
}

bool train_live_projector_is_busy(const train_live_projector *p) {
  return p->busy;
}

void train_live_projector_begin(train_live_projector *p, const train_live_film *f) {
  p->film = *f;
  p->busy = true;
  atomic_store(&p->ready, false);
  orr_crew_give(p->crew, p);
}

bool train_live_projector_take(train_live_projector *p, train_live_film *f) {
  if (!p->busy || !atomic_load(&p->ready)) return false;
  *f = p->film;
  p->film = (train_live_film){0};
  p->busy = false;
  return true;
}

void train_live_projector_forget(train_live_projector *p, const void *owner) {
  if (p->busy && p->film.owner == owner) p->film.owner = NULL;
}
