// Captures of the played device: a stream of its runtime, and what a capture forbids.
#ifndef TESTS_CUDA_HOST_GRAPH_H
#define TESTS_CUDA_HOST_GRAPH_H

#include <stdbool.h>

#include "tests/cuda_host/include/cuda_runtime_api.h"

struct cuda_host_stream {
  unsigned flags;
  struct cuda_host_graph *capture; // NULL: what it is given is run
};

// Whether a capture is under way, which is then invalid: called by what CUDA forbids meanwhile.
bool cuda_host_forbidden(void);

#endif
