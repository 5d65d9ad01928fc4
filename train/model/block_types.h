// What a block of a model works on: sizes, parameters, rows, activations. Legend:
// train/model/block.h.
#ifndef TRAIN_BLOCK_TYPES_H
#define TRAIN_BLOCK_TYPES_H

#include <stdbool.h>

#include "kernels/kern.h"
#include "train/model/axes.h"
#include "train/model/exchange.h"
#include "train/model/params.h"

// Of the whole model, and what of it lies on this rank. `axes` split it, or NULL: one rank of tp
// has H/tp heads, G/tp key/value heads (one, shared by neighbours, when there are fewer heads than
// ranks) and F/tp hidden units.
typedef struct {
  int64_t D, H, G, K, F;
  kern_dtype act;
  train_axes *axes;
  struct {
    int64_t H, G, F;
  } here;
} train_block_dims;
// Places of a block's parameters in the flat layout. qkv covers q, k and v; gu covers gate and up.
typedef struct {
  int64_t norm1, qkv, o, q_norm, k_norm, norm2, gu, down;
} train_block_params;

// A block of a model: what its passes work with. Borrows all of it; cheap to make.
typedef struct {
  kern *k;
  const train_block_dims *d;
  const train_block_params *p;
  const train_weights *w;
} train_block;

// How the M rows fall into sequences, and their positions. With tp a rank holds R = ceil(M / tp) of
// the rows outside the products; `full` is what they are gathered in. With cp a time block's
// sequences are those after its exchange.
typedef struct {
  int64_t M;
  void *full; // [R*tp,D]; not used on one rank of tp
  kern_sequences seq;
  const float *cos, *sin; // [pos_mod, K/2]
  int64_t pos_div, pos_mod;
  const train_exchange *exchange; // of a time block split over cp, else NULL
  int64_t leaves, frames; // with run.exact (train/model/linear.h): leaves and frames of M; else 0
  float *partial, *parts; // likewise
} train_block_shape;

// What of a block's activations stays until the backward pass: all; all but what norms and SwiGLU
// make again; the input alone; nothing.
typedef enum {
  TRAIN_KEEP_ALL,
  TRAIN_RECOMPUTE_CHEAP,
  TRAIN_RECOMPUTE,
  TRAIN_NO_BACKWARD
} train_keep;

// What the backward pass needs. H, G and F are those of this rank.
typedef struct {
  bool again;     // y1, qk, y2 and h are shared between blocks, and made again
  void *x;        // [R,D] the block's input
  void *y1;       // [R,D]
  float *rstd1;   // [R]
  void *qkv;      // [M,(H+2G)K]
  void *qk;       // [M,(H+G)K]
  float *rstd_qk; // [M,H+G]
  void *o;        // [M,HK]
  float *lse;     // [seqs,H,L]
  void *time_qkv; // [M_time,(H+2G)K] after an exchange, which then owns qk
  void *time_o;   // [M_time,HK]
  void *mid;      // [R,D]
  void *y2;       // [R,D]
  float *rstd2;   // [R]
  void *gu;       // [M,2F]
  void *h;        // [M,F]
} train_block_acts;

// Temporaries of the backward pass, shared by all blocks.
typedef struct {
  void *dy;   // [R,D]
  void *dqkv; // [M,(H+2G)K]
  void *dqk;  // [M,(H+G)K]
  void *d_o;  // [M,HK]
  void *dh;   // [M,F]
  // With run.exact: sums of frames or heads, here and of all ranks of tp.
  float *units, *all_units, *leaf_units;
} train_block_scratch;

#endif
