// The shard: one HDF5 file of clips, version 1, and its reader. data/shard/writer.h writes one,
// data/set/index.h makes a folder of them a data set.
//
//   /frames          u8  [F,height,width,3]   and/or
//   /tokens          u16 or u32 [F,S]
//   /actions         f32 [F,A]   actions[t] is applied between frames t and t+1; A is 0 for frames
//                                alone, without action_names then
//   /episode_offsets i64 [E+1]   first frame of each episode, then F; no clip crosses one
//   /state           f32 [F,Q]   optional: the simulator's ground truth
//   /reward          f32 [F]     optional: what actions[t] earned
//   /done            u8  [F]     optional: 1 where the episode ended with actions[t], else 0
//   /success         u8  [E]     optional: 1 where the episode reached its goal, else 0
//   root attributes  orrery_shard = 1, branch, fps, action_names, state_names, source, codes where
//                    there are /tokens, and views where a frame holds several (data/shard/views.h)
//
// Threads: HDF5 as Debian builds it is not thread safe. What goes through it takes the process's
// one HDF5 lock, so any thread may call; one shard must not be closed while it is read. Rows that
// lie plainly in the file are read beside HDF5, without its lock.
#ifndef DATA_SHARD_H
#define DATA_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/shard/views.h"

// What every frame of a shard has. All shards of a data set agree on it.
typedef struct {
  const char *branch;    // "worlds", "robotics", ...
  const char *source;    // where the clips come from, in words
  double fps;            // frames a second
  int64_t height, width; // of /frames; 0 when there is none
  int64_t S;             // tokens a frame; 0 when there are no /tokens
  int64_t codes;         // all tokens are below; a reader gets 0 where the file does not say
  int64_t A;             // width of /actions; 0: frames alone
  const char *const *action_names; // [A]
  int64_t Q;                       // width of /state; 0 when there is none
  const char *const *state_names;  // [Q]
  bool reward, done, success;      // whether there is such a dataset
  data_views views;                // of a frame, in pixels; in tokens where there are no /frames
} data_shard_format;

typedef struct data_shard data_shard;

// Local. Opens and checks everything but the values: version, types, shapes, offsets.
// ORR_EIO, ORR_ENOTFOUND; ORR_EFORMAT for a foreign, truncated or wrong-version file.
orr_code data_shard_open(const char *path, data_shard **out);
void data_shard_close(data_shard *s); // takes NULL
// Local. Closing the shard closes `pin` too, a descriptor that keeps its file in the cache of the
// node (data/remote/remote.h); -1 = none.
void data_shard_hold(data_shard *s, int pin);

// Local. Borrowed until close. offsets: [episodes + 1].
const char *data_shard_path(const data_shard *s);
const data_shard_format *data_shard_get_format(const data_shard *s);
int64_t data_shard_frames(const data_shard *s);
int64_t data_shard_episodes(const data_shard *s);
const int64_t *data_shard_offsets(const data_shard *s);

// Local. Reads the n rows first, first+stride, ... of one dataset, as they lie in the file (actions
// are not shifted). ORR_EINVAL for rows outside the shard or a dataset it does not have;
// ORR_EFORMAT or ORR_EIO for bytes that cannot be read.
orr_code data_shard_read_frames(data_shard *s, int64_t first, int64_t n, int64_t stride,
                                uint8_t *out); // [n,height,width,3]
orr_code data_shard_read_tokens(data_shard *s, int64_t first, int64_t n, int64_t stride,
                                int32_t *out); // [n,S]
orr_code data_shard_read_actions(data_shard *s, int64_t first, int64_t n, int64_t stride,
                                 float *out); // [n,A]
orr_code data_shard_read_state(data_shard *s, int64_t first, int64_t n, int64_t stride,
                               float *out); // [n,Q]
orr_code data_shard_read_reward(data_shard *s, int64_t first, int64_t n, int64_t stride,
                                float *out); // [n]
orr_code data_shard_read_done(data_shard *s, int64_t first, int64_t n, int64_t stride,
                              uint8_t *out); // [n]
// Local. The same for episodes first .. first+n-1.
orr_code data_shard_read_success(data_shard *s, int64_t first, int64_t n, uint8_t *out); // [n]

#endif
