// What the reader of clips needs of an open shard besides data/shard/shard.h. Private to data/.
#ifndef DATA_SHARD_PART_H
#define DATA_SHARD_PART_H

#include "data/shard/column.h"
#include "data/shard/shard.h"

typedef enum {
  DATA_SHARD_FRAMES,
  DATA_SHARD_TOKENS,
  DATA_SHARD_ACTIONS,
  DATA_SHARD_STATE,
  DATA_SHARD_REWARD,
  DATA_SHARD_DONE,
  DATA_SHARD_SUCCESS, // a row an episode
  DATA_SHARD_PARTS
} data_shard_part;

// Local. One more data_shard_close is then needed, from any thread, before the shard goes.
void data_shard_share(data_shard *s);
// Local. Borrowed until close. *fd (may be NULL): of the file, for data_column_pread.
const data_column *data_shard_column(const data_shard *s, data_shard_part part, int *fd);
// Local. Takes HDF5's lock. Rows that the shard has, in the memory type, through HDF5 whatever the
// layout. ORR_EFORMAT or ORR_EIO for bytes that cannot be read.
orr_code data_shard_read_by_hdf5(data_shard *s, data_shard_part part, int64_t first, int64_t n,
                                 int64_t stride, void *out);

#endif
