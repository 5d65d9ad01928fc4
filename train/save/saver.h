// Saving from inside the loop: begins a checkpoint, learns from the step's own reduction when every
// rank has written its part, and commits it. A failed save is reported and training goes on.
#ifndef TRAIN_SAVER_H
#define TRAIN_SAVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "checkpoints/checkpoint.h"
#include "configs/config.h"
#include "train/model/axes.h"
#include "train/step/state.h"

typedef struct train_saver train_saver;

// What saving takes and moves.
typedef struct {
  uint64_t host_bytes;                       // buffers of this rank
  train_moved moved[DIST_AXES][TRAIN_MOVES]; // from begin until the checkpoint is committed
} train_saver_needs;

// Local, while axes plan. What a saver will need.
orr_code train_saver_plan(const cfg *c, train_axes *axes, train_state *state,
                          train_saver_needs *out);
// Local. All buffers are taken here. Borrows axes and state.
orr_code train_saver_create(const cfg *c, train_axes *axes, train_state *state, train_saver **out);
uint64_t train_saver_host_bytes(const train_saver *s);
// Collective over the world. Copies the state and starts writing step's checkpoint; finishes an
// earlier one first. `meta` is taken over (rank 0 uses it; NULL fails the save). *stall_ms (+=) the
// time this cost the step.
orr_code train_saver_begin(train_saver *s, int64_t step, json_t *meta, double *stall_ms);
// Where this rank's save is: nothing under way, still writing, written here, failed here.
typedef enum {
  TRAIN_SAVE_IDLE,
  TRAIN_SAVE_WRITING,
  TRAIN_SAVE_WRITTEN,
  TRAIN_SAVE_FAILED
} train_save_state;
// Local. What this rank brings to the step's reduction.
train_save_state train_saver_poll(train_saver *s);
// Collective over the world, called when the reduction says that all ranks have written (failed =
// false) or that one has failed. *stall_ms (+=) as above.
orr_code train_saver_conclude(train_saver *s, bool failed, double *stall_ms);
// Collective over the world. Waits for what is under way to be committed. The outcome of the last
// save: ORR_OK, or why it failed.
orr_code train_saver_finish(train_saver *s);
// Local, rank 0. True once for a save that has failed: what happened, as it was warned of.
bool train_saver_failure(train_saver *s, char *words, size_t size);
// Local, rank 0. The step of the newest checkpoint of this saver that is in its place; 0 = none.
int64_t train_saver_saved(train_saver *s);
void train_saver_destroy(train_saver *s); // takes NULL

#endif
