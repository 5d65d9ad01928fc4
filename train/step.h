// One optimizer step: gradients of a batch over all axes, their norm, the update. Owns everything
// that a step works on. Created in planning mode: memory, kernels and traffic are counted first,
// for this rank or, without a world, for any other one.
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include "configs/config.h"
#include "data/clip_batch.h"
#include "train/axes.h"
#include "train/gather.h"
#include "train/reduce.h"
#include "train/stage.h"
#include "train/state.h"

// What the ranks tell each other once a step, summed.
typedef struct {
  double loss_sum, written, failed, stop;
} train_step_votes;

typedef struct {
  const cfg *c;
  train_axes *axes;
  kern *k; // borrowed
  train_state state;
  train_stage *stage;
  train_reduce *reduce;
  train_gather *gather;
  orr_arena exchange; // what axes communicate through, besides the stage's
  int64_t clips, micro, micros;
  // What one step moves, announced by the planning pass for the first step of a run.
  train_moved announced[DIST_AXES][TRAIN_MOVES];
} train_step;

// Local. Lists the parameters and plans everything: arenas count, kernels are prepared, traffic is
// announced. Nothing is allocated. ORR_ECONFIG when the model cannot be split like this. Release
// also after a failure.
orr_code train_step_plan(train_step *s, const cfg *c, train_axes *axes, kern *k);
// Local. Ends planning: allocates exactly what was counted.
orr_code train_step_commit(train_step *s);
void train_step_release(train_step *s);
// Local. Whether replicas communicate while they compute (dist.overlap); the results are the same.
void train_step_overlap(train_step *s, bool overlap);

// Collective over the world. Gradients of the mean loss, reduced; *units (=) what the loss is a
// mean over, of all ranks; wait_ms (+=) time spent waiting for reductions.
orr_code train_step_gradients(train_step *s, const data_clip_batch *b, double *units,
                              double *wait_ms);
// Collective over the world. Sums the votes; votes->loss_sum is set here.
orr_code train_step_vote(train_step *s, train_step_votes *votes);
// Collective over the world. *norm (=) of the whole model's gradient.
orr_code train_step_norm(train_step *s, double *norm);
// Collective over replicas. AdamW with gradients times `scale`; step >= 1.
orr_code train_step_update(train_step *s, double lr, float scale, int64_t step);

#endif
