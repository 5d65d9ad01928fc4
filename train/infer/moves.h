// How a data set's actions move whoever sees its frames.
#ifndef TRAIN_MOVES_H
#define TRAIN_MOVES_H

#include <stdbool.h>

#include "data/set/index.h"
#include "train/engine/pose.h"

// Local. *out (=) as index.json names components and units, for frames `stride` apart. False, with
// a warning that says so, where it does not tell: frames are then kept by likeness.
bool train_moves_of(const data_index *x, int64_t stride, train_pose_moves *out);

#endif
