// Checks that a data set is what its index says, down to the last number.
#ifndef DATA_VERIFY_H
#define DATA_VERIFY_H

#include <stdint.h>

#include "base/status.h"
#include "data/index.h"

// Local. Reads shard i of the data set whole: its size, structure, offsets and episode lengths,
// every token and number, and its checksum. The first fault is recorded with shard and place:
// ORR_ECORRUPT for a checksum, ORR_EFORMAT for bytes that cannot be, ORR_ENOTFOUND, ORR_EIO.
orr_code data_verify_shard(const data_index *x, int64_t i);

#endif
