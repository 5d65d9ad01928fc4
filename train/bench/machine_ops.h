// How long ops take here: small steps of training, of several widths and rows, with every op of
// them timed where it runs, its neighbours before and after it. What of a step is not an op (masks,
// calls, the loop around it) is told apart.
#ifndef TRAIN_BENCH_MACHINE_OPS_H
#define TRAIN_BENCH_MACHINE_OPS_H

#include "dist/world.h"
#include "train/plan/machine.h"

// Collective over w, whose ranks do the same side by side, as those of a run do. Adds to m what
// this rank found: ops, host_step_s, host_token_s.
orr_code train_bench_machine_ops(dist_world *w, const kern_setup *setup, int64_t steps,
                                 train_machine *m);

#endif
