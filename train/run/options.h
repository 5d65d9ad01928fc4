// What a training run is asked for besides its configuration.
#ifndef TRAIN_RUN_OPTIONS_H
#define TRAIN_RUN_OPTIONS_H

#include <stdbool.h>

#include "train/run/look.h"

typedef struct {
  const char *resume; // "auto", "none" or a checkpoint folder
  bool
      dry_run; // stop when memory and traffic are counted and data was looked at: nothing allocated
  int as_rank, ranks; // of a dry run: act as this rank of so many; 0 ranks = those that run
  double begun_ms;    // orr_clock_ms when the process began; 0 = now
  train_look look[TRAIN_LOOKS]; // every 0: none
} train_run_options;

#endif
