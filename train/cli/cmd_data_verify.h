// `orrery data verify`: whether a data set is whole.
#ifndef TRAIN_CMD_DATA_VERIFY_H
#define TRAIN_CMD_DATA_VERIFY_H

#include "base/status.h"

// Local. `orrery data verify DIR [--index]`: reads every byte of a data set; argv[0] is "verify".
// One line when it is whole; ORR_ECORRUPT or ORR_EFORMAT naming shard and place when it is not.
// ORR_ECONFIG for bad usage.
orr_code train_cmd_data_verify(int argc, char **argv);

#endif
