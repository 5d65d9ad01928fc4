// `orrery train CONFIG --replay STEP`: trains recorded steps of a run again, from the newest
// checkpoint before STEP on, and compares every fingerprint to the bit. What differs, and on which
// rank first, tells changed data from hardware that fails.
//
// Nothing is written, neither into the run's folder nor anywhere else, so no lease is taken: a run
// may be replayed while it trains. (A checkpoint that its retention removes meanwhile is an error.)
#ifndef TRAIN_REPLAY_H
#define TRAIN_REPLAY_H

#include "base/status.h"
#include "configs/config.h"
#include "dist/world.h"

typedef struct {
  int64_t step;   // the last one to repeat; from 1
  int64_t passes; // times
} train_replay_options;

// Collective over the world; every rank returns the same code. Rank 0 prints a line a step on
// stdout. ORR_EDIFFERS names the first step that differs, its ranks and hosts, and what it means;
// ORR_ECONFIG: this call's configuration, layout or device would not give the same bits;
// ORR_ENOTFOUND: the steps are not recorded.
orr_code train_replay(cfg *c, const train_replay_options *o, dist_world *world);

#endif
