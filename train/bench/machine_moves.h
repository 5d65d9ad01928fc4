// How long collectives take here, by the ranks that take part and by bytes.
#ifndef TRAIN_BENCH_MACHINE_MOVES_H
#define TRAIN_BENCH_MACHINE_MOVES_H

#include "dist/world.h"
#include "train/plan/machine.h"

// Collective over w. Times each collective over groups of 2, 4, ... neighbours and over all ranks,
// in sizes from 64 bytes to `largest`, each `steps` times in a row; adds what the slowest rank saw.
// Nothing on one rank.
orr_code train_bench_machine_moves(dist_world *w, int64_t largest, int64_t steps, train_machine *m);

#endif
