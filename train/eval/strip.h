// A picture to look at: real over predicted frames of a few clips.
#ifndef TRAIN_EVAL_STRIP_H
#define TRAIN_EVAL_STRIP_H

#include <stdint.h>

#include "base/status.h"
#include "train/eval/set.h"

// Local. predicted [E,T-prompt,height,width,3]; `rows` clips, spread evenly, at most all of them.
orr_code train_eval_strip_write(const train_eval_set *s, const uint8_t *predicted, const char *path,
                                int64_t rows);

#endif
