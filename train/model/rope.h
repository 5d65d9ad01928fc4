// Rotary embedding tables (Su et al. 2021): cosines and sines of the positions' angles, computed in
// float64 and rounded once.
#ifndef TRAIN_ROPE_H
#define TRAIN_ROPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "kernels/kern.h"
#include "train/model/views.h"

#define TRAIN_ROPE_TIME_BASE  10000.0
#define TRAIN_ROPE_SPACE_BASE 100.0

typedef struct {
  float *cos_, *sin_; // [positions, K/2], in device memory; set by place
  int64_t positions, half;
  float *host; // both, one after the other; malloc'ed
} train_rope;

// Frames first .. first+T-1: pair j of frame t turns by t * base^(-j/(K/2)).
orr_code train_rope_time(train_rope *r, int64_t first, int64_t T, int64_t K);
// One frame's tokens: `before` unrotated, rows x cols (first half of the pairs turns with y, second
// with x), `after` unrotated. K is divisible by 4. y and x count from the corner of a token's view;
// views may be NULL.
orr_code train_rope_space(train_rope *r, int64_t before, int64_t rows, int64_t cols, int64_t after,
                          int64_t K, const data_views *views);
void train_rope_release(train_rope *r);
// Local. Takes room from the arena, and once that is committed fills it (train/model/constants.h).
orr_code train_rope_place(train_rope *r, kern *k, orr_arena *arena);
// Fills one row of K/2 cosines and sines for frame t.
void train_rope_time_row(double t, int64_t K, float *cos_, float *sin_);

#endif
