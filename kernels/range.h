// Named stretches of this thread's time, told to a tool that watches the program and shows them
// beside what the devices do (Nsight Systems): NVTX ranges, where the build had the CUDA Toolkit;
// elsewhere nobody ever listens. Results do not depend on it.
#ifndef KERNELS_RANGE_H
#define KERNELS_RANGE_H

#include <stdint.h>

typedef struct kern_ranges kern_ranges;

// Local. NULL when no tool listens: then there is nothing to tell, at no cost.
kern_ranges *kern_ranges_open(void);
void kern_ranges_close(kern_ranges *r); // takes NULL
// Local. Into a range inside the ones this thread is in, and out of it again. `number` is shown
// beside the name, -1 = none; the name is copied. r is not NULL.
void kern_range_push(kern_ranges *r, const char *name, int64_t number);
void kern_range_pop(kern_ranges *r);

#endif
