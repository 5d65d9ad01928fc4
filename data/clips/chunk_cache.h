// Unpacked chunks of packed datasets. Those that are in use stay; beyond them up to a number of
// bytes is kept, and the chunk used longest ago goes first. The reading thread finds or enters a
// chunk with its packed bytes; whoever first needs the rows unpacks it, outside all locks, and
// others who need it meanwhile wait. Buffers are used again. Private to data/.
#ifndef DATA_CHUNK_CACHE_H
#define DATA_CHUNK_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/shard/unpack.h"

typedef struct data_chunk_cache data_chunk_cache;
typedef struct data_cached_chunk data_cached_chunk;

typedef struct {
  uint64_t reads, hits; // chunks that were entered, and those found
  uint64_t bytes;       // unpacked
} data_chunk_counters;

// Local. ORR_ENOMEM.
orr_code data_chunk_cache_create(size_t bytes, data_chunk_cache **out);
void data_chunk_cache_destroy(data_chunk_cache *c); // all chunks released; takes NULL
// Local; any thread. The first of n numbers that no column of this cache had before.
uint64_t data_chunk_cache_columns(data_chunk_cache *c, int n);
// Local. Chunk `number` of `column`, held for the caller. A chunk that is not there is entered:
// then *packed is where its `packed_bytes` belong, else NULL. Fill them before anyone else may see
// the chunk: one thread enters chunks. ORR_ENOMEM.
orr_code data_chunk_cache_get(data_chunk_cache *c, uint64_t column, int64_t number,
                              const data_unpack *unpack, uint32_t skipped, size_t packed_bytes,
                              data_cached_chunk **out, unsigned char **packed);
// Local; any thread. *bytes: unpacked, valid until the release. ORR_EFORMAT for a damaged chunk and
// ORR_ENOMEM, both with *reason in words: the message is the caller's, who knows the names.
orr_code data_cached_chunk_bytes(data_chunk_cache *c, data_cached_chunk *chunk,
                                 const unsigned char **bytes, const char **reason);
// Local; any thread. A chunk that nobody unpacked is forgotten with its last holder.
void data_cached_chunk_release(data_chunk_cache *c, data_cached_chunk *chunk);
// Local; any thread.
data_chunk_counters data_chunk_cache_counters(data_chunk_cache *c);

#endif
