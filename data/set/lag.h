// Whether the actions of a data set stand where they belong: which row explains the change from one
// frame to the next best.
//
// A rule (data/set/ridge.h) tells each action, and its difference from the one before, from the
// change between two frames (data/set/motion.h); it is tried for rows from some before to some
// after the one that should lead from the one frame to the other. Where the explained share is
// highest, the actions belong. How sure that is: how often the same row wins among groups of
// examples that are drawn anew.
#ifndef DATA_LAG_H
#define DATA_LAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/set/action_stats.h"
#include "data/set/index.h"

#define DATA_LAG_MOST 4 // rows before and after that are tried

typedef struct {
  bool known;       // something was found
  const char *why;  // else: why not
  int shift;        // row t + shift explains the change from frame t to t+1 best
  double certainty; // 0 to 1
  double explained; // share of the actions' variance, at that row
  double unshifted; // and at row t
  int64_t pairs;    // of frames
} data_lag;

// Local. Looks at up to 2048 pairs of frames all over the data set; stats: of its actions.
// ORR_EFORMAT, ORR_EIO, ORR_ENOMEM.
orr_code data_lag_find(const data_index *x, const data_action_stats *stats, data_lag *out);

#endif
