// cuBLASLt and cuDNN played by the host, for tests: what the backend describes to them is kept,
// checked, and computed from in plain loops. They stand in place of kernels/cuda/library.c, so all
// that the backend does before and after a call is the real thing.
#ifndef TESTS_CUDA_HOST_LIBRARIES_H
#define TESTS_CUDA_HOST_LIBRARIES_H

#include <stdbool.h>
#include <stddef.h>
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

// The algorithms that cuBLASLt proposes for a product, in its order.
typedef enum {
  LIBRARY_FIRST,      // and the slowest
  LIBRARY_UNFIT,      // marked as unfit in the list itself
  LIBRARY_OTHER_BITS, // adds in another order, and faster than all that do not
  LIBRARY_NEVER_RUNS,
  LIBRARY_FASTER, // the fastest with the first's bits; wants more workspace
  LIBRARY_FAST,
} library_algorithm;
int library_blas_ran(void); // the last one that ran

void library_blas_fail(library_fault fault);
void library_dnn_fail(library_fault fault);

// The cuDNN that is installed; a test changes it and puts it back. Without the compiler it proposes
// no engine, as the real one does.
typedef struct {
  size_t version, cudart; // as it numbers itself, and the CUDA that it was built for
  bool compiler;
} library_dnn_install;
extern library_dnn_install library_dnn_here;

// Calls since the last reset.
typedef struct {
  int64_t proposals, runs;
} library_calls;
library_calls library_blas_calls(void); // and resets
library_calls library_dnn_calls(void);
int64_t library_dnn_descriptors(void); // that live
int64_t library_dnn_engine(void); // that ran last: 0 for one that was proposed, else its number

#endif
