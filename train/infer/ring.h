// Keys and values that the time blocks of a rollout have kept of earlier frames: the last
// `window - 1` of them in a ring, by frame number, and frame 0 as attention sink (Xiao et al.
// 2024), whose raw projections stay, to be rotated again as the rollout moves on.
#ifndef TRAIN_RING_H
#define TRAIN_RING_H

#include <stdint.h>

#include "base/arena.h"
#include "train/model/dynamics.h"

typedef struct train_ring train_ring;

// Local. For frames of M rows. Borrows k and d. ORR_ENOMEM.
orr_code train_ring_create(kern *k, const train_dynamics_dims *d, int64_t M, int64_t window,
                           train_ring **out);
void train_ring_destroy(train_ring *r); // takes NULL
// Local. Takes the memory; once counting, once committed.
void train_ring_place(train_ring *r, orr_arena *arena);

// Local. Turns the sink's keys of every time block to the angles cos, sin [K/2], in device memory.
orr_code train_ring_turn_sink(train_ring *r, const train_dynamics_params *p, const train_weights *w,
                              const float *cos_, const float *sin_);
// Local. Attention of frame `frame`, of which a->qk and a->qkv are there, over what is kept and
// itself; the result is in a->o.
orr_code train_ring_attend(train_ring *r, int64_t layer, int64_t frame, const train_block_acts *a);
// Local. Keeps the frame, in the place of one that is no longer seen.
orr_code train_ring_keep(train_ring *r, int64_t layer, int64_t frame, const train_block_acts *a);

#endif
