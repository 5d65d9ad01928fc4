// A rollout as a film or a still, with letters that say what is what: which frames were given,
// which are the model's, and whether the real ones beside them had the same actions.
#ifndef TRAIN_ROLLOUT_FILM_H
#define TRAIN_ROLLOUT_FILM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  int64_t height, width, scale; // of a frame; a pixel becomes scale x scale
  int64_t prompt, frames;       // given, and all
  const uint8_t *film;          // [frames,height,width,3] the model's
  const uint8_t *real;          // [known,height,width,3] beside it; NULL = none
  int64_t known;
  bool another; // the real frames followed other actions: another future
  int64_t episode, start;
  double fps;
} train_rollout_film;

// Local. In the format that the ending of `path` asks for (data_film_format_of): in a film the real
// frames stand on the left and, once their episode has ended, dimmed; in a still above the model's,
// as far as the episode goes. Atomic.
orr_code train_rollout_film_write(const train_rollout_film *f, const char *path);

#endif
