// Makes a data set from a simulated scene: worker processes that simulate, draw and write whole
// shards. Every byte is a function of the options without `processes`.
#ifndef DATA_SIM_GENERATE_H
#define DATA_SIM_GENERATE_H

#include <stdint.h>

#include "base/json.h"
#include "base/status.h"
#include "data/sim/scene.h"

typedef struct {
  const data_scene *scene;
  const char *dir;            // made when missing; may not hold shards yet
  const char *branch;         // of the data set
  data_scene_setting setting; // its fps 1..100
  uint64_t seed;
  int64_t episodes;
  // At least 2. Where an episode ends by itself before, others follow in its place until so many
  // frames are there, numbered as data_sim_episode_number says.
  int64_t episode_frames;
  int64_t shard_frames; // about so many frames a shard, whole episodes, at least one
  // 0, or: episodes 2k and 2k+1 are two futures of one state, equal in their first `forks` frames
  // and driven apart from there. Then `episodes` is even.
  int64_t forks;
  const json_t *extra; // members of index.json, borrowed; NULL: none
  int64_t group;       // episodes that stay in one shard; 0 = 1
  int processes;
  // Called by the parent about ten times a second and at the end; may be NULL.
  void (*progress)(void *ctx, int64_t frames, int64_t frames_total);
  void *ctx;
} data_sim_options;

// Local. Forks the workers, waits for them, writes index.json. Call it before this process uses
// OpenGL, HDF5 or threads. A worker's failure becomes the caller's error and removes what was
// written. ORR_EINVAL, ORR_EUNSUPPORTED without a simulator, ORR_EIO.
orr_code data_sim_generate(const data_sim_options *o);

#endif
