// Clips of random codes and actions, for steps that only take time.
#ifndef TRAIN_BENCH_SYNTHETIC_H
#define TRAIN_BENCH_SYNTHETIC_H

#include "configs/config.h"
#include "data/clips/clip_batch.h"
#include "dist/grid.h"

// Local. `clips` of what c describes; ranks of the data axis have different ones. Destroy with
// data_clip_batch_destroy. ORR_ENOMEM.
orr_code train_bench_synthetic(const cfg *c, const dist_grid *g, int64_t clips,
                               data_clip_batch **out);

#endif
