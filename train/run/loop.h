// The training run: the order of events from a configuration to a trained checkpoint.
#ifndef TRAIN_LOOP_H
#define TRAIN_LOOP_H

#include "base/status.h"
#include "configs/config.h"
#include "dist/world.h"
#include "train/run/options.h"

// Collective over the world. ORR_ESTOPPED when a signal or train.max_wall_s ended it early with a
// checkpoint; every rank returns the same code.
orr_code train_loop(cfg *c, const train_run_options *o, dist_world *world);

#endif
