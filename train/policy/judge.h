// Who says in a model's frames that a trial has succeeded, and how far he can be trusted. The
// model's head for progress has arrived where it says so much for DATA_GOALS_HELD frames in a row;
// how much is found on recordings whose end is known: their actions are replayed in the model, and
// the threshold is the one that tells those that succeeded from those that failed best. Local.
#ifndef TRAIN_POLICY_JUDGE_H
#define TRAIN_POLICY_JUDGE_H

#include <jansson.h>

#include "train/infer/episodes.h"
#include "train/policy/trials.h"

enum { TRAIN_JUDGE_LEAST = 4 }; // recordings of either end; with fewer the threshold stays

typedef struct {
  double threshold;
  int64_t recordings, succeeded; // that it was found on; 0 = it is as it was
  double balanced;               // mean of the shares of either end that it tells rightly
  double auroc;                  // whether the head tells them apart at all, whatever the threshold
} train_judge;

// Local. Replays at most N recordings, with the starts that they have, and sets t->arrived where
// enough of either end are there. `horizon` frames of each count. ORR_EINVAL where the set does not
// say what succeeded or does not fit.
orr_code train_judge_calibrate(train_model_trials *t, train_episodes *recordings, int64_t N,
                               int64_t prompt, int64_t horizon, train_judge *out);
// Local. What policy.json says of it. NULL = out of memory.
json_t *train_judge_tell(const train_judge *j, bool by_head);

#endif
