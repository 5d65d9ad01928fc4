#ifndef TRAIN_CMD_ROLLOUT_H
#define TRAIN_CMD_ROLLOUT_H
#include "base/status.h"
// orrery rollout CHECKPOINT --data DIR --clip N --frames N [--actions FILE] --out
// FILE.mp4|.gif|.png
orr_code train_cmd_rollout(int argc, char **argv);
#endif
