// How frames are decoded, as a command's options have it.
#ifndef TRAIN_DECODING_ARGS_H
#define TRAIN_DECODING_ARGS_H

#include "base/args.h"
#include "configs/config.h"
#include "train/engine/engine.h"

// Rows for a command's table of options.
// clang-format off
#define TRAIN_DECODING_OPTIONS                                                                     \
  {"steps", "N", "decoding passes a frame", 0},                                                    \
  {"temperature", "X", "of the drawn codes; 0 takes the likeliest", 0},                            \
  {"choice-temperature", "X", "noise on the order in which positions are kept", 0},                \
  {"carry", "on|off", "where codes stay, show what the tokenizer misses of the last real frame", 0},\
  {"seed", "N", "key of the random numbers", 0}
// clang-format on

// Local. The options, and the section eval of `c` for those that are not given; *out has sample 0.
// ORR_ECONFIG names the option.
orr_code train_decoding_args(const orr_args *a, const cfg *c, train_engine_settings *out);
// Local. --carry, and eval.carry of `c` where it is not given. ORR_ECONFIG.
orr_code train_carry_args(const orr_args *a, const cfg *c, bool *out);
// Local. --memory-by: whether likeness of poses decides; *by_pose keeps its value where it is not
// given. ORR_ECONFIG.
orr_code train_memory_by_args(const orr_args *a, bool *by_pose);

#endif
