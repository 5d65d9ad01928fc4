// A kern on which every op computes longer than it has to, by a share of its own computing time:
// a processor that fails, as far as others can see it.
#ifndef TESTS_KERNELS_SLOW_KERN_H
#define TESTS_KERNELS_SLOW_KERN_H

#include "kernels/kern.h"

// Local. Takes over a kern that has just been opened; share 0.3 = 30 % longer. ORR_ENOMEM.
orr_code slow_kern_wrap(kern *k, double share);

#endif
