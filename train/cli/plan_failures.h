// `orrery plan --simulate failures`: goodput against checkpoint interval and spares.
#ifndef TRAIN_CLI_PLAN_FAILURES_H
#define TRAIN_CLI_PLAN_FAILURES_H

#include "base/args.h"

#define TRAIN_PLAN_FAILURE_OPTIONS                                                                 \
  {"", NULL, "Failures, for the best layout", 0},                                                  \
      {"simulate", "failures", "goodput against checkpoint interval and spares", 0},               \
      {"mtbf", "HOURS", "between failures of the whole job (default 7.9 x 1024 / GPUs)", 0},       \
      {"node", "GPUS", "of a node (default 8, or all)", 0},                                        \
      {"segment", "NODES", "left out together without a spare (default 1)", 0},                    \
      {"spares", "NODES", "most spare nodes that are looked at (default 2)", 0},                   \
      {"repair", "HOURS", "until a node that failed is back (default 24)", 0},                     \
      {"restart", "S", "from a failure to the first step after it (default 30)", 0},               \
      {"save", "S", "that a checkpoint stalls a step (default 1)", 0},                             \
      {"copies", "STEPS", "between copies in a neighbour's memory; 0 = none (default 0)", 0},      \
      {"copy", "S", "that such copies stall a step (default 0)", 0},                               \
      {"intervals", "STEPS",                                                                       \
       "between checkpoints; a comma between several (default: around the best)", 0},              \
  {                                                                                                \
    "seed", "N", "of the simulation (default 1)", 0                                                \
  }

// Local. Prints the table where --simulate asks for it. ORR_ECONFIG.
orr_code train_plan_failures(const orr_args *a, double step_s, int gpus, double days);

#endif
