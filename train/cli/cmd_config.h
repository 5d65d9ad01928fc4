// `orrery config`: prints, checks and explains configurations.
#ifndef TRAIN_CMD_CONFIG_H
#define TRAIN_CMD_CONFIG_H

#include "base/status.h"

// Local. `orrery config print|check|doc [CONFIG.yaml] [--set key=value]...`; argv[0] is "config".
// Text goes to stdout. ORR_ECONFIG for bad usage and bad configurations.
orr_code train_cmd_config(int argc, char **argv);

#endif
