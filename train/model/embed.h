// The beginning of the residual stream: the rows of some frames, each [action, S codes, R
// registers], and the gradient of what they are made of.
//
// With tp each rank embeds the tokens of its part of the table, the first one also all the rest;
// the sum over ranks is the residual stream. The action's embedding is float32 also under bf16: it
// is small, and actions are the input that users care about.
#ifndef TRAIN_EMBED_H
#define TRAIN_EMBED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "kernels/kern.h"
#include "train/model/dynamics_dims.h"
#include "train/model/linear.h"

typedef struct {
  kern *k;
  const train_dynamics_dims *d;
  const train_dynamics_params *p;
  const train_weights *w;
  int64_t clips, frames;  // frames of all clips, on this rank
  int64_t together;       // frames of one clip that lie side by side
  const train_rows *rows; // M = frames*N

  float *action_emb, *daction_emb; // [frames,D]
  // [N] the view of each token, -1 = none; then, with run.exact and tp, of this rank's rows [rows].
  // NULL without views.
  int32_t *view_of, *host_view_of;
  float *leaf_grad; // with run.exact: of all but the tables, of a leaf that is not the first here
} train_embed;

// In device memory.
typedef struct {
  const int32_t *tokens;     // [frames,S]
  const int32_t *before;     // [frames,S] of the frame before each; NULL without model.before
  const float *action;       // [frames,2A]: action * valid, valid
  const uint8_t *has_action; // [frames]
  const int32_t *branch;     // [clips]
} train_embed_inputs;

// Local. Of one whose sizes are set: the table of views, where there are any. ORR_ENOMEM; release
// also then.
orr_code train_embed_init(train_embed *e);
void train_embed_release(train_embed *e);
// Local. Takes the buffers; once counting, once committed.
orr_code train_embed_place(train_embed *e, bool backward, orr_arena *arena);
// Collective over tp. x [rows,D] (=).
orr_code train_embed_forward(const train_embed *e, const train_embed_inputs *in, void *x);
// Collective over tp. From dx [rows,D], the gradient of x: gradients of the parameters (+=).
orr_code train_embed_backward(const train_embed *e, const train_embed_inputs *in, const void *dx);

#endif
