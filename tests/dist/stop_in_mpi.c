// Linked into the program in front of MPI's own functions: places where a rank may stop.
#include <mpi.h>

#include "tests/dist/stop_at.h"

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
  stop_at("init");
  return PMPI_Init_thread(argc, argv, required, provided);
}

int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *out) {
  stop_at("split");
  return PMPI_Comm_split(comm, color, key, out);
}

int MPI_Finalize(void) {
  stop_at("end");
  return PMPI_Finalize();
}
