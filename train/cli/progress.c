#include "train/cli/progress.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"

train_progress train_progress_begin(const char *what) {
  return (train_progress){.what = what, .begin_ms = orr_clock_ms()};
}

void train_progress_frames(void *progress, int64_t done, int64_t all) {
  train_progress *p = progress;
  const double seconds = (orr_clock_ms() - p->begin_ms) * 1e-3;
  if (p->ended) return;
  p->ended = done == all;
  orr_progress(p->ended, "%s: %" PRId64 " of %" PRId64 " frames, %.0f frames/s", p->what, done, all,
               seconds > 0 ? (double)done / seconds : 0.0);
}
