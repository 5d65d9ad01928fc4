// The options that say what a served policy is shown and how long one waits for it: of `play` and
// of `policy`.
#ifndef TRAIN_CLI_POLICY_ARGS_H
#define TRAIN_CLI_POLICY_ARGS_H

#include "base/args.h"
#include "train/policy/policy.h"

// Rows for a command's table of options.
#define TRAIN_POLICY_OPTIONS                                                                       \
  {"policy-key", "FILE", "file with the key that it asks for", 0},                                 \
      {"observe", "KEY=WHAT",                                                                      \
       "what the policy is shown: frame, frame:SIZE, action, zeros:N or text:WORDS; may be given " \
       "several times (observation/image=frame observation/state=action prompt=text:)",            \
       ORR_OPTION_REPEATED},                                                                       \
      {"replan", "N", "actions of a chunk that are taken (default: all of it)", 0}, {              \
    "patience", "S", "seconds within which the policy has to answer (default 60)", 0               \
  }

enum { TRAIN_POLICY_PARTS = 32 };

typedef struct {
  train_policy_part part[TRAIN_POLICY_PARTS];
  int parts;
  char *key; // of the server, NULL = none
  int64_t replan;
  double patience_s;
} train_policy_args;

// Local. `prompt`: the words that a policy is told unless --observe says otherwise. Released also
// where this fails. ORR_ECONFIG.
orr_code train_policy_args_read(const orr_args *a, const char *prompt, train_policy_args *out);
void train_policy_args_release(train_policy_args *p);

#endif
