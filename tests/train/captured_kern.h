// The CPU backend run through a stream of tests/dist/played/streams.h: ops, marks and the
// collectives of dist/comm_nccl.c share one order, and captures keep all of them.
#ifndef TESTS_TRAIN_CAPTURED_KERN_H
#define TESTS_TRAIN_CAPTURED_KERN_H

#include "kernels/kern.h"

// Local. Takes over a kern that has just been opened; its ops run in the order of `stream`.
orr_code captured_kern_wrap(kern *k, void *stream);
// Local. The n-th capture from now on finds no memory for its graph; 0 = none.
void captured_kern_lack(kern *k, int n);

#endif
