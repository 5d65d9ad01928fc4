// Half of the tokenizer, its encoder or its decoder: blocks, and the norm after them. Blocks work
// on this rank's rows of the stream; what comes before and after them is made of all M rows on
// every rank of tp, which gather them at the end of a half, forward and backward. So whatever
// stands between two halves has the same gradient on all ranks of tp, with sums in the order of one
// rank.
#ifndef TRAIN_HALF_H
#define TRAIN_HALF_H

#include "base/arena.h"
#include "train/model/block.h"
#include "train/model/linear.h"

typedef struct {
  kern *k; // borrowed, as all down to the blocks
  const train_weights *w;
  const train_block_dims *d;
  const train_rows *stream; // M rows
  const train_block_params *blocks;
  int64_t layers, norm; // norm: its place
  train_keep keep;
  train_block_shape shape;

  train_block_acts *acts; // [layers], borrowed; acts[0].x is where a pass begins
  void *own;              // [rows,D] what the last block makes
  void *last;             // [M,D] of all ranks of tp; on one rank `own` itself
  void *y;                // [M,D] after the norm
  float *rstd;            // [M]
} train_half;

// What a backward pass works with.
typedef struct {
  const train_block_scratch *blocks;
  void *dy;         // [M,D] gradient of what the norm makes
  void *dx;         // [rows,D]
  float *leaf_grad; // train_exact_vector's
} train_half_scratch;

// Local. Takes its buffers but acts; `exchange`: what tp communicates through.
void train_half_place(train_half *h, orr_arena *acts, orr_arena *exchange);
// Collective over tp. From acts[0].x, this rank's rows, to h->y.
orr_code train_half_forward(train_half *h);
// Collective over tp. t->dy -> *dx [M,D], the gradient of the first block's input, in memory that
// the next collective takes; weight gradients (+=).
orr_code train_half_backward(train_half *h, const train_half_scratch *t, train_grad_ready_fn ready,
                             void *ready_ctx, const void **dx);

#endif
