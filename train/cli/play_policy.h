// The options of `orrery play` that let a policy act, which somebody serves.
#ifndef TRAIN_CLI_PLAY_POLICY_H
#define TRAIN_CLI_PLAY_POLICY_H

#include "base/args.h"
#include "train/cli/policy_args.h"
#include "train/live/policy_play.h"

#define TRAIN_PLAY_POLICY_OPTIONS                                                                  \
  {"", NULL, "a policy that acts, served by openpi's protocol, and no page", 0},                   \
      {"policy", "ws://HOST:PORT", "the policy's server", 0}, TRAIN_POLICY_OPTIONS,                \
      {"episodes", "N", "episodes, from clip 0 on (default 1)", 0},                                \
      {"horizon", "N", "frames of an episode (default 200)", 0},                                   \
      {"seed", "S", "of the first episode (default 1)", 0},                                        \
      {"out", "DIR", "folder for a session file of every episode", 0},

typedef struct {
  train_policy_play_options o;
  train_policy_args policy;
} train_play_policy;

// Local. Reads them; o.address is NULL where there is no --policy. Released also where
// this fails. ORR_ECONFIG.
orr_code train_play_policy_read(const orr_args *a, train_play_policy *out);
void train_play_policy_release(train_play_policy *p);

#endif
