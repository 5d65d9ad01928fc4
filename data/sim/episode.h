// One generated episode: scene, driver and pictures, handed to a shard's writer.
#ifndef DATA_SIM_EPISODE_H
#define DATA_SIM_EPISODE_H

#include <stdint.h>

#include "data/shard/writer.h"
#include "data/sim/generate.h"

// A portion of frames on its way to a shard.
typedef struct data_sim_portion data_sim_portion;
// Local. Rows of the options' scene and frame size; ORR_ENOMEM. The caller destroys it.
orr_code data_sim_portion_create(const data_sim_options *o, data_sim_portion **out);
// Local. Takes NULL.
void data_sim_portion_destroy(data_sim_portion *p);

// Which episode of its scene the n-th is that stands in the place of episode number `episode`.
static inline uint64_t data_sim_episode_number(int64_t episode, int64_t n) {
  return (uint64_t)episode + ((uint64_t)n << 40);
}

// Local. Simulates episode number `episode` of the data set, with those that follow in its place,
// and appends it to `w`. frames_done (shared between processes) counts the frames as they are
// drawn.
orr_code data_sim_episode_write(const data_sim_options *o, void *scene, int64_t episode,
                                data_sim_portion *p, data_shard_writer *w,
                                _Atomic int64_t *frames_done);

#endif
