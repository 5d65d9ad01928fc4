// `orrery audit RUN`: whether a run of run.exact is what its record says, checked by anyone who has
// the run's folder and its data, on whatever layout of ranks there is.
//
// 1. The hash chain of the record (train/observe/fingerprint_log.h) is followed from line to line,
//    and to the link that each checkpoint holds: a line that was changed is named.
// 2. Of the recorded steps a share is drawn, from the seed alone. Each is trained again, from the
//    checkpoint before it on (or the beginning, where that is gone), and every recorded step on the
//    way is compared to the bit: batch, gradient, loss, norm, weights. A checkpoint whose own step
//    is recorded is compared when it is read.
//
// Nothing is written. XXH3 is no cryptographic hash: who wants to forge a record can make its chain
// fit, but not what the steps come to.
#ifndef TRAIN_AUDIT_H
#define TRAIN_AUDIT_H

#include "base/status.h"
#include "configs/config.h"
#include "dist/world.h"

typedef struct {
  double share; // of the recorded steps, above 0
  uint64_t seed;
} train_audit_options;

// Collective over the world; every rank returns the same code. Rank 0 prints a line a step on
// stdout. ORR_EDIFFERS names the steps that differ; ORR_ECONFIG: the run is not exact, or this
// device would give other bits; ORR_ENOTFOUND: nothing is recorded.
orr_code train_audit(cfg *c, const train_audit_options *o, dist_world *world);

// Local. Marks ceil(share * count), at least one, of `count` steps, all equally likely.
void train_audit_draw(int64_t count, double share, uint64_t seed, bool *chosen);

#endif
