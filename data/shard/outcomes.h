// What came of the actions of a shard, told of frames as a world model sees them: a frame knows
// what the action that led to it earned, and whether the episode ended with it.
//
//   reward    of frame t: /reward[t-1]
//   done      1 where the episode ended with an action before frame t, else 0. An episode whose
//             last row says that it ended, with an action that leads to no frame, is over in its
//             last frame
//   progress  the share of the way to success: of an episode that reached its goal (/success) t / e
//             with e its first frame that is done, or, where none is, its last one; 1 from there
//             on. An episode that failed never comes any way: 0. A model's mean is then the share
//             of the way times the chance to arrive, 1 at the goal alone
//
// Unknown are: reward and done of an episode's first frame and without their dataset, progress
// without /success.
#ifndef DATA_OUTCOMES_H
#define DATA_OUTCOMES_H

#include <stdint.h>

#include "base/status.h"
#include "data/shard/shard.h"

// Of all frames of a shard.
typedef struct {
  float *reward;   // [F] of the action that led to the frame; NULL without /reward
  uint8_t *done;   // [F]; NULL without /done
  float *progress; // [F]; NULL without /success
} data_outcomes;

// Local. Reads the shard's datasets whole: up to 5 bytes a frame, and 4 more for progress.
// ORR_EFORMAT for a reward that is not finite, ORR_ENOMEM; release also then.
orr_code data_outcomes_read(data_shard *s, data_outcomes *out);
void data_outcomes_release(data_outcomes *o); // takes zeros
// Local. Of the T frames first, first+stride, ... of one episode: rewards of all actions between
// two frames added up, done after any of them. NaN where it is not known; [T] each.
void data_outcomes_clip(const data_outcomes *o, int64_t first, int64_t T, int64_t stride,
                        float *reward, float *done, float *progress);

#endif
