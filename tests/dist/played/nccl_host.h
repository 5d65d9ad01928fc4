// NCCL played over MPI on host memory. Calls are put into their stream (streams.h). Errors can be
// had on demand.
#ifndef TESTS_DIST_PLAYED_NCCL_HOST_H
#define TESTS_DIST_PLAYED_NCCL_HOST_H

#include <stdbool.h>

typedef enum {
  NCCL_HOST_CALL,  // the call itself returns an error
  NCCL_HOST_LATER, // the call returns, and what it began never ends: an asynchronous error
  NCCL_HOST_OPEN,  // there is no library
  NCCL_HOST_JOIN,  // the communicator of all ranks cannot be made
} nccl_host_fault;

// The n-th collective from now (of OPEN and JOIN the first) fails like this on this rank; 0 = none.
void nccl_host_arm(nccl_host_fault fault, int n);
// How many communicators live, and how many buffers are registered with them.
int nccl_host_comms(void);
int nccl_host_buffers(void);
int nccl_host_aborted(void); // communicators that were aborted so far

#endif
