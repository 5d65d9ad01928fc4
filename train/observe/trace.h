// trace/steps-A-B.json: what every rank did in some steps, in the format that Perfetto and Chrome
// read: a process a rank, its phases and waits in one row, what was in flight in a row an axis.
#ifndef TRAIN_TRACE_H
#define TRAIN_TRACE_H

#include "base/status.h"
#include "dist/world.h"
#include "train/timing/profile.h"
#include "train/observe/ranks.h"

// Steps to trace; first 0 = none.
typedef struct {
  int64_t first, last;
} train_trace_range;

// Local. "A-B", "A" or empty (train.trace_steps). ORR_ECONFIG.
orr_code train_trace_parse(const char *text, train_trace_range *out);

// Collective over the world. Writes the spans that the profile kept into RUN_DIR/trace/, every rank
// its own part of the one file. The ranks' clocks are set against rank 0's by barriers, so spans of
// different nodes agree to about the time that a barrier takes. `slow`, rank 0's, is labelled as
// what it is. ORR_EIO, ORR_ENOMEM on all ranks.
orr_code train_trace_write(train_profile *p, dist_world *w, const char *run_dir,
                           const train_trace_range *steps, train_straggler slow);

#endif
