// What came of the actions of a data set: rewards, ends, success.
#ifndef DATA_SET_OUTCOME_H
#define DATA_SET_OUTCOME_H

#include <stdint.h>

#include "base/status.h"
#include "data/set/index.h"

// Of what the data set has; the others stay 0.
typedef struct {
  double low, high, mean; // of rewards
  int64_t done;           // frames whose action ended their episode
  int64_t success;        // episodes that reached their goal
} data_outcome;

// Local. Reads /reward, /done and /success whole. ORR_EFORMAT for a number that cannot be, and as
// data_shard_open.
orr_code data_outcome_read(const data_index *x, data_outcome *out);

#endif
