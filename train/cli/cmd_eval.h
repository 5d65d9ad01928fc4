// `orrery eval`: the measures of a world model (docs/evaluation.md).
#ifndef TRAIN_CMD_EVAL_H
#define TRAIN_CMD_EVAL_H

#include "base/status.h"

// Local. `orrery eval CHECKPOINT --data DIR [--json FILE] [--strip FILE.png] ...`; argv[0] is
// "eval". ORR_ECONFIG for bad usage, ORR_EINVAL when model, tokenizer and data set do not fit
// together.
orr_code train_cmd_eval(int argc, char **argv);

#endif
