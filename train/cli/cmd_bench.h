// `orrery bench`: chooses between its benches.
#ifndef TRAIN_CMD_BENCH_H
#define TRAIN_CMD_BENCH_H

#include "base/status.h"

// Collective over the world for step when started by mpirun or srun, local for ops and io. `orrery
// bench step|ops|io`; argv[0] is "bench". ORR_ECONFIG for bad usage.
orr_code train_cmd_bench(int argc, char **argv);

#endif
