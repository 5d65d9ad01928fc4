#ifndef TRAIN_CMD_EVAL_H
#define TRAIN_CMD_EVAL_H
#include "base/status.h"
// orrery eval CHECKPOINT --data DIR [--json FILE] [--strip FILE.png] ...
orr_code train_cmd_eval(int argc, char **argv);
#endif
