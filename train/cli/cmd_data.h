// `orrery data`: chooses among what can be done with data sets.
#ifndef TRAIN_CMD_DATA_H
#define TRAIN_CMD_DATA_H

#include "base/status.h"

// `orrery data generate|import|tokenize|inspect|verify ...`; argv[0] is "data". Text goes to
// stdout. Collective for tokenize when started by mpirun or srun, else local. ORR_ECONFIG for bad
// usage.
orr_code train_cmd_data(int argc, char **argv);

#endif
