// `orrery bench machine`: what this machine can do at most, in a few seconds: matrix products of
// either type. What steps are foretold from, and what `./run demo` chooses its recipe by. With
// --out also how long every op takes by its sizes, and, started by mpirun or srun, every collective
// by ranks and bytes: the machine file of `orrery plan` (train/plan/machine.h).
#ifndef TRAIN_BENCH_MACHINE_H
#define TRAIN_BENCH_MACHINE_H

#include "base/status.h"

// Local, with --out collective over the world. argv[0] is the command's own word. The last line on
// stdout is one JSON object:
// {"bench":"machine","device":..,"isa":..,"threads":..,"precision":what `auto` is here,
// "matmul_tflops":{"bf16":..,"fp32":..}}. ORR_ECONFIG for bad usage.
orr_code train_cmd_bench_machine(int argc, char **argv);

#endif
