// How a run as a whole fares, over all processes that worked on it: what a Pushgateway shows beside
// the numbers of the last step.
#ifndef TRAIN_VITALS_H
#define TRAIN_VITALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  const char *state; // "starting", "training", "finished", "stopped", "failed"
  int64_t restarts, lost_steps;
  double steps_s, wall_s; // in steps that counted, and in all, at now_ms
  double now_ms;          // by orr_clock_ms
  int64_t saved;          // step of the newest checkpoint; 0 = none
  double saved_wall_s;    // when it was there
} train_vitals;

// Local. From history.jsonl and metrics.jsonl of the run as they stand. ORR_EIO, ORR_ENOMEM.
orr_code train_vitals_read(const char *run_dir, train_vitals *out);
// Local. A step of this process that took so long, and counted or was skipped.
void train_vitals_step(train_vitals *v, double useful_ms, bool counted);
// Local. The share of wall time in steps that counted, up to now.
double train_vitals_goodput(const train_vitals *v);

#endif
