// Requests to stop early: SIGUSR1 (Slurm's warning), SIGTERM and SIGINT set a flag that the loop
// brings to its next reduction.
#ifndef TRAIN_STOP_H
#define TRAIN_STOP_H

#include <stdbool.h>

// Process-wide: installs the handlers. A second SIGINT ends the process as usual.
void train_stop_install(void);
bool train_stop_requested(void);

#endif
