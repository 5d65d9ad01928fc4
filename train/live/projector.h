// A thread of its own that makes films (data/pictures/film.h), one at a time, while the server goes
// on. All functions are called by one thread.
#ifndef TRAIN_LIVE_PROJECTOR_H
#define TRAIN_LIVE_PROJECTOR_H

#include <stdbool.h>

#include "data/pictures/film.h"

typedef struct train_live_projector train_live_projector;

typedef struct {
  void *owner;     // whom it is for; NULL = nobody any longer
  uint8_t *frames; // [count,height,width,3]
  int64_t count, height, width;
  double fps;
  data_film_format format;
  uint8_t *film; // of the given frames, once it is made
  size_t bytes;
  orr_code rc;
  char words[256]; // what failed
} train_live_film;

// Local. ORR_ENOMEM, ORR_EIO.
orr_code train_live_projector_create(train_live_projector **out);
void train_live_projector_destroy(train_live_projector *p); // takes NULL; waits for a film at work
// Local. Whether a film is being made, or waits to be taken.
bool train_live_projector_is_busy(const train_live_projector *p);
// Local. Begins a film of f's owner, format, fps and frames (from orr_malloc), which it takes over;
// it is not busy.
void train_live_projector_begin(train_live_projector *p, const train_live_film *f);
// Local. A film that is ready; the caller frees f->film. false where there is none.
bool train_live_projector_take(train_live_projector *p, train_live_film *f);
// Local. Nobody waits any longer for what `owner` had asked for.
void train_live_projector_forget(train_live_projector *p, const void *owner);

#endif
