// cuBLASLt and cuDNN played by the host, for tests: what the backend describes to them is kept,
// checked, and computed from in plain loops. They stand in place of kernels/cuda/library.c, so all
// that the backend does before and after a call is the real thing.
#ifndef TESTS_CUDA_HOST_LIBRARIES_H
#define TESTS_CUDA_HOST_LIBRARIES_H

#include <stdint.h>

// What goes wrong next, once; the test sets it.
typedef enum {
  LIBRARY_SOUND,
  LIBRARY_ABSENT,        // does not open
  LIBRARY_NO_START,      // its handle cannot be created
  LIBRARY_NO_PROPOSAL,   // proposes no algorithm, no engine
  LIBRARY_NOT_SUPPORTED, // refuses the problem
  LIBRARY_NO_MEMORY,     // is out of memory when asked for a proposal
  LIBRARY_NO_RUN,        // fails when a product or a graph is started
} library_fault;

void library_blas_fail(library_fault fault);
void library_dnn_fail(library_fault fault);

// Calls since the last reset.
typedef struct {
  int64_t proposals, runs;
} library_calls;
library_calls library_blas_calls(void); // and resets
library_calls library_dnn_calls(void);
int64_t library_dnn_descriptors(void); // that live

#endif
