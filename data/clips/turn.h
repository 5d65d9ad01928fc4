// Which clips of a step are whose.
#ifndef DATA_CLIPS_TURN_H
#define DATA_CLIPS_TURN_H

#include <stdint.h>

// Local. Where clip `i` of rank `rank` lies in the batch of all `ranks`, each of which has `share`
// clips: `turn` of them in a row, then those of the next rank, and again; 0 = all in one row.
static inline int64_t data_clip_place(int rank, int ranks, int64_t share, int64_t turn, int64_t i) {
  if (turn == 0) turn = share;
  return (i / turn * ranks + rank) * turn + i % turn;
}

#endif
