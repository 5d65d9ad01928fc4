// What cp does around the attention of a time block. Everywhere else a rank holds all N tokens of
// its frames; a time block's attention wants all T frames of its token positions. One all-to-all
// takes q, k and v there, another one takes the result back, and the backward pass does the same
// with the gradients.
//
// Rows here are numbered (frame, clip, token), so that what arrives from the ranks, earliest frames
// first, is one [T, B, positions] tensor as it lies: nothing is copied on that side. T and N need
// not divide: ranks with fewer frames or positions send and receive less.
#ifndef TRAIN_EXCHANGE_H
#define TRAIN_EXCHANGE_H

#include "base/arena.h"
#include "kernels/kern.h"
#include "train/model/axes.h"

typedef struct {
  train_axes *axes;
  int64_t B, T, N;
  train_part frames, positions; // of this rank
  int64_t M, M_time;            // rows B*frames*N here, B*T*positions at the attention
  int32_t *order;               // [M]: rows here in the order in which they are sent
  int32_t *place;               // [M]: its inverse; both in device memory
  int32_t *host;                // both, one after the other
  int64_t *counts;              // [4,cp] of the collective
  void *packed;                 // [M,(H+2G)K] what is sent, or has come back
  void *qk;                     // [M,(H+G)K] before it is sent
  void *dqkv;                   // [M_time,(H+2G)K] gradients at the attention
  void *d_o;                    // [M_time,HK]
} train_exchange;

// Local. Tables for B clips of T frames of N tokens. ORR_ENOMEM. Release also after a failure.
orr_code train_exchange_init(train_exchange *e, train_axes *axes, int64_t B, int64_t T, int64_t N);
void train_exchange_release(train_exchange *e);
// Local. Takes the buffers, and fills the tables once the arena is committed; qkv, qk, o: bytes of
// their rows.
orr_code train_exchange_place(train_exchange *e, kern *k, size_t qkv_bytes, size_t qk_bytes,
                              size_t o_bytes, bool backward, orr_arena *arena);

// Collective over cp. Rows of `width` numbers: [M] in the order of `order` -> [M_time].
orr_code train_exchange_to_time(const train_exchange *e, kern_dtype t, int64_t width,
                                const void *send, void *recv);
// Collective over cp. The reverse.
orr_code train_exchange_to_frames(const train_exchange *e, kern_dtype t, int64_t width,
                                  const void *send, void *recv);

#endif
