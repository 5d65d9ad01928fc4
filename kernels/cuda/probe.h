// Whether a CUDA device could be used on this machine, and if not, why.
#ifndef KERNELS_CUDA_PROBE_H
#define KERNELS_CUDA_PROBE_H

#include <stddef.h>

// Local. The number of CUDA devices that the driver shows; `words` (always terminated) names the
// first one, or says why there is none: no toolkit at build time, no driver, a driver too old, no
// device.
int kern_cuda_probe(char *words, size_t size);

#endif
