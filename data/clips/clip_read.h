// One clip on its way from a shard into a row of a batch, in two halves: `begin` reads its bytes,
// in the thread that owns the shards; `finish` unpacks, converts and checks them, in any thread and
// without HDF5. Used again and again. Private to data/.
#ifndef DATA_CLIP_READ_H
#define DATA_CLIP_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/clips/chunk_cache.h"
#include "data/clips/clip_batch.h"
#include "data/shard/read_counter.h"
#include "data/shard/shard.h"

typedef struct data_clip_read data_clip_read;

// Where a clip lies, and what else its reading needs.
typedef struct data_clip_source {
  data_shard *shard;
  data_chunk_cache *cache;
  uint64_t columns;        // number of the shard's first column in the cache
  int64_t first;           // frame
  int set;                 // of the mixture
  int64_t number, episode; // of the shard, and in it
  data_read_watch watch;
  void *watcher;
} data_clip_source;

// Local. For clips as `o` wants them. ORR_ENOMEM.
orr_code data_clip_read_create(const data_mix_options *o, data_clip_read **out);
void data_clip_read_destroy(data_clip_read *r); // takes NULL; not between begin and finish

// Local. Holds the shard until finish. After an error nothing is held and no finish is due.
orr_code data_clip_read_begin(data_clip_read *r, const data_clip_source *from,
                              data_clip_batch *batch, int64_t row);
// Local. After begin: there are packed chunks, so that finish is worth a thread of its own.
bool data_clip_read_packed(const data_clip_read *r);
uint64_t data_clip_read_bytes(const data_clip_read *r); // that begin read
// Local; any thread. ORR_EFORMAT for damaged chunks, codes out of range and numbers that are not
// finite: shard, dataset and place are named.
orr_code data_clip_read_finish(data_clip_read *r);

#endif
