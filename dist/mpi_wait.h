// Waiting for MPI so that other work gets the core. Private to dist/.
//
// MPI's own waits look for news without a pause: a rank that waits for a slower one takes a whole
// core from whatever else runs there, be it that very rank's work. Here a wait looks on for as long
// as ranks of a quiet machine are apart and their bytes need, and then sleeps in between, for a
// small part of what it has waited already, so that it ends no more than that part later.
#ifndef DIST_MPI_WAIT_H
#define DIST_MPI_WAIT_H

#include <mpi.h>

#include "dist/comm.h"

// Local, once, by the thread that will wait: its sleeps end when they should, not up to 50 us
// later.
void dist_mpi_wait_begin(void);
// Local. Returns when all n requests are done, of one operation that moves so many bytes: MPI moves
// them only while somebody looks on. ORR_ECOMM; `what` names the operation.
orr_code dist_mpi_wait(int n, MPI_Request *requests, int64_t bytes, dist_axis axis,
                       const char *what);
// Collective over comm. Returns when all ranks have come: before a blocking collective, whose own
// waits then are short.
orr_code dist_mpi_meet(MPI_Comm comm, dist_axis axis, const char *what);

#endif
