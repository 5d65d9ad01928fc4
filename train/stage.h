// What is trained, seen from the loop: the tokenizer or the dynamics model behind one table.
// A stage owns its model plan and the host buffers between a batch of clips and the model.
#ifndef TRAIN_STAGE_H
#define TRAIN_STAGE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "configs/config.h"
#include "data/clip_batch.h"
#include "kernels/kern.h"
#include "train/dynamics.h"
#include "train/state.h"

typedef struct train_stage train_stage;

typedef struct {
  const char *name;
  // Local. Takes the stage's arrays; once counting, once committed.
  void (*place)(train_stage *s);
  // Local. Host work for a whole local batch (masks); *units gets what the loss is a mean over:
  // masked positions, or pixel values.
  orr_code (*prepare)(train_stage *s, const data_clip_batch *b, double *units);
  // Local. While planning: what the step that begins with global sample `first` of this rank will
  // compute, where that depends on the samples.
  void (*foresee)(train_stage *s, uint64_t first);
  // Collective over tp and cp. Forward and backward of micro-batch `micro`; the gradient of scale *
  // loss sum is added.
  orr_code (*run)(train_stage *s, int64_t micro, float scale, train_grad_ready_fn ready, void *ctx);
  void (*destroy)(train_stage *s);
} train_stage_table;

struct train_stage {
  const train_stage_table *table;
  kern *k;
  const cfg *c;
  train_axes *axes;
  train_state *state;
  int64_t clips, micro; // clips of this rank a step, clips a micro-batch
  double loss_sum;      // here in this step so far; ranks of tp have the same
  double tokens_per_clip, frames_per_clip, flops_per_clip;
  orr_arena activations, exchange, inputs;
};

// Local. Lists the stage's parameters in state->params and creates its plan. `clips` a step on this
// rank, in micro-batches of `micro`; ranks of tp and cp share clips.
orr_code train_stage_dynamics_create(kern *k, const cfg *c, train_axes *axes, train_state *state,
                                     int64_t clips, int64_t micro, train_stage **out);
orr_code train_stage_tokenizer_create(kern *k, const cfg *c, train_axes *axes, train_state *state,
                                      int64_t clips, int64_t micro, train_stage **out);
orr_code train_stage_create(kern *k, const cfg *c, train_axes *axes, train_state *state,
                            int64_t clips, int64_t micro, train_stage **out); // by train.stage
// Local. The parameters of the rank that `axes` stand for, in order of the flat layout; of another
// rank of tp than this one, too. ORR_ENOMEM; release *out also then.
orr_code train_stage_list(const cfg *c, train_axes *axes, train_params *out);
void train_stage_destroy(train_stage *s); // takes NULL
// Local. For the create functions: what all stages share, with empty arenas that count.
void train_stage_init(train_stage *s, const train_stage_table *table, kern *k, const cfg *c,
                      train_axes *axes, train_state *state, int64_t clips, int64_t micro);
// Local. For the destroy functions: gives the arenas back.
void train_stage_release(train_stage *s);

#endif
