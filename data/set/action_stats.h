// What the actions of a data set look like, component by component.
#ifndef DATA_ACTION_STATS_H
#define DATA_ACTION_STATS_H

#include <stdint.h>

#include "base/status.h"
#include "data/set/index.h"

#define DATA_ACTION_BINS 24

typedef struct {
  double low, high, mean, deviation;
  uint64_t bins[DATA_ACTION_BINS]; // equal widths from low to high
} data_action_stats;

// Local. Reads all /actions twice. stats: [A of the data set]. ORR_EFORMAT for a number that is not
// finite, and as data_shard_open.
orr_code data_action_stats_read(const data_index *x, data_action_stats *stats);

#endif
