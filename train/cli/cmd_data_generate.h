// `orrery data generate`: simulated clips.
#ifndef TRAIN_CMD_DATA_GENERATE_H
#define TRAIN_CMD_DATA_GENERATE_H

#include "base/status.h"

// Local. `orrery data generate --scene tabletop --out DIR ...`: a data set of simulated clips.
// argv[0] is "generate". Call it before the process uses OpenGL, HDF5 or threads: it forks.
// ORR_ECONFIG for bad usage, ORR_EUNSUPPORTED in a build without the simulator.
orr_code train_cmd_data_generate(int argc, char **argv);

#endif
