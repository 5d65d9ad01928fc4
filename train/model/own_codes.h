// Context that the model made itself: codes drawn from its own logits take the place of recorded
// ones, so that training sees what a rollout sees (scheduled sampling, Bengio et al. 2015; without
// a gradient through the draw). Ranks of tp bring their parts of the logits together and all draw
// the same code: a draw's random number is keyed by (seed, sample, position).
#ifndef TRAIN_OWN_CODES_H
#define TRAIN_OWN_CODES_H

#include "train/model/head.h"

// Which rows of the model's output codes are drawn for, and where these go; in device memory.
typedef struct {
  const int32_t *row;                   // [rows], -1 = none
  const int32_t *place;                 // [rows] among `places` of tokens; -1 = nowhere
  const int32_t *before_place;          // [rows] among those of before; NULL without one
  const uint64_t *seed, *sample, *draw; // [rows]
  const float *temperature;             // [rows]
  int64_t rows, places;                 // rows: a multiple of TRAIN_LOSS_ROWS
  int32_t *tokens, *before;             // [places]
} train_own_rows;

typedef struct {
  kern *k;
  train_head *head; // borrowed
  train_axes *axes;
  int64_t V;
  int32_t *code;       // [C]
  float *log_prob;     // [C]
  float *sent, *parts; // [C,part], [tp,C,part]: with tp only
  float *all;          // [C,V]
} train_own_codes;

// Local. Takes the buffers; once counting, once committed.
void train_own_codes_place(train_own_codes *o, orr_arena *arena);
// Collective over tp. Draws for the rows of x [M,D], all rows of the model's output.
orr_code train_own_codes_draw(train_own_codes *o, const void *x, const train_own_rows *r);

#endif
