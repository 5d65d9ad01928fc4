// Policies judged twice, for real and in a model, from the same starts with the same chances, and
// how the two verdicts go together (docs/evaluation.md).
#ifndef TRAIN_POLICY_EVALUATE_H
#define TRAIN_POLICY_EVALUATE_H

#include <jansson.h>

#include "base/status.h"
#include "train/infer/world_model.h"
#include "train/engine/engine.h"
#include "train/infer/episodes.h"
#include "train/policy/actor.h"

typedef struct {
  train_actor_world world;   // seed, places, patience ... of all actors
  const char *const *policy; // [policies] as of train_actor_open, or recorded:DIR|URL
  int64_t policies;
  int64_t trials;  // N of each policy
  int64_t prompt;  // frames that both worlds begin from
  int64_t horizon; // frames of a trial, after those
  int64_t samples; // rolls of the model's dice for each trial
  int64_t replays; // trials whose frames are compared, in all
  int64_t replay_horizon;
  int64_t draws; // of the bootstrap
  train_engine_settings decoding;
  double guidance;
  bool carry; // train/infer/carry.h
  int32_t branch;
  data_remote *remote;       // for recordings
  train_episodes *calibrate; // recordings of the task that the judge's threshold is found on; NULL
  bool by_colour;            // the scene's goals judge the model's frames, though it has a head
} train_policy_options;

// Local. *out is a new object in the form of policy.json. A policy that does not answer, or answers
// wrongly, is named in it, with why, and left out of the figures. ORR_EINVAL where fewer than two
// are left.
orr_code train_policy_evaluate(const train_world_model *m, const train_policy_options *o,
                               json_t **out);

#endif
