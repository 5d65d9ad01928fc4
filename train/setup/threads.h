// How many CPU threads a rank takes.
#ifndef TRAIN_THREADS_H
#define TRAIN_THREADS_H

#include <stdint.h>

// Local. `wanted` when it is not 0; else this process's share of the cores it may run on, at least
// 1: node_ranks processes of the program run on this node. A process that is bound to some of the
// node's cores (mpirun --bind-to, taskset, a container) has its share already.
int train_threads(int64_t wanted, int node_ranks);

#endif
