// The order of one data set's clips: position p of epoch e -> (shard, clip of the shard). The
// shards are shuffled for each epoch and cut into blocks of DATA_ORDER_BLOCK; the clips of a block
// are permuted together. So a reader has few shards open at a time, and every clip comes once an
// epoch. A pure function of (seed, epoch, position) and of the clip counts; memory: O(shards),
// nothing a clip. Not thread safe: it remembers where the blocks of the last epoch begin.
#ifndef DATA_ORDER_H
#define DATA_ORDER_H

#include <stdint.h>

#include "base/status.h"

#define DATA_ORDER_BLOCK 16 // shards

typedef struct data_order data_order;
typedef struct {
  int64_t shard;
  uint64_t clip; // of that shard
} data_place;

// Local. clips [shards]: borrowed for the life of the order. ORR_EINVAL without any clip,
// ORR_ENOMEM.
orr_code data_order_create(const uint64_t *clips, int64_t shards, uint64_t seed, data_order **out);
void data_order_destroy(data_order *o); // takes NULL
// Clips in an epoch.
uint64_t data_order_clips(const data_order *o);
// Local. position below data_order_clips.
data_place data_order_at(data_order *o, uint64_t epoch, uint64_t position);
// Local. Number of the block of shards that a position lies in.
int64_t data_order_block(data_order *o, uint64_t epoch, uint64_t position);
// Local. distance [shards] (=): positions from this one until the first clip of each shard, in this
// epoch or the next. Exact for the block at hand, up to where a block begins for those after it.
void data_order_ahead(data_order *o, uint64_t epoch, uint64_t position, uint64_t *distance);

#endif
