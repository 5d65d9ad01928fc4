// Checks that a data set is what its index says, down to the last number.
#ifndef DATA_VERIFY_H
#define DATA_VERIFY_H

#include <stdint.h>

#include "base/status.h"
#include "data/set/index.h"

// Local. Reads shard i of the data set whole: its size, structure, offsets and episode lengths,
// every frame, token and number, and its checksum. The first fault is recorded with shard and
// place: ORR_ECORRUPT for a checksum, ORR_EFORMAT for bytes that cannot be, ORR_ENOTFOUND, ORR_EIO.
orr_code data_verify_shard(const data_index *x, int64_t i);

typedef struct {
  int processes;
  void (*progress)(void *ctx, int64_t shards); // shards done so far; may be NULL
  void *ctx;
} data_verify_options;

// Local. Checks every shard in worker processes, so that a file on which HDF5 crashes becomes an
// error with its name, and that the folder holds no shard besides those of the index, and none
// twice. Call it before the process has threads. A remote data set is checked by the caller alone.
orr_code data_verify(const data_index *x, const data_verify_options *o);

#endif
