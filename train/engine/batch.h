// What the device does for a batch of frames: passes through all blocks over the rings, the head,
// the draws. Which frames those are has been put into host.in before (train/engine/inputs.h).
#ifndef TRAIN_ENGINE_BATCH_H
#define TRAIN_ENGINE_BATCH_H

#include "train/engine/inputs.h"
#include "train/engine/rings.h"
#include "train/model/dynamics.h"
#include "train/model/embed.h"
#include "train/model/head.h"
#include "train/model/registers.h"
#include "train/model/rope.h"

// Instead of a number of passes: the one that appends the frames to their rings.
enum { TRAIN_BATCH_COMMIT = 0 };

typedef struct {
  kern *k;
  const train_dynamics_dims *d;
  const train_dynamics_params *p;
  const train_weights *w;
  int64_t most, steps, window; // most frames at once, passes
  double guidance;             // train_engine_options
  int64_t memory, pins;        // frames that a frame sees of those that stay, and slots for them
  int64_t B;                   // frames of the batch at hand
  train_engine_side device, host;
  train_rings rings;
  orr_arena arena;
  train_rows stream; // B*N rows
  train_rope space;
  train_block_shape space_shape, time_shape;
  train_block_acts acts;
  void *x[2]; // [B*N,D]
  train_embed embed;
  train_head head;
  train_registers registers; // the heads on them, where there are any
  int32_t *row, *host_row;   // [most*S] row numbers of the S positions
  float *logits;             // [B*S,V]
  float *without;            // the same without the action; with guidance only
  int32_t *code;             // [B,S] of the pass at hand
  float *log_prob;           // [B,S]
  bool warm;                 // a frame has been decoded, so every op has its plan
  void **graph;              // [steps+1], by what they do
} train_batch;

// Local. Borrows k, d, p and w; all memory is taken here. Destroyed also where this fails.
// ORR_ENOMEM.
orr_code train_batch_init(train_batch *b, int64_t rings, int64_t places);
void train_batch_release(train_batch *b);

// Local. A batch of n frames; waits until the host's side is its own again.
orr_code train_batch_begin(train_batch *b, int64_t n);
// Local. Runs it: `steps` passes, after which host.in has tokens and nll once kern_sync has waited
// for them, or TRAIN_BATCH_COMMIT, after which it likewise has what the heads on registers say.
orr_code train_batch_run(train_batch *b, int64_t steps);
// Local. One pass and the head: b->logits.
orr_code train_batch_logits(train_batch *b);

#endif
