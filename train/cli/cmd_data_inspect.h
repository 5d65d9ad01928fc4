// `orrery data inspect`: what a data set holds.
#ifndef TRAIN_CMD_DATA_INSPECT_H
#define TRAIN_CMD_DATA_INSPECT_H

#include "base/status.h"

// Local. `orrery data inspect DIR [--sheet FILE.png] [--json FILE]`: what a data set holds;
// argv[0] is "inspect". ORR_ECONFIG for bad usage.
orr_code train_cmd_data_inspect(int argc, char **argv);

#endif
