// The last frames of a session as they were shown, those of two worlds side by side, in a ring of
// fixed size: what a film is made of. A way back takes the film back, too. One thread at a time.
#ifndef TRAIN_LIVE_REEL_H
#define TRAIN_LIVE_REEL_H

#include <stdint.h>

#include "base/status.h"

typedef struct {
  int64_t height, width; // of a frame of the film
  int64_t one;           // width of one world's
  int64_t room;          // frames
  uint8_t *frames;       // [room,height,width,3]
  int64_t first, end;    // numbers of the frames that are there
} train_live_reel;

// Local. For frames [height,one,3] of each of `worlds` worlds, within `most_bytes`, two frames at
// least. ORR_ENOMEM.
orr_code train_live_reel_create(train_live_reel *r, int64_t height, int64_t one, int worlds,
                                size_t most_bytes);
void train_live_reel_release(train_live_reel *r);
void train_live_reel_clear(train_live_reel *r);
// Local. Frame `number` shows these pixels, one picture a world; those after it are forgotten.
void train_live_reel_put(train_live_reel *r, int64_t number, uint8_t *const *pixels);
// Local. A copy of all frames in order, from orr_malloc. ORR_ENOMEM.
orr_code train_live_reel_copy(const train_live_reel *r, uint8_t **frames, int64_t *count);

#endif
