// A kern that is as unforgiving as a device: its memory cannot be touched between ops, ops run as
// late as they may (when somebody waits for them), and a capture keeps them for replays. It runs
// on the CPU backend, so that results can be held against it to the bit.
#ifndef TESTS_KERNELS_STRICT_KERN_H
#define TESTS_KERNELS_STRICT_KERN_H

#include "kernels/kern.h"

// Local. Takes over a kern that has just been opened. Ends the process with a line that names the
// op when an op is given an address that is not device memory.
orr_code strict_kern_wrap(kern *k);

#endif
