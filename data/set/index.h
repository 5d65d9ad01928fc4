// The data set: a folder of shards and the index.json that lists them. A folder without index.json
// is no data set, so the index is written last, by one process.
//
//   {"orrery_index": 1, "branch": "worlds", "fps": 10, "source": "...",
//    "height": 64, "width": 64, "S": 0, "codes": 0, "action_names": [..], "state_names": [..],
//    "reward": true, "done": true, "success": true,     where shards have such a dataset
//    "views": [..],                                     where frames have them: data/shard/views.h
//    "bytes": .., "frames": .., "episodes": ..,                              totals
//    "shards": [{"file": "shard-00000.h5", "bytes": .., "xxh3_128": "32 hex digits",
//                "frames": .., "episodes": .., "lengths": [[length, episodes of it], ..]}, ..],
//    and whatever else its maker wants to say}
//
// Known extra members: "forks": {"prompt": P}: episodes 2k and 2k+1 are two futures of one
// simulator state, equal in their first P frames. "tokenizer": the checkpoint that made /tokens.
#ifndef DATA_INDEX_H
#define DATA_INDEX_H

#include <stdint.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/status.h"
#include "data/remote/remote.h"
#include "data/remote/set.h"
#include "data/shard/shard.h"

#define DATA_INDEX_NAME    "index.json"
#define DATA_INDEX_VERSION 1

typedef struct {
  const char *file; // name inside the folder
  uint64_t bytes;
  orr_hash128 hash; // XXH3-128 of the file
  int64_t frames, episodes;
  int64_t length_count;
  const int64_t (*lengths)[2]; // {frames of an episode, episodes of that length}, by length
} data_index_shard;

typedef struct {
  const char *dir;         // or address, without a slash at the end
  data_remote_set *remote; // NULL for a folder
  data_shard_format format;
  uint64_t bytes;
  int64_t frames, episodes; // over all shards
  int64_t count;
  const data_index_shard *shards; // [count]
  const json_t *json;             // the whole file, with its extra members
} data_index;

#define DATA_SHARD_NAME_MAX 32
// Local. "shard-00042.h5" for number 42.
void data_shard_name(char out[DATA_SHARD_NAME_MAX], int64_t number);
// Local. DIR/shard-NNNNN.h5 into out[size]; ORR_EINVAL when it does not fit.
orr_code data_shard_name_in(const char *dir, int64_t number, char *out, size_t size);

// Local. Opens every shard-*.h5 of the folder, in the order of their numbers, checks that they
// agree, hashes them and writes index.json (atomic). `extra`: members to add, borrowed, may be
// NULL. ORR_EINVAL names two shards that differ; ORR_ENOTFOUND when there is no shard.
orr_code data_index_build(const char *dir, const json_t *extra);

// Local. Reads and checks index.json; opens no shard. ORR_ENOTFOUND without index.json,
// ORR_EFORMAT.
orr_code data_index_open(const char *dir, data_index **out);
void data_index_close(data_index *x); // takes NULL
// Local. The same for a folder or an address (http://, https://, s3://), which is read through
// `remote`: it outlives the index. Fetches index.json, no shard. NULL: folders only.
orr_code data_index_open_from(const char *where, data_remote *remote, data_index **out);

// Local. What will be read next, so that it can be fetched ahead; replaces what was said before. A
// shard that is not named may be the first to leave the cache. Nothing to do for a folder.
// ORR_ENOMEM.
orr_code data_index_want(const data_index *x, const data_remote_need *needs, int64_t count);
// Local. All shards from `first` on will be read, in the order of the index.
orr_code data_index_want_in_order(const data_index *x, int64_t first);

// Local. Where shard i can be read, into path[size]; for a remote data set this waits until the
// shard is in the cache and its checksum is right. *pin is a descriptor to close when the file is
// no longer read, -1 = none: until then it stays in the cache.
orr_code data_index_pin(const data_index *x, int64_t i, char *path, size_t size, int *pin);
// Local. Opens shard i, wherever it lies: data_shard_close lets go of it. Errors as of
// data_shard_open, and those of the way.
orr_code data_index_open_shard(const data_index *x, int64_t i, data_shard **out);

// Local. Number of clips of T frames at `stride` in shard i: one for each frame with room.
int64_t data_index_clips(const data_index *x, int64_t i, int64_t T, int64_t stride);

#endif
