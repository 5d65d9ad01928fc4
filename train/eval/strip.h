// A picture to look at: real over predicted frames of a few clips.
#ifndef TRAIN_EVAL_STRIP_H
#define TRAIN_EVAL_STRIP_H

#include <stdint.h>

#include "base/status.h"
#include "train/eval/set.h"

// Local. predicted [E,T-prompt,height,width,3], given [E,height,width,3] the last prompt frames as
// the model has them, encoded and decoded; `rows` clips, spread evenly, at most all of them.
orr_code train_eval_strip_write(const train_eval_set *s, const uint8_t *predicted,
                                const uint8_t *given, const char *path, int64_t rows);

#endif
