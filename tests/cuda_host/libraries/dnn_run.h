// A run of a graph of cuDNN's played backend, in plain loops, operation by operation on the
// tensors' dimensions and strides; virtual tensors in memory of its own, rounded to their types.
#ifndef TESTS_CUDA_HOST_LIBRARIES_DNN_RUN_H
#define TESTS_CUDA_HOST_LIBRARIES_DNN_RUN_H

#include <stdbool.h>

#include "tests/cuda_host/libraries/dnn_node.h"

enum { DNN_RUN_SCRATCH = 512 }; // bytes of workspace, all of which every operation overwrites

// Runs `graph` on the addresses of the variant pack. False: an address is missing, or less aligned
// than its tensor declares; nothing is computed from there on.
bool dnn_run(const dnn_node *graph, const dnn_node *pack);

#endif
