// Goodput: the share of a run's wall time that went into steps that counted, over all processes
// that worked on it, and what the rest went to. Computed from history.jsonl and metrics.jsonl.
#ifndef TRAIN_GOODPUT_H
#define TRAIN_GOODPUT_H

#include <jansson.h>
#include <stdint.h>

#include "train/observe/metrics_table.h"

// Seconds. They add up to wall_s; `other` takes what is in no class (writing metrics, farewells).
// Where a process follows one on a node with another clock, down_s takes what they disagree about:
// nothing when the later clock is slow, all of it when it is ahead.
typedef struct {
  double wall_s;
  double steps_s;      // in steps that counted, without the next two
  double data_s;       // waiting for clips in them
  double checkpoint_s; // waiting for checkpoints in them
  double eval_s;       // in held-out figures between them
  double skipped_s;    // in steps whose update was skipped
  double lost_s;       // in steps that a later process repeated
  double start_s;      // from the start of a process to its first step
  double down_s;       // between a process' last sign of life and the start of the next
  double other_s;
  int64_t starts, lost_steps, skipped_steps;
} train_goodput;

// Local. From a run's history (train_history_read) and metrics as they stand; zeros without a
// history.
void train_goodput_of(const json_t *history, const train_columns *metrics, train_goodput *out);
// Local. steps_s / wall_s, 0 without wall time.
double train_goodput_share(const train_goodput *g);

#endif
