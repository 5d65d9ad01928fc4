// Sizes of the dynamics model, its parameters, and how the frames of a batch are ordered.
#ifndef TRAIN_DYNAMICS_DIMS_H
#define TRAIN_DYNAMICS_DIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "configs/config.h"
#include "train/model/block.h"
#include "train/model/outcome.h"
#include "train/model/params.h"
#include "train/model/views.h"

typedef struct {
  int64_t rows, cols, S, R, N; // S = rows*cols, N = 1+S+R
  int64_t layers, time_every;
  int64_t A, V, branches;
  double z_loss;
  train_code_levels levels; // digits that the tables of codes start from; n = 0: from none
  bool own_codes;           // training draws codes for the context of some frames
  bool before;              // a position also carries the code that stood there one frame earlier
  bool outcome[TRAIN_OUTCOMES]; // which heads there are on the registers
  data_views views;             // of a frame, in tokens; n = 0: it is one picture
  train_block_dims block;       // block.axes split the whole model
} train_dynamics_dims;

// Local. Whether this block is a time block, or else a space block.
static inline bool train_dynamics_is_time(const train_dynamics_dims *d, int64_t layer) {
  return (layer + 1) % d->time_every == 0;
}
// Local. The sizes that a configuration describes.
void train_dynamics_dims_from(const cfg *c, train_dynamics_dims *out);

typedef struct {
  int64_t token, before, action_w, action_b, no_action, branch, reg, view, norm, head;
  int64_t outcome_w[TRAIN_OUTCOMES], outcome_b[TRAIN_OUTCOMES]; // where there is such a head
  train_block_params *blocks;                                   // [layers], malloc'ed
} train_dynamics_params;

// Local. Elements of the heads on registers in the flat layout, padding included.
int64_t train_dynamics_outcome_elements(const train_dynamics_dims *d);
// Local. Lists the parameters under their names in checkpoints. Free blocks with orr_free.
orr_code train_dynamics_list(const train_dynamics_dims *d, train_params *list,
                             train_dynamics_params *out);

// How the frames of B clips are ordered: frame t of clip b, for t from `first` on, is frame
// b*clip_step + (t - first)*frame_step of the batch.
typedef struct {
  int64_t first, count, clip_step, frame_step;
} train_dynamics_frames;
// Local. The frames of this rank of cp.
train_dynamics_frames train_dynamics_frames_of(const train_dynamics_dims *d, int64_t B, int64_t T);

// Local. Matmul FLOPs of forward and backward for one batch: 6 * parameters of the matmuls *
// tokens, the head counted on all S positions, attention not counted.
double train_dynamics_flops(const train_dynamics_dims *d, int64_t B, int64_t T);

#endif
