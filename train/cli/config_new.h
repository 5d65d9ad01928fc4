// `orrery config new tokenizer|dynamics --data DIR --minutes M`: a commented configuration for a
// data set, this machine and a time (train/setup/starter.h), on stdout or in a file.
#ifndef TRAIN_CONFIG_NEW_H
#define TRAIN_CONFIG_NEW_H

#include "base/args.h"
#include "base/status.h"

// clang-format off
#define TRAIN_CONFIG_NEW_OPTIONS                                                                   \
  {"data", "DIR|URL", "with new: the data set to train on; its frames, or its tokens", 0},         \
  {"minutes", "M", "with new: how long training may take on this machine (default 30)", 0},        \
  {"tokenizer", "CHECKPOINT", "with new dynamics: what made the tokens, when not where they say", 0}, \
  {"out", "FILE", "with new: file to write, which must not exist (default: standard output)", 0}
// clang-format on

// Local. ORR_ECONFIG, ORR_EINVAL for data that cannot be trained on, ORR_EUNSUPPORTED.
orr_code train_config_new(const orr_args *a);

#endif
