// From a configuration to what reads remote data sets.
#ifndef TRAIN_REMOTE_DATA_H
#define TRAIN_REMOTE_DATA_H

#include "base/status.h"
#include "configs/config.h"
#include "data/remote/remote.h"
#include "base/args.h"

// For the tables of commands that read a data set: its knobs can be set as for training.
#define TRAIN_REMOTE_OPTION                                                                        \
  {                                                                                                \
    "set", "data.KNOB=VALUE", "a knob of remote data: data.endpoint, data.cache_dir, ...",         \
        ORR_OPTION_REPEATED                                                                        \
  }

// Local. As the rows of section data say. Destroy with data_remote_destroy.
orr_code train_remote_create(const cfg *c, data_remote **out);
// Local. The same for a command: defaults, then each --set. ORR_ECONFIG for knobs of other
// sections.
orr_code train_remote_create_args(const orr_args *a, data_remote **out);

#endif
