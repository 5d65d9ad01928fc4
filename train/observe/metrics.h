// metrics.jsonl: one object a step, appended by rank 0 in one write each, so that a killed run
// leaves whole lines. A resumed run first drops the lines past the step it resumes from.
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "train/model/outcome.h"
#include "train/observe/append.h"
#include "train/observe/scalars.h"
#include "train/timing/timer.h"

enum { TRAIN_METRICS_FIGURES = 48 };

typedef struct {
  int64_t step;
  double loss, lr, grad_norm;
  double outcomes[TRAIN_OUTCOMES]; // losses of the heads on registers, NaN: none is known
  bool outcome[TRAIN_OUTCOMES];    // which of them there are
  double tokens;                   // since the start of the run, over all ranks
  double tflop;                    // likewise: the work of the matrix products, counted as mfu does
  double tokens_per_s, frames_per_s, step_ms;
  double data_wait_ms, comm_ms, ckpt_stall_ms;
  // The reader of rank 0 since the step before: bytes from shards, what packed chunks became, how
  // many of them were read and how many found in memory; and batches ready when the step began.
  double data_bytes, data_unpacked_bytes, data_chunks, data_chunk_hits, data_queue;
  // With remote data sets: rank 0's downloads since the step before, shards that were found in the
  // cache and that had to be waited for, and requests made again.
  bool fetches;
  double data_fetched_bytes, data_cache_hits, data_fetch_waits, data_fetch_retries;
  // On a device of its own, where the host's times of a step are those of issuing it.
  bool device;
  double timed_ms[TRAIN_TIMED]; // zeros: not told apart
  int64_t bad_clips;            // whose actions are not finite
  bool skipped;                 // a bad step: no update
  double mfu;                   // of the best matmul rate that the machine has shown
  // Of a look at the run after this step (train/run/look.h): what it took, and what it found.
  double eval_ms;
  int figures;
  train_scalar figure[TRAIN_METRICS_FIGURES];
} train_step_metrics;

typedef struct train_metrics train_metrics;

// Local. The numbers of a step under their names, stamped with the wall clock.
void train_metrics_list(const train_step_metrics *s, train_scalars *out);

// Local. Opens path for appending after step `from`: later lines and a torn last line are dropped,
// damaged ones set aside (train/observe/journal.h). ORR_EIO, ORR_EACCESS, ORR_ENOMEM.
orr_code train_metrics_open(const char *path, int64_t from, train_outage *outage,
                            train_metrics **out);
// Local. Writes a step's line, now or when there is room.
void train_metrics_write(train_metrics *m, const train_scalars *s);
void train_metrics_close(train_metrics *m); // takes NULL

#endif
