// What is trained, seen from a step: the tokenizer or the dynamics model, through one table. A
// stage owns its model plan and the way of a batch to it: `prepare` writes inputs to one of two
// pinned staging buffers, `send` starts their copy to the device, and while that runs the next
// batch can be prepared in the other one.
#ifndef TRAIN_STAGE_H
#define TRAIN_STAGE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "configs/config.h"
#include "data/clips/clip_batch.h"
#include "kernels/kern.h"
#include "train/model/dynamics.h"
#include "train/timing/timer.h"
#include "train/step/state.h"

typedef struct train_stage train_stage;

// What changes from step to step beside the batch.
typedef struct {
  float scale;                         // of the gradient: the loss is a mean
  float outcome_scale[TRAIN_OUTCOMES]; // the same of the heads on registers, by their weights
  kern_adamw_rates rates;
  kern_bounds bounds;
} train_step_scalars;

// What a batch adds up to, over its clips and over the replicas.
typedef struct {
  double units; // what the loss is a mean over: masked positions by their weight, or pixel values
  double bad;   // clips whose actions are not finite, where actions count
  double outcomes[TRAIN_OUTCOMES]; // frames whose reward, ... is known
} train_batch_sums;

// What a stage is: one of these a stage, for each choice of train.stage.
typedef struct train_stage_ops {
  const char *name;
  // Local. Lists the parameters of the rank that `axes` stand for. ORR_ENOMEM.
  orr_code (*list)(const cfg *c, train_axes *axes, train_params *out);
  // Local. As train_stage_create.
  orr_code (*create)(kern *k, const cfg *c, train_axes *axes, train_state *state, int64_t clips,
                     int64_t micro, train_stage **out);
  // Local. Takes the stage's inputs from `arena`, and notes their addresses in set `set`: 0 and 1
  // are the staging buffers, 2 is the device. Sets are laid out alike.
  void (*place_inputs)(train_stage *s, orr_arena *arena, int set);
  // Local. Takes the model's arrays; once counting, once committed.
  orr_code (*place)(train_stage *s);
  // Local. Host work for a whole local batch (masks), into set s->turn; *sums gets this rank's.
  orr_code (*prepare)(train_stage *s, const data_clip_batch *b, train_batch_sums *sums);
  // Local. While planning: what the first step of a run will compute, where that depends on its
  // samples.
  void (*foresee)(train_stage *s);
  // Local. Gives the prepared batch a larger shape than its own. NULL: there is one shape.
  void (*widen)(train_stage *s, int64_t shape);
  // Collective over tp and cp, both: train_stage_run.
  orr_code (*forward)(train_stage *s, int64_t micro);
  orr_code (*backward)(train_stage *s, int64_t micro, train_grad_ready_fn ready, void *ctx);
  void (*destroy)(train_stage *s);
} train_stage_ops;

enum { TRAIN_INPUTS_ON_DEVICE = 2, TRAIN_INPUT_SETS };
enum { TRAIN_STAGE_MOST_SHAPES = 8 };

struct train_stage {
  const train_stage_ops *ops;
  kern *k;
  const cfg *c;
  train_axes *axes;
  train_state *state;
  int64_t clips, micro; // clips of this rank a step, clips a micro-batch
  // Steps of the same shape, 0 <= shape < shapes <= TRAIN_STAGE_MOST_SHAPES, call the same ops with
  // the same arguments. A larger shape does more work, to the same result.
  int64_t shape, shapes;
  double tokens_per_clip, frames_per_clip, flops_per_clip;
  orr_arena activations, exchange, inputs, staging[2];
  int64_t frames; // of a clip in the step at hand, where a curriculum has it; 0 = all
  int turn;       // the staging buffer that is next
  train_step_scalars *scalars[TRAIN_INPUT_SETS]; // of a step, beside its inputs
  double *loss_sum;                              // in device memory; borrowed, set by the step
  // Of the heads on registers: TRAIN_OUTCOMES, or 0 where there is none; their weights; and the
  // sums of their losses, as loss_sum.
  int64_t outcomes;
  double outcome_weight[TRAIN_OUTCOMES];
  double *outcome_sum;
  int64_t outcome_stride; // between those of two heads
  train_timer *timer;     // borrowed; may be NULL
};

// One for each choice of train.stage: train_stage_dynamics, train_stage_tokenizer (stage_NAME.c).
#define TRAIN_STAGE_DECLARE(knob, NAME, word) extern const train_stage_ops train_stage_##word;
CFG_CHOICES_STAGE(TRAIN_STAGE_DECLARE)

// Local. Lists the stage's parameters in state->params and creates its plan. `clips` a step on this
// rank, in micro-batches of `micro`; ranks of tp and cp share clips.
orr_code train_stage_create(kern *k, const cfg *c, train_axes *axes, train_state *state,
                            int64_t clips, int64_t micro, train_stage **out); // by train.stage
// Local. The parameters of the rank that `axes` stand for, in order of the flat layout; of another
// rank of tp than this one, too: those that are trained, and those of the model, which are the same
// unless an adapter is trained (train/step/adapter.h). ORR_ENOMEM; release *out also then.
orr_code train_stage_list(const cfg *c, train_axes *axes, train_params *out);
orr_code train_stage_list_model(const cfg *c, train_axes *axes, train_params *out);
void train_stage_destroy(train_stage *s); // takes NULL

// Local. Takes all arrays; once counting, once committed.
orr_code train_stage_place(train_stage *s);
orr_code train_stage_commit(train_stage *s); // ORR_ENOMEM names the arena
orr_code train_stage_check(const train_stage *s);
// Local. Waits until the next staging buffer is free and prepares the batch in it.
orr_code train_stage_prepare(train_stage *s, const data_clip_batch *b, train_batch_sums *sums);
// Local. The prepared batch, and the scalars, to the device.
orr_code train_stage_send(train_stage *s, const train_step_scalars *scalars);
// Collective over tp and cp. Forward and backward of micro-batch `micro`; *s->loss_sum (+=), and
// the gradient of s->scalars->scale * loss sum is added.
orr_code train_stage_run(train_stage *s, int64_t micro, train_grad_ready_fn ready, void *ctx);

// Local. For the create functions: what all stages share, with empty arenas that count.
void train_stage_init(train_stage *s, const train_stage_ops *ops, kern *k, const cfg *c,
                      train_axes *axes, train_state *state, int64_t clips, int64_t micro);
// Local. For the destroy functions: gives the arenas back.
void train_stage_release(train_stage *s);

#endif
