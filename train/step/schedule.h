// Learning rate over steps: linear warm-up, then constant, half cosine (Loshchilov & Hutter 2017)
// or warm-up-stable-decay (Hu et al. 2024; linear decay).
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include <stdint.h>

#include "configs/config.h"

// Local. Rate of step 1..train.steps.
double train_schedule_lr(const cfg *c, int64_t step);
// Local. Frames of a clip in that step: data.frames, or those of a curriculum, which spends as many
// steps at each length.
int64_t train_schedule_frames(const cfg *c, int64_t step);

#endif
