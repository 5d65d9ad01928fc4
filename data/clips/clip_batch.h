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
  // What came of the action that led to a frame (data/shard/outcomes.h), NaN where it is not known;
  // [B,T], NULL where it was not asked for.
  float *reward, *done, *progress;
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
  bool outcomes;            // also read /reward, /done and /success, of the sets that have them
  bool pass_bad_actions;    // those that are not finite get into a batch, which tells of them
  size_t chunk_cache_bytes; // unpacked chunks of packed shards that stay in memory; 0 = 64 MiB
  data_remote *remote;      // for addresses; outlives the mixture; NULL = folders only
} data_mix_options;

// Local. Memory for B clips as `o` wants them; Q: width of the state, used when o->state.
// ORR_ENOMEM.
orr_code data_clip_batch_create(const data_mix_options *o, int64_t B, int64_t Q,
                                data_clip_batch **out);
void data_clip_batch_destroy(data_clip_batch *b); // takes NULL

#endif
