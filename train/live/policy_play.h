// Episodes in which a policy that somebody serves (train/policy/policy.h) acts in a world.
#ifndef TRAIN_LIVE_POLICY_PLAY_H
#define TRAIN_LIVE_POLICY_PLAY_H

#include "train/live/control.h"
#include "train/policy/policy.h"

typedef struct {
  const char *address, *key;
  double patience_s;
  const train_policy_part *part;
  int parts;
  int64_t episodes; // episode i begins from clip i of the first data set, with seed `seed` + i
  int64_t horizon;  // frames of one, after those given
  int64_t replan;   // actions of a chunk that are taken before the next is asked for; 0 = all
  int64_t seed;
  const char *out; // folder for a session file of every episode; NULL = none
} train_policy_play_options;

// Local. Plays all episodes at place 0 of the worlds and prints a line of JSON for each to stdout:
// what it was begun from, its frames, its surprise, how long the policy thought, and the chain of
// its frames' hashes. ORR_ESTOPPED where stop() says so, and as of train_policy_open and
// train_policy_ask.
orr_code train_policy_play(const train_policy_play_options *o, const train_live_house *h,
                           train_live_world *const *worlds, int count, bool (*stop)(void));

#endif
