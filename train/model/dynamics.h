// The dynamics model: frames of [action, S codes, R registers] through space and time blocks to
// logits over V codes. B clips, T frames, N = 1+S+R tokens a frame; token 'V' is MASK.
// One object holds a plan for one (B, T): its activations are laid out once.
#ifndef TRAIN_DYNAMICS_H
#define TRAIN_DYNAMICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "configs/config.h"
#include "kernels/kern.h"
#include "train/model/dynamics_dims.h"
#include "train/model/head.h"
#include "train/model/own_codes.h"
#include "train/model/params.h"
#include "train/model/registers.h"
#include "train/model/rope.h"

// One batch, in device memory: this rank's part of each clip. Row numbers are frame*N + n, frames
// as in train_dynamics_frames. `masked_row`/`target` list the positions that count in the loss,
// padded with -1 up to a multiple of TRAIN_LOSS_ROWS.
typedef struct {
  const int32_t *tokens;     // [BT,S], BT frames of this rank
  const int32_t *before;     // [BT,S] codes of the frame before each, V where there is none
  const float *action;       // [BT,2A]: action * valid, valid
  const uint8_t *has_action; // [BT]
  const int32_t *branch;     // [B]
  const int32_t *masked_row; // [rows]
  const int32_t *target;     // [rows]
  const float *weight;       // [rows] of their losses; NULL = 1
  int64_t masked_rows;       // with padding
  // With run.exact instead: the rows of leaf i, which begin `leaf_capacity` after those of the one
  // before.
  int64_t leaf_rows[TRAIN_EXACT_LEAVES], leaf_capacity;
  const train_outcome_targets *outcomes; // in host memory; NULL: their heads are not asked
} train_dynamics_batch;

typedef struct train_dynamics train_dynamics;

// Local. `acts` is an arena that is counting: create, then forward/backward once while the kern is
// planning, then commit the arena and call train_dynamics_place again to get real addresses.
orr_code train_dynamics_create(kern *k, const train_dynamics_dims *d,
                               const train_dynamics_params *p, const train_weights *w, int64_t B,
                               int64_t T, train_keep keep, train_dynamics **out);
void train_dynamics_destroy(train_dynamics *m);
// Local. Takes the activations from `acts`, and what tp and cp communicate through from `exchange`
// (may be the same); called once while they count and once after the kern and they are committed,
// when it also fills the tables (train/model/constants.h).
orr_code train_dynamics_place_both(train_dynamics *m, orr_arena *acts, orr_arena *exchange);
orr_code train_dynamics_place(train_dynamics *m, orr_arena *acts); // on one rank

// Local, without cp. From now on each clip of T frames is T / frames clips of so many, one after
// the other; `frames` divides T.
void train_dynamics_take_frames(train_dynamics *m, int64_t frames);

// Collective over tp and cp. The trunk: embeddings and blocks.
orr_code train_dynamics_forward(train_dynamics *m, const train_dynamics_batch *b);
// Collective over tp and cp. The trunk on b, then codes drawn for some of its rows, without a
// gradient. Only where d->own_codes says so, and with a backward pass.
orr_code train_dynamics_draw(train_dynamics *m, const train_dynamics_batch *b,
                             const train_own_rows *r);
// Local, on one rank. After forward: logits of `count` rows (numbers bt*N + n, -1 = zeros; in
// device memory), float32 [count,V], in pieces of TRAIN_LOSS_ROWS (`row` and `logits` have room up
// to the next multiple).
orr_code train_dynamics_logits(train_dynamics *m, const int32_t *row, int64_t count, float *logits);
// Local, on one rank. After forward: *logits (=) [B*T,bins] of a head on registers that the model
// has, in device memory, borrowed until the next pass.
orr_code train_dynamics_outcome(train_dynamics *m, train_outcome o, const float **logits);
// Collective over tp and cp. After forward: *loss_sum (+=) sum over masked rows here of
// cross-entropy + z-loss. With `backward`, also the gradient of *scale * that sum with respect to
// all parameters (+=). loss_sum and scale lie in device memory. With run.exact loss_sum has a place
// for each leaf here.
orr_code train_dynamics_loss(train_dynamics *m, const train_dynamics_batch *b, const float *scale,
                             bool backward, double *loss_sum, train_grad_ready_fn ready,
                             void *ready_ctx);
// Largest masked_rows this plan takes; with run.exact of a leaf.
int64_t train_dynamics_loss_capacity(const train_dynamics *m);

#endif
