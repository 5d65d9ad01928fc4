// A configuration as a command line gives it: a file, and --set over it.
#ifndef TRAIN_CONFIG_ARGS_H
#define TRAIN_CONFIG_ARGS_H

#include <stdbool.h>

#include "base/args.h"
#include "configs/config.h"

// Local. cfg_read of the file (NULL: defaults) and of every --set. `say`: tells what was changed
// to fit. ORR_ECONFIG.
orr_code train_config_args(const orr_args *a, const char *path, bool say, cfg *c);

#endif
