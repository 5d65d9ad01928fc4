// The training run: the order of events from a configuration to a trained checkpoint.
#ifndef TRAIN_LOOP_H
#define TRAIN_LOOP_H

#include <stdbool.h>

#include "base/status.h"
#include "configs/config.h"
#include "dist/comm.h"

typedef struct {
  const char *resume; // "auto", "none" or a checkpoint folder
  bool dry_run;       // stop when memory and traffic are counted: no data, nothing allocated
  int as_rank, ranks; // of a dry run: act as this rank of so many; 0 ranks = those that run
  double begun_ms;    // orr_clock_ms when the process began; 0 = now
} train_loop_options;

// Collective over the world. ORR_ESTOPPED when a signal or train.max_wall_s ended it early with a
// checkpoint; every rank returns the same code.
orr_code train_loop(cfg *c, const train_loop_options *o, dist_world *world);

#endif
