#ifndef TRAIN_CMD_TRAIN_H
#define TRAIN_CMD_TRAIN_H
#include "base/status.h"
// orrery train CONFIG.yaml [--set key=value]... [--resume auto|none|PATH] [--dry-run]
// Collective when started by mpirun or srun.
orr_code train_cmd_train(int argc, char **argv);
#endif
