// The head and the loss: RMSNorm, logits over V codes, cross-entropy + z-loss on the rows that
// count. Rows are gathered and taken in chunks of TRAIN_LOSS_ROWS, so the whole logits never exist.
//
// With tp each rank has the logits of its own codes; ranks combine the statistics of the softmax
// (largest, sum, target's logit) and then the gradients of the rows. C rows a chunk, D width.
#ifndef TRAIN_HEAD_H
#define TRAIN_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "kernels/kern.h"
#include "train/model/block.h"

#define TRAIN_LOSS_ROWS 1024
// The same with run.exact, where every leaf has chunks of its own.
#define TRAIN_LEAF_LOSS_ROWS 128

typedef struct {
  kern *k;
  const train_weights *w;
  train_block_dims d;
  double z_loss;
  int64_t norm, head; // places of the parameters
  train_part codes;   // of this rank
  int64_t C;          // rows of a chunk: TRAIN_LOSS_ROWS where there is a loss

  void *xg, *yg, *dyg, *dxg; // [C,D]
  float *rstd;               // [C]
  float *logits;             // [C,codes]
  void *dlogits;             // [C,codes]
  float *largest;            // [C]
  float *own_largest;        // [C] before the ranks combined theirs
  float *sum, *target_logit; // [C], one after the other
  // With run.exact (train/model/exact.h):
  int64_t V;        // all codes
  float *dyg_part;  // [C,D] of this rank of tp, and of all
  float *dyg_parts; // [tp,C,D]
  float *sum_parts; // [tp,C]
  float *leaf_grad; // of norm and head and of what follows, of a leaf that is not the first here
  int64_t after;    // elements of the heads on registers, which follow
} train_head;

// What the loss is about.
typedef struct {
  const void *x;               // [M,D] all rows of the model's output
  const int32_t *row, *target; // [rows], -1 where there is none
  const float *weight;         // [rows] of their losses; NULL = 1
  int64_t rows;                // a multiple of C
  int64_t leaf;                // with run.exact: whose rows these are; they follow those before
  const float *scale;          // of the gradient, in device memory
  int64_t first_row, own_rows; // of M: those whose gradients this rank keeps
  void *dx;                    // [own_rows,D] (=); NULL: loss only
} train_head_rows;

// Local. Rows of a chunk of the loss.
int64_t train_head_chunk(const train_axes *axes);
// Local. This rank's codes of V.
train_part train_head_codes(const train_axes *axes, int64_t V);
// Local. Takes the buffers of train_head_logits.
void train_head_place_logits(train_head *h, orr_arena *arena);
// Local. Takes the buffers, those of the logits and of the loss.
void train_head_place(train_head *h, bool backward, orr_arena *arena);
// Local, on one rank of tp. logits [C,V] of the rows row[0..C) of x [M,D]; -1 = zeros.
orr_code train_head_logits(train_head *h, const void *x, const int32_t *row, float *logits);
// Collective over tp. *loss_sum (+=), in device memory, the same on all ranks of tp; gradients of
// weights (+=). Of a leaf that is not the first these are apart until train_head_add_leaf.
orr_code train_head_loss(train_head *h, const train_head_rows *r, double *loss_sum);
// Local. Where the gradient of the parameter at `at`, one of norm, head or those after it, goes
// that leaf `leaf` makes.
float *train_head_grad(const train_head *h, int64_t leaf, int64_t at);
// Local. What leaf `leaf` has made, to what those before it made; nothing is done for the first.
orr_code train_head_add_leaf(train_head *h, int64_t leaf);

#endif
