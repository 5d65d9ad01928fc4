// Every command of the program, and every verb of `orrery data`. One is a row here and a file:
// cmd_NAME.c with train_cmd_NAME, cmd_data_VERB.c with train_cmd_data_VERB. The help, the search
// for a command and "did you mean" follow.
//
// argv[0] of each is its own name. Text for programs goes to stdout or to files, words for people
// to stderr. ORR_ECONFIG for bad usage.
#ifndef TRAIN_CLI_CMD_H
#define TRAIN_CLI_CMD_H

#include "base/status.h"

#define TRAIN_VERB_WORD(verb, words) #verb " "

// X(name, operands and options, for the help)
#define TRAIN_COMMANDS(X)                                                                          \
  X(data, TRAIN_DATA_VERBS(TRAIN_VERB_WORD) "...")                                                 \
  X(train, "CONFIG.yaml [--set key=value]... [--resume auto|none|PATH]")                           \
  X(eval, "CHECKPOINT --data DIR [--json FILE]")                                                   \
  X(rollout, "CHECKPOINT --data DIR --clip N --frames N --out FILE.mp4|.gif|.png")                 \
  X(play, "RUN --data DIR [--port N]")                                                             \
  X(exam, "RUN [--concept NAME]... [--json FILE]")                                                 \
  X(policy, "evaluate RUN --data DIR [--policy WHO]... [--json FILE]")                             \
  X(ckpt, "inspect | verify | export")                                                             \
  X(config, "print | check | doc")                                                                 \
  X(bench, "step | ops | comm | io | rollout")                                                     \
  X(plan, "CONFIG.yaml --gpus N --machine FILE [--memory GB]")                                     \
  X(report, "RUN_DIR | --compare RUN_DIR RUN_DIR")                                                 \
  X(audit, "RUN [--share X] [--seed S]")

// X(verb, sentence)
#define TRAIN_DATA_VERBS(X)                                                                        \
  X(generate, "simulates clips and writes them as a data set")                                     \
  X(import, "makes a data set of recordings: HDF5, or videos with actions")                        \
  X(tokenize, "turns frames into a trained tokenizer's codes")                                     \
  X(inspect, "shows what a data set holds")                                                        \
  X(verify, "reads every byte and checks it")

// Local, or collective over the world where the file says so.
#define TRAIN_COMMAND_DECLARE(name, words) orr_code train_cmd_##name(int argc, char **argv);
TRAIN_COMMANDS(TRAIN_COMMAND_DECLARE)
#undef TRAIN_COMMAND_DECLARE
#define TRAIN_VERB_DECLARE(verb, words) orr_code train_cmd_data_##verb(int argc, char **argv);
TRAIN_DATA_VERBS(TRAIN_VERB_DECLARE)
#undef TRAIN_VERB_DECLARE

#endif
