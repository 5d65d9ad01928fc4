// The progress line of a command that writes frames.
#ifndef TRAIN_PROGRESS_H
#define TRAIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  const char *what; // begins the line; lives as long as this
  double begin_ms;  // of the writing
  bool ended;       // the last line has been printed
} train_progress;

// Local. A progress that begins now.
train_progress train_progress_begin(const char *what);
// Local. Says that `done` of `all` frames are written; the last time when they are equal.
// `progress` is a train_progress: the callback of data_sim_options and data_import_options.
void train_progress_frames(void *progress, int64_t done, int64_t all);

#endif
