// Which clips of a data set stand for all of it: windows evenly spread over everything that it
// holds, also where that is one long episode. The clips of T frames at a stride, one for each frame
// of an episode with room, are counted through the shards in order (data_index_clips) and cut into
// as many equal portions as windows are wanted; of each portion one clip is drawn. So a window
// never comes twice, episodes have as many as their lengths are worth, and windows of episodes of
// one length do not all lie at the same place in them. A pure function of the seed and the lengths.
// Local; thread safe.
#ifndef DATA_WINDOWS_H
#define DATA_WINDOWS_H

#include <stdint.h>

#include "data/set/index.h"

// All clips of T frames.
int64_t data_windows_clips(const data_index *x, int64_t T, int64_t stride);
// The clip of window i of `count` among `clips`; 0 <= i < count <= clips. Rises with i.
int64_t data_windows_clip(int64_t clips, int64_t count, uint64_t seed, int64_t i);

#endif
