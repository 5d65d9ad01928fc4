// `orrery train`: trains a model (docs/training.md).
#ifndef TRAIN_CMD_TRAIN_H
#define TRAIN_CMD_TRAIN_H

#include "base/status.h"

// Collective over the world when started by mpirun or srun. `orrery train CONFIG.yaml [--set
// key=value]... [--resume auto|none|PATH] [--dry-run] [--replay
// STEP]`; argv[0] is "train". Codes: train/run/loop.h.
orr_code train_cmd_train(int argc, char **argv);

#endif
