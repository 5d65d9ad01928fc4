// `orrery rollout`: one rollout as a film (docs/evaluation.md).
#ifndef TRAIN_CMD_ROLLOUT_H
#define TRAIN_CMD_ROLLOUT_H

#include "base/status.h"

// Local. `orrery rollout CHECKPOINT --data DIR --clip N --frames N [--actions FILE] --out
// FILE.mp4|.gif|.png`; argv[0] is "rollout". ORR_ECONFIG for bad usage, ORR_EINVAL when model,
// tokenizer and data set do not fit together, ORR_EFORMAT for a bad file of actions.
orr_code train_cmd_rollout(int argc, char **argv);

#endif
