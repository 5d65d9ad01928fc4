// Requests to stop early: SIGUSR1 (Slurm's warning), SIGTERM and SIGINT set a flag that the loop
// brings to its next reduction.
#ifndef TRAIN_STOP_H
#define TRAIN_STOP_H

#include <stdbool.h>

// Process-wide: installs the handlers; again does no harm. A second SIGINT ends the process as
// usual. A SIGTERM from Open MPI's launcher leaves little time: rank 0 says so at once. The program
// does it before anything else: a scheduler's warning may come while MPI still starts.
void train_stop_install(void);
bool train_stop_requested(void);
void train_stop_clear(void);  // a request ends one run, not those after it in the same process
void train_stop_remove(void); // the signals end the process, as if nothing had been installed

#endif
