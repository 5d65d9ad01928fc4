// The ranks compared: every so many steps each brings the means of its step times, and rank 0 has
// their least, median and largest, and whose the largest is. A rank that computes longer than the
// others holds all of them up: the others wait for it inside collectives, so its own time, not the
// step's, tells who it is. That is measured by the clock (what slows it, be it another process on
// its cores) and by its thread's computing time (which others on its cores do not change); of both
// the median step counts, as noise is in few steps and a slow rank in most.
#ifndef TRAIN_RANKS_H
#define TRAIN_RANKS_H

#include "base/status.h"
#include "dist/world.h"
#include "train/timing/profile.h"
#include "train/observe/scalars.h"

typedef struct train_ranks train_ranks;

typedef struct {
  int rank;     // -1 = none
  double score; // how many times as long as the median rank it computes
} train_straggler;

// Collective over the world. Compares every `every` steps; 0 = never, *out is NULL. ORR_ENOMEM.
orr_code train_ranks_create(dist_world *w, int64_t every, train_ranks **out);
void train_ranks_destroy(train_ranks *r); // takes NULL

// Collective over the world in the steps that compare, local in the others. Adds this rank's times
// of the step to `s` (<phase>_ms, replica_hidden_ms), and in the former, on rank 0, <phase>_ms_min,
// _median, _max and _rank. What is not known on all ranks is left out. Takes r == NULL.
orr_code train_ranks_step(train_ranks *r, int64_t step, const train_times *t, train_scalars *s);
// Local, rank 0. A sentence once a rank has been the straggler in three comparisons in a row
// (*event "slow"), or the one that was named has kept up in as many ("quick"); NULL otherwise. Each
// rank is named once until another one is, or it keeps up. Takes NULL.
const char *train_ranks_straggler(train_ranks *r, const char **event);
// Local. The rank that was named last and has not kept up since, on rank 0; none on others. Takes
// NULL.
train_straggler train_ranks_named(const train_ranks *r);

#endif
