// Training masks of the dynamics model, drawn per frame: frame 0 is given whole;
// every other frame is masked whole with probability full_mask, else at the ratio cos(pi u / 2);
// in a share `blind` of clips a stretch of frames is masked whole and hidden from the frame after
// each, too (as `before`); unmasked codes are replaced by random ones at a per-clip rate; actions
// are dropped. All draws are keyed by (seed, global sample, position): they do not depend on ranks
// or micro-batches.
#ifndef TRAIN_MASKING_H
#define TRAIN_MASKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  int64_t T, S, A, V, N; // N = 1+S+R tokens a frame: rows are numbered bt*N + 1 + s
  double full_mask, corrupt, action_drop, own_codes;
  double blind;         // probability that a clip has a stretch of hidden frames
  double change_weight; // of the loss at positions whose code is not that of the frame before
  uint64_t seed;
  int64_t piece; // frames after which another clip begins, as far as the model is told; 0 = T
  // The part of each clip that is filled in, and the order of frames in its batch, as in
  // train_dynamics_frames: frame t of clip b is frame b*clip_step + (t - first)*frame_step. All
  // frames, clip by clip, while `frames` is 0.
  int64_t first, frames, clip_step, frame_step;
} train_masking;

// One clip of a batch, in and out. tokens_in [T,S] and action/valid [T,A] come from data/; frame
// t's action led to frame t.
typedef struct {
  uint64_t sample;
  const int32_t *tokens_in;
  const float *action_in, *valid_in;
  // Out, of the whole batch or, while `frames` is 0, of this clip:
  int32_t *tokens;     // [frames,S] with MASK = V and random codes
  int32_t *before;     // [frames,S] of the frame before each, random codes too; V before frame 0
  int32_t *given;      // [frames,S] tokens unmasked, but MASK in frames of own codes; NULL: none
  float *action;       // [frames,2A] action * valid, valid
  uint8_t *has_action; // [frames]
} train_masking_clip;

// Local. Fills the clip and appends its masked positions: row numbers (of a batch in which this
// clip is number `b`), targets, and, unless `weight` is NULL, the weights of their losses. Returns
// how many were appended (at most (T-1)*S).
int64_t train_masking_apply(const train_masking *o, const train_masking_clip *c, int64_t b,
                            int32_t *masked_row, int32_t *target, float *weight);
// Local. Whether frame t of the clip is context with codes that the model draws itself. Frame 0 and
// frames masked whole are not.
bool train_masking_own(const train_masking *o, uint64_t sample, int64_t t);
// Local. How many positions of this part of clip `sample` will be masked.
int64_t train_masking_count(const train_masking *o, uint64_t sample);

#endif
