// Steps of a run taken again, as the run took them: the same data, limits and doubts. Nothing is
// written. What comes of each step is handed to who compares it.
#ifndef TRAIN_REPEAT_H
#define TRAIN_REPEAT_H

#include "checkpoints/checkpoint.h"
#include "train/run/run.h"

// Collective over the world. A step's results, and this rank's fingerprints of it; *stop (=) on
// rank 0 whether no further step is wanted.
typedef orr_code (*train_repeat_fn)(void *ctx, int64_t step, const train_step_result *x,
                                    const train_fingerprint *mine, bool *stop);

typedef struct {
  train_run run;    // planned, with data (train/run/run.h)
  int64_t from, to; // steps from+1 to `to`
  int64_t *ahead;   // [to - from] steps of data passed over before each
  train_repeat_fn compare;
  void *ctx;
  bool stopped; // by compare, on every rank
  struct {      // whose results are not there yet; step 0 = none
    int64_t step, batch_number;
    uint64_t batch;
  } pending;
} train_repeat;

// Collective over the world. All steps, from the checkpoint of step `from`; NULL: from the
// beginning.
orr_code train_repeat_steps(train_repeat *r, ckpt_reader *reader);

#endif
