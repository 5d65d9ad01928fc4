// Batches of a mixture, read ahead by a thread of their own.
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/clips/mix.h"

// One reader thread: step s of rank r holds samples s*batch + r*(batch/ranks) ... in order, or,
// where ranks take turns, s*batch + r*turn, turn of them, then those after everyone's turn. Packed
// chunks are unpacked by worker threads.
typedef struct data_loader data_loader;
typedef struct {
  uint64_t first_step;
  int64_t batch;         // clips a step over all ranks; divisible by ranks
  int rank, ranks;       // of the data axis
  int64_t turn;          // samples of a rank in a row, a divisor of its share; 0 = all
  int64_t prefetch;      // batches read ahead; 0 = as many as prefetch_bytes holds, 2 to 64
  size_t prefetch_bytes; // 0 with prefetch 0: two batches
  int workers;           // threads that unpack; 0 = the reader does it
} data_loader_options;

// Since the loader was made, of this rank.
typedef struct {
  uint64_t batches, waits;          // handed out, and how many of them were waited for
  uint64_t bytes_read;              // from shards
  uint64_t bytes_unpacked;          // what packed chunks became
  uint64_t chunk_reads, chunk_hits; // packed chunks read, and found unpacked in memory
  int64_t queue;                    // batches that were ready at the last call of data_loader_next
} data_loader_counters;

// The loader borrows `m`, which nobody else may read from until the loader is destroyed.
orr_code data_loader_create(data_mix *m, const data_mix_options *mo, const data_loader_options *o,
                            data_loader **out);
// Waits for the next batch of this rank; valid until the next call. *wait_ms (may be NULL): time
// spent waiting. An error of the reader thread comes out here, with its message.
orr_code data_loader_next(data_loader *l, const data_clip_batch **batch, double *wait_ms);
// Local.
void data_loader_count(data_loader *l, data_loader_counters *out);
void data_loader_destroy(data_loader *l); // takes NULL

#endif
