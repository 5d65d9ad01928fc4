// When the frames of a recording are shown: at a steady rate, at a steady rate with gaps (nothing
// changed on the screen, frames were lost), or at any time. Private to data/.
//
// The usual interval is the mean of all intervals below 1.9 times their median. A steady recording
// has no interval of 1.5 times that or more: cameras that are a little early or late are steady.
#ifndef DATA_IMPORT_FRAME_TIMES_H
#define DATA_IMPORT_FRAME_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  double fps;     // frames a second: the steady rate, or that of the usual interval
  bool steady;    // the times say no more than the rate
  bool clockless; // under three quarters of the intervals are whole numbers of the usual one
  int64_t gaps;   // intervals of 1.5 times the usual one or more
  double longest; // of them, in seconds
  double longest_at;
  int64_t ticks; // frames that there would be at that rate without gaps
} data_frame_times;

// Local. times: of n frames, in seconds and rising, or NULL. said_fps: what the file says, 0 for
// nothing. ORR_ENOMEM.
orr_code data_frame_times_look(const double *times, int64_t n, double said_fps,
                               data_frame_times *out);

#endif
