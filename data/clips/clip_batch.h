// What training and evaluation get from data/: clips as batches in a fixed order.
// Ranks are plain integers here: no MPI below this line.
#ifndef DATA_CLIP_BATCH_H
#define DATA_CLIP_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"
#include "data/remote/remote.h"
#include "data/shard/read_counter.h"

typedef enum { DATA_FRAMES, DATA_TOKENS } data_kind;

// What a clip has of actions that are no finite numbers.
typedef struct {
  int64_t count; // 0 = none, and the rest says nothing
  // The first of them: its data set, shard and episode, and its place in /actions.
  int set;
  int64_t shard, episode, row, column;
  float value;
} data_bad_actions;

// B clips of T frames. `actions[t]` of a shard is applied between frames t and t+1; here
// `action[b][t]` is the action that LED TO frame t (row t = 0 is zero: nothing led there), so with
// a stride above 1 the last action before frame t is taken.
typedef struct {
  int64_t B, T;
  int64_t height, width; // of frames (DATA_FRAMES)
  int64_t S;             // tokens a frame (DATA_TOKENS)
  int64_t A;             // width of the shared action layout
  int64_t Q;             // width of /state, 0 when the shards have none or it was not asked for
  uint8_t *frames;       // [B,T,height,width,3] or NULL
  int32_t *tokens;       // [B,T,S] or NULL
  float *action;         // [B,T,A], padded with zeros
  float *valid;          // [B,T,A]: 1 where the data set defines the component
  int32_t *branch;       // [B]: branch id of the data set
  float *state;          // [B,T,Q] or NULL
  uint64_t *sample;      // [B]: global sample numbers, the keys of their random numbers
  data_bad_actions *bad; // [B], or NULL where such actions are an error
} data_clip_batch;

typedef struct {
  const char *const *dirs;   // data sets: folders, or addresses that `remote` reads
  const double *weights;     // per folder; NULL = by number of clips
  const int32_t *branch_ids; // per folder
  int count;
  data_kind kind;
  int64_t T, stride;
  int64_t height, width;    // wanted frame size (DATA_FRAMES); a shard that differs is an error
  int64_t S, codes;         // wanted tokens a frame, and codes below this (DATA_TOKENS)
  int64_t A;                // at most A actions a shard; fewer are padded and marked invalid
  bool state;               // also read /state
  bool pass_bad_actions;    // those that are not finite get into a batch, which tells of them
  size_t chunk_cache_bytes; // unpacked chunks of packed shards that stay in memory; 0 = 64 MiB
  data_remote *remote;      // for addresses; outlives the mixture; NULL = folders only
} data_mix_options;

// An opened mixture: random access by global sample number.
typedef struct data_mix data_mix;
// Local. Opens the folders' indexes and checks them against what is wanted; opens no shard yet.
// ORR_EINVAL names folder, got and wanted; ORR_ENOTFOUND for a folder that is no data set.
orr_code data_mix_open(const data_mix_options *o, uint64_t seed, data_mix **out);
void data_mix_close(data_mix *m);           // takes NULL
uint64_t data_mix_clips(const data_mix *m); // clips in one epoch over all data sets
int64_t data_mix_state_width(const data_mix *m);
// Local. XXH3-128 over the indexes of all data sets, to compare what ranks opened. ORR_ENOMEM.
orr_code data_mix_hash(const data_mix *m, orr_hash128 *out);
// Local. From here on `watch` is told of every range of a shard that a read takes beside HDF5, by
// the thread that reads; NULL ends it. Before any read, or between two of them.
void data_mix_watch(data_mix *m, data_read_watch watch, void *ctx);
// Local. Fills clip `row` of `batch` with global sample g: (epoch, position) -> keyed permutation
// -> place.
orr_code data_mix_read(data_mix *m, uint64_t g, data_clip_batch *batch, int64_t row);
// Local; any thread. "DIR/shard-00003.h5: episode 7: /actions[120,2] is nan" for the first clip of
// a batch that has such actions; "" when none has.
void data_mix_tell_bad(const data_mix *m, const data_clip_batch *batch, char *out, size_t size);
// Local. Clip number `clip` (0-based, in file order) of data set `set`, without shuffling: for
// evaluation. Where T is the length of every episode, clip numbers are episode numbers. ORR_EINVAL
// past the last clip.
orr_code data_mix_read_clip(data_mix *m, int set, uint64_t clip, data_clip_batch *batch,
                            int64_t row);

// Local. Memory for B clips as `o` wants them; Q: width of the state, used when o->state.
// ORR_ENOMEM.
orr_code data_clip_batch_create(const data_mix_options *o, int64_t B, int64_t Q,
                                data_clip_batch **out);
void data_clip_batch_destroy(data_clip_batch *b); // takes NULL

// One reader thread: step s of rank r holds samples s*batch + r*(batch/ranks) ... in order. Packed
// chunks are unpacked by worker threads.
typedef struct data_loader data_loader;
typedef struct {
  uint64_t first_step;
  int64_t batch;         // clips a step over all ranks; divisible by ranks
  int rank, ranks;       // of the data axis
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
