// Episodes of a data set in file order and stretches of them, for evaluation and rollouts.
#ifndef TRAIN_EPISODES_H
#define TRAIN_EPISODES_H

#include <stdint.h>

#include "base/status.h"
#include "data/set/index.h"

typedef struct train_episodes train_episodes;

// Local. A folder, or an address that `remote` reads (NULL: folders only) and that outlives the
// episodes. ORR_EINVAL when the data set has no /frames.
orr_code train_episodes_open(const char *where, data_remote *remote, train_episodes **out);
void train_episodes_close(train_episodes *e);                    // takes NULL
const data_index *train_episodes_index(const train_episodes *e); // borrowed
int64_t train_episodes_count(const train_episodes *e);
// Local. Number of frames of episode i from frame `start` on, `stride` apart; 0 when it has fewer.
orr_code train_episodes_length(train_episodes *e, int64_t i, int64_t start, int64_t stride,
                               int64_t *frames);
// Local. Episode and frame where clip number `clip` of T frames begins, counted through the shards
// in order (data/set/windows.h); below data_windows_clips.
orr_code train_episodes_place(train_episodes *e, int64_t clip, int64_t T, int64_t stride,
                              int64_t *episode, int64_t *start);
// Local. T frames of episode i from frame `start` on, `stride` apart: frames [T,height,width,3],
// actions [T-1,A] (row t led from frame t to t+1: the last one of the file before frame t+1, as in
// training), state [T,Q] or NULL. ORR_EINVAL when it is shorter.
orr_code train_episodes_read(train_episodes *e, int64_t i, int64_t start, int64_t T, int64_t stride,
                             uint8_t *frames, float *actions, float *state);
// Local. What came of the actions that led to those frames, as in training (data/shard/outcomes.h):
// [T] each, NaN where it is not known.
orr_code train_episodes_outcomes(train_episodes *e, int64_t i, int64_t start, int64_t T,
                                 int64_t stride, float *reward, float *done, float *progress);

// Local. Whether episode i reached its goal (/success). ORR_EINVAL where the set does not say.
orr_code train_episodes_success(train_episodes *e, int64_t i, uint8_t *success);

// Local. The actions alone, [T-1,A], as train_episodes_read gives them.
orr_code train_episodes_read_actions(train_episodes *e, int64_t i, int64_t start, int64_t T,
                                     int64_t stride, float *actions);

#endif
