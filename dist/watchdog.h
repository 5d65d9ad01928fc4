// The watchdog: a thread that ends the process when a collective does not finish in time, because
// a rank that waits for one that never comes would hold the machines for ever.
#ifndef DIST_WATCHDOG_H
#define DIST_WATCHDOG_H

#include <stdbool.h>

#include "dist/comm.h"

typedef struct dist_watchdog dist_watchdog;

// Local. Watches the axes of `w`, which must not be split or closed while it runs. After timeout_s
// in one call it prints rank, axis, collective, count and its number on this axis, and ends the
// process with exit code 1; mpirun and srun then end the other ranks. ORR_ENOMEM, ORR_EIO.
orr_code dist_watchdog_start(dist_world *w, double timeout_s, dist_watchdog **out);
// Local. Takes NULL.
void dist_watchdog_stop(dist_watchdog *d);

// The one place in dist/ that ends a process; with `mpi` every rank ends (MPI_Abort).
void dist_process_end(bool mpi, int exit_code) __attribute__((noreturn));

#endif
