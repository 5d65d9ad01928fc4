// orrery bench comm: the collectives by size.
#ifndef TRAIN_BENCH_COMM_H
#define TRAIN_BENCH_COMM_H

#include "base/status.h"

// Collective over the ranks that were started. Times all-reduce, all-gather, reduce-scatter and
// all-to-all among all ranks, over MPI on the CPU and over NCCL on GPUs; rank 0 prints one line of
// JSON.
orr_code train_cmd_bench_comm(int argc, char **argv);

#endif
