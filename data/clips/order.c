#include "data/clips/order.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/clips/permutation.h"

#define SHARDS_KEY UINT64_MAX // no block has this number

struct data_order {
  const uint64_t *clips; // [shards]
  int64_t shards, blocks;
  uint64_t seed, total;
  bool ready;
  uint64_t epoch;            // of what follows
  data_permutation shuffled; // of the shards
  uint64_t *starts;          // [blocks + 1]: first position of each block
};

static uint64_t key_of(const data_order *o, uint64_t epoch, uint64_t what) {
  orr_u32x4 r = orr_rng_draw(o->seed, ORR_STREAM_ORDER, epoch, what);
  return (uint64_t)r.v[1] << 32 | r.v[0];
}

orr_code data_order_create(const uint64_t *clips, int64_t shards, uint64_t seed, data_order **out) {
  data_order *o = orr_calloc(1, sizeof *o);
  int64_t blocks = (shards + DATA_ORDER_BLOCK - 1) / DATA_ORDER_BLOCK;
  uint64_t *starts = orr_malloc((size_t)(blocks + 1) * sizeof *starts);
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO(o && starts, fail, ORR_ENOMEM,
                 "order of clips: out of memory for %" PRId64 " shards", shards);
  *o = (data_order){
      .clips = clips, .shards = shards, .blocks = blocks, .seed = seed, .starts = starts};
  for (int64_t i = 0; i < shards; i++) o->total += clips[i];
  ORR_CHECK_GOTO(o->total > 0, fail, ORR_EINVAL, "order of clips: no clip to order");
  *out = o;
  return ORR_OK;
fail:
  orr_free(starts);
  orr_free(o);
  return rc;
}

void data_order_destroy(data_order *o) {
  if (!o) return;
  orr_free(o->starts);
  orr_free(o);
}

uint64_t data_order_clips(const data_order *o) {
  return o->total;
}

static void enter_epoch(data_order *o, uint64_t epoch) {
  uint64_t position = 0;
  o->epoch = epoch;
  o->ready = true;
  o->shuffled = data_permutation_make((uint64_t)o->shards, key_of(o, epoch, SHARDS_KEY));
  for (int64_t i = 0; i < o->shards; i++) {
    if (i % DATA_ORDER_BLOCK == 0) o->starts[i / DATA_ORDER_BLOCK] = position;
    position += o->clips[data_permutation_at(&o->shuffled, (uint64_t)i)];
  }
  o->starts[o->blocks] = position;
}

int64_t data_order_block(data_order *o, uint64_t epoch, uint64_t position) {
  if (!o->ready || o->epoch != epoch) enter_epoch(o, epoch);
  int64_t low = 0, high = o->blocks; // the last block that starts at or before the position
  while (high - low > 1) {
    int64_t middle = (low + high) / 2;
    if (o->starts[middle] <= position)
      low = middle;
    else
      high = middle;
  }
  return low;
}

data_place data_order_at(data_order *o, uint64_t epoch, uint64_t position) {
  int64_t block = data_order_block(o, epoch, position);
  data_permutation mixed = data_permutation_make(o->starts[block + 1] - o->starts[block],
                                                 key_of(o, epoch, (uint64_t)block));
  uint64_t clip = data_permutation_at(&mixed, position - o->starts[block]);
  int64_t i = block * DATA_ORDER_BLOCK;
  int64_t shard = (int64_t)data_permutation_at(&o->shuffled, (uint64_t)i);
  while (clip >= o->clips[shard]) {
    clip -= o->clips[shard];
    shard = (int64_t)data_permutation_at(&o->shuffled, (uint64_t)++i);
  }
  return (data_place){.shard = shard, .clip = clip};
}

// Shards that have no distance yet get that of their block in the epoch that is entered, seen from
// `before` positions ahead of its beginning and `from` positions after it.
static void ahead_in_blocks(const data_order *o, int64_t first, uint64_t before, uint64_t from,
                            uint64_t *distance) {
  for (int64_t i = first * DATA_ORDER_BLOCK; i < o->shards; i++) {
    int64_t shard = (int64_t)data_permutation_at(&o->shuffled, (uint64_t)i);
    uint64_t start = o->starts[i / DATA_ORDER_BLOCK];
    if (distance[shard] == UINT64_MAX) distance[shard] = before + start - from;
  }
}

void data_order_ahead(data_order *o, uint64_t epoch, uint64_t position, uint64_t *distance) {
  int64_t block = data_order_block(o, epoch, position);
  uint64_t end = o->starts[block + 1];
  int64_t first = block * DATA_ORDER_BLOCK, last = first + DATA_ORDER_BLOCK;
  int64_t missing = (last < o->shards ? last : o->shards) - first;
  for (int64_t i = 0; i < o->shards; i++) distance[i] = UINT64_MAX;
  for (uint64_t p = position; p < end && missing > 0; p++) {
    int64_t shard = data_order_at(o, epoch, p).shard;
    if (distance[shard] != UINT64_MAX) continue;
    distance[shard] = p - position;
    missing--;
  }
  ahead_in_blocks(o, block + 1, 0, position, distance);
  enter_epoch(o, epoch + 1);
  ahead_in_blocks(o, 0, o->total - position, 0, distance);
  enter_epoch(o, epoch);
}
