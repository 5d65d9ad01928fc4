// Collectives over MPI. Private to dist/ (and its tests).
#ifndef DIST_COMM_MPI_H
#define DIST_COMM_MPI_H

#include <mpi.h>

#include "dist/comm_table.h"

// Local. Takes over `comm` (freed by dist_comm_destroy, also when this fails). ORR_ENOMEM.
orr_code dist_comm_mpi_create(MPI_Comm comm, dist_axis axis, dist_comm **out);
// Local. MPI counts are ints: longer vectors go in pieces of this many elements (2^30 at first).
// For tests of that splitting.
void dist_comm_mpi_set_piece(dist_comm *c, int64_t elements);
// Local. Turns an MPI result into a status; `what` names the operation.
orr_code dist_mpi_check(int result, dist_axis axis, const char *what);

#endif
