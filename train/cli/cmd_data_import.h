// `orrery data import`: recordings as clips.
#ifndef TRAIN_CMD_DATA_IMPORT_H
#define TRAIN_CMD_DATA_IMPORT_H

#include "base/status.h"

// Local. `orrery data import FILE|DIR... --out DIR ...`: a data set of recordings in other formats
// (data/import/import.h); argv[0] is "import". Call it before the process has threads: it forks.
// ORR_ECONFIG for bad usage, and the errors of data_import.
orr_code train_cmd_data_import(int argc, char **argv);

#endif
