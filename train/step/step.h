// One optimizer step: gradients of a batch over all axes, their norm, the update. Owns everything
// that a step works on. Created in planning mode: memory, kernels and traffic are counted first,
// for this rank or, without a world, for any other one.
//
// A step is issued, not awaited: nothing in it waits for the device, and nothing is allocated. What
// it has found out - loss, norm, whether the update was skipped - comes with its results, which are
// taken while the next step runs. Where the kern can capture, a step's ops, and the collectives
// that are in their order, are captured for each shape of the loss and replayed from then on
// (train/step/capture.h). Agreements of the ranks' hosts stay outside.
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include "configs/config.h"
#include "data/clips/clip_batch.h"
#include "train/model/axes.h"
#include "train/step/adapter.h"
#include "train/step/fetch.h"
#include "train/step/gather.h"
#include "train/timing/timer.h"
#include "train/step/reduce.h"
#include "train/step/capture.h"
#include "train/step/stage.h"
#include "train/step/state.h"

// What the ranks tell each other once a step, summed.
typedef struct {
  double written, failed, stop, lost;
} train_step_votes;

// Fingerprints (kernels/ops.h) of what a step made on this rank, in the order in which they follow
// from each other.
typedef struct {
  uint64_t local;     // gradients of its clips, before replicas add theirs
  uint64_t gradients; // reduced, as far as this rank updates with them
  uint64_t weights;   // float32, that this rank updated
} train_step_fingerprints;

// Of a step, in device memory; loss and sumsq summed over the ranks.
typedef struct {
  double loss;
  double outcomes[TRAIN_OUTCOMES]; // losses of the heads on registers
  double sumsq;
  train_step_fingerprints fingerprints; // of a step that takes them
  kern_clip_result verdict;
} train_totals;

// Sums of a step that have an order of their own, in device memory (run.exact).
typedef struct {
  int64_t count;    // leaves of a step
  double *losses;   // [1 + outcomes, count] of each leaf; zeros of other ranks' leaves
  int64_t *squares; // [KERN_SQUARES_BINS] of the gradient
} train_exact_sums;

// What is known on the host about a step under way.
typedef struct {
  int64_t step;
  train_batch_sums sums;
  bool fingerprint;
} train_issued;

// What the next step is. A loss (the mean) or a gradient norm above the largest that is accepted,
// or not finite, makes its update one that is skipped.
typedef struct {
  int64_t step; // counts from 1
  double lr;
  double most_loss, most_norm; // INFINITY = any that is finite
  bool fingerprint;            // take fingerprints; only where guard.record_every asks for any
} train_step_request;

typedef struct {
  int64_t step;
  double loss, grad_norm;
  double outcomes[TRAIN_OUTCOMES]; // mean losses of the heads on registers; NaN: there is none
  bool skipped;                    // weights and moments are as before
  int64_t bad_clips; // of the batch, over all replicas: more than 0, and it is skipped
  double timed_ms[TRAIN_TIMED];
  train_step_fingerprints fingerprints; // zeros where none were asked for
} train_step_result;

typedef struct {
  const cfg *c;
  train_axes *axes;
  kern *k;                // borrowed
  train_state state;      // what is trained
  train_state base;       // with an adapter, which is then `state`: what the model runs on
  train_adapter *adapter; // NULL: `state` is that, too
  train_stage *stage;
  train_ordered *ordered; // NULL without run.exact
  train_exact_sums exact;
  train_reduce *reduce;
  train_gather *gather;
  train_fetch *fetch;
  train_timer *timer;
  train_capture *replay;
  bool capture;       // steps are captured and replayed
  bool fingerprint;   // of the step under way
  orr_arena exchange; // what axes communicate through, besides the stage's
  orr_arena results;  // pinned
  train_totals *totals, *result[2];
  train_issued issued[2]; // by turn
  int turn, taken;        // of the step issued next, and of the one whose results are taken next
  int64_t clips, micro, micros;
  // What one step moves, announced by the planning pass for the first step of a run.
  train_moved announced[DIST_AXES][TRAIN_MOVES];
} train_step;

// Local. Lists the parameters and plans everything: arenas count, kernels are prepared, traffic is
// announced. Nothing is allocated. ORR_ECONFIG when the model cannot be split like this. Release
// also after a failure.
orr_code train_step_plan(train_step *s, const cfg *c, train_axes *axes, kern *k);
// Local, before commit. Plans the run's first step once more, for those who watch the kern, the
// axes and the timer; what was announced stays.
orr_code train_step_rehearse(train_step *s);
// Local. Ends planning: allocates exactly what was counted.
orr_code train_step_commit(train_step *s);
// Collective over the world unless a rank failed; a plan that failed may be left too. Leaves the
// device in the one order that ends: what waits for other ranks gives up, then captured steps go,
// then the communicators that they hold. Before train_step_release, which ends their memory.
void train_step_leave_device(train_step *s, dist_world *w);
void train_step_release(train_step *s);
// Local. The weights that the model runs on.
static inline train_state *train_step_model(train_step *s) {
  return s->adapter ? &s->base : &s->state;
}
// Local, with an adapter. base_too: s->base holds the weights of the base as they are. anew: what
// is trained whole begins as they have it. Then the adapter is merged.
orr_code train_step_adapt(train_step *s, bool anew, bool base_too);
// Local. Whether replicas communicate while they compute (dist.overlap); the results are the same.
void train_step_overlap(train_step *s, bool overlap);

// Collective over the world. Issues a step on this rank's clips `b`, which are free again when it
// returns. At most two steps are issued whose results have not been taken.
orr_code train_step_run(train_step *s, const data_clip_batch *b, const train_step_request *q);
// The same in two halves: up to the reduced gradients of the mean loss, then the update.
orr_code train_step_gradients(train_step *s, const data_clip_batch *b, const train_step_request *q);
orr_code train_step_update(train_step *s);
// Local. Waits for the earliest step issued whose results have not been taken, and takes them.
orr_code train_step_results(train_step *s, train_step_result *out);
// Local. This rank's fingerprint of the weights as they are, between two steps. Waits for the
// device.
orr_code train_step_weights(train_step *s, uint64_t *out);
// Collective over the world. Sums the votes.
orr_code train_step_vote(train_step *s, train_step_votes *votes);

#endif
