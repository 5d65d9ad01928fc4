// `orrery bench step`: the time of whole training steps on random tokens - forward, backward,
// gradient reduction and clipping, AdamW.
#ifndef TRAIN_BENCH_STEP_H
#define TRAIN_BENCH_STEP_H

#include "base/status.h"

// Collective over the world when started by mpirun or srun: --clips is the global batch. argv[0] is
// the command's own word. The last line on stdout is one JSON object. ORR_ECONFIG, ORR_ENOMEM.
orr_code train_cmd_bench_step(int argc, char **argv);

#endif
