// One transformer block, used by tokenizer and dynamics, as space or as time block:
//   y1 = norm1(x); q,k,v = y1 Wqkv; q,k = rope(headnorm(q,k)); o = attention(q,k,v)
//   m = x + o Wo; y2 = norm2(m); out = m + (silu(y2 Wg) * (y2 Wu)) Wd
// Space and time blocks read the same [M,D] rows; only the strides of their sequences differ.
// D width, H heads, G key/value heads, K head width, F hidden width, M rows (tokens).
#ifndef TRAIN_BLOCK_H
#define TRAIN_BLOCK_H

#include "base/arena.h"
#include "configs/config.h"
#include "train/model/block_types.h"
#include "train/model/linear.h"

// Local. Sets `axes` and `here`; the rest is set before.
void train_block_dims_split(train_block_dims *d, train_axes *axes);

// Local. Adds a block's parameters under "prefix." with their names in checkpoints and initial
// values; `layers` scales the projections back into the residual stream by 1/sqrt(2 layers).
orr_code train_block_add(train_params *p, const train_block_dims *d, int layers, const char *prefix,
                         train_block_params *out);
// Local. What a configuration has a block keep.
train_keep train_block_keep(const cfg *c);
// Local. The activations that cheap ops make again: y1, qk, y2 and h of blocks of M rows.
void train_block_cheap_take(train_block_acts *a, const train_block_dims *d, int64_t M,
                            orr_arena *arena);
// Local. Takes everything but acts->x, which the caller chains from block to block. `cheap`: what
// serves all blocks for the cheap ones; NULL: all its own.
void train_block_acts_take(train_block_acts *a, const train_block_dims *d,
                           const train_block_shape *s, const train_block_acts *cheap,
                           orr_arena *arena);
void train_block_scratch_take(train_block_scratch *s, const train_block_dims *d,
                              const train_block_shape *shape, orr_arena *arena);

// Collective over tp and cp. a->x -> x_out [R,D]; fills the rest of a. x_out may not be a->x.
orr_code train_block_forward(const train_block *b, const train_block_shape *s, train_block_acts *a,
                             void *x_out);
// The two halves of the forward pass around the attention, for decoding: norm1, qkv, qk; and, from
// a->o, mid ... x_out.
orr_code train_block_before(const train_block *b, const train_block_shape *s, train_block_acts *a);
orr_code train_block_after(const train_block *b, const train_block_shape *s, train_block_acts *a,
                           void *x_out);
// Collective over tp and cp. dx [R,D]: gradient of x_out on entry, of a->x on return. Weight
// gradients (+=). Uses up a->gu.
orr_code train_block_backward(const train_block *b, const train_block_shape *s, train_block_acts *a,
                              const train_block_scratch *t, void *dx);

#endif
