#ifndef TRAIN_CMD_BENCH_H
#define TRAIN_CMD_BENCH_H
#include "base/status.h"
// orrery bench step | ops
orr_code train_cmd_bench(int argc, char **argv);
#endif
