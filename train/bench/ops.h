// `orrery bench ops`: the time of every op that matters for a training step, at the shapes of the
// small or the 1b preset of `orrery bench step`, with the small one also of narrower models.
#ifndef TRAIN_BENCH_OPS_H
#define TRAIN_BENCH_OPS_H

#include "base/status.h"

// Local. argv[0] is the command's own word. Prints a line an op to stderr and one line of JSON to
// stdout:
// {"bench":"ops","preset":..,"device":..,"threads":..,"precision":..,"isa":..,"copy_gb_s":..,"ops":[{"op":..,
// "shape":..,"ms":..,"gflop_s"|"gb_s":..,"copy_gb_s":..,"of_copy":..},..]}. ORR_ECONFIG,
// ORR_ENOMEM.
orr_code train_cmd_bench_ops(int argc, char **argv);

#endif
