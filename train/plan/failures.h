// A run of many days as failures would have it, by simulation: nodes fail at random, with them goes
// what was not saved, and the run goes on inside its allocation (slurm/job.sh) on a spare node, or
// on fewer. Seeded: the same request gives the same figures.
#ifndef TRAIN_PLAN_FAILURES_H
#define TRAIN_PLAN_FAILURES_H

#include <stdint.h>

#include "base/status.h"

typedef struct {
  double step_s;    // of all nodes
  double days;      // of work without a failure, at most so many
  double mtbf_s;    // between two failures anywhere among the nodes that run, or start
  double repair_s;  // until a node that failed is a spare
  double restart_s; // from a failure to the first step that is made after it
  double save_s;    // that a checkpoint holds the run up for
  double copy_s;    // that copies in a neighbour's memory do
  int64_t interval; // steps from checkpoint to checkpoint
  int64_t copies;   // steps from copy to copy in a neighbour's memory; 0 = none
  int nodes, spares;
  int segment; // nodes that are left out together where no spare is left
  uint64_t seed;
} train_failures_request;

typedef struct {
  double goodput;                  // time of steps that count at full size, of all time
  double lost;                     // share of time: steps made again
  double restarts, saves, smaller; // for starts; checkpoints and copies; by running on fewer nodes
  int64_t failures;
} train_failures;

// Local. Means over several simulated runs.
train_failures train_failures_simulate(const train_failures_request *q);
// Local. The interval in seconds that loses least without spares (Young 1974): sqrt(2 save mtbf).
double train_failures_best_interval_s(double save_s, double mtbf_s);

#endif
