// `orrery ckpt`: looks into checkpoints, checks them, exports them.
#ifndef TRAIN_CMD_CKPT_H
#define TRAIN_CMD_CKPT_H

#include "base/status.h"

// Local. `orrery ckpt inspect|verify|export CKPT [options]`; argv[0] is "ckpt". CKPT is a step-*
// folder, a run's ckpt/ or the run's folder. Text goes to stdout. ORR_ECONFIG for bad usage,
// ORR_ECORRUPT for a damaged checkpoint.
orr_code train_cmd_ckpt(int argc, char **argv);

#endif
