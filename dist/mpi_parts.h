// What of the MPI library has to stay in the process. Open MPI takes its parts out of memory while
// MPI ends, and a thread of its own may still run code of one: told late that another rank has
// ended with an error, Open MPI 4.1 jumps to where its part for PMIx was, and a rank that was about
// to end with exit code 2 ends with a segmentation fault.
#ifndef DIST_MPI_PARTS_H
#define DIST_MPI_PARTS_H

// Local, once MPI is initialised. Keeps those parts for as long as the process lives. Does nothing
// under an MPI that has none.
void dist_mpi_parts_keep(void);

#endif
