// The first frames of a clip of a data set, for a session to begin from.
#ifndef TRAIN_LIVE_CLIP_H
#define TRAIN_LIVE_CLIP_H

#include "train/live/control.h"

// What a start borrows.
typedef struct {
  uint8_t *frames;
  float *actions;
  json_t *start;
} train_live_clip;

// Local. Reads start->prompt frames of clip number `clip` from its frame `from` on, or as many as
// it has, for `w`, and puts them and their actions into *start. Released also where this fails.
// ORR_EINVAL when the clip ends before, ORR_ENOMEM, and as of train_episodes_read.
orr_code train_live_clip_read(const train_live_set *set, const train_live_world *w, int64_t clip,
                              int64_t from, train_live_start *start, train_live_clip *out);
void train_live_clip_release(train_live_clip *c);

#endif
