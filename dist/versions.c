#include "dist/versions.h"

#include <mpi.h>
#include <string.h>

#include "dist/comm_nccl.h"

void dist_versions(orr_version_told *told, void *to) {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int letters = 0;
  if (MPI_Get_library_version(text, &letters) != MPI_SUCCESS) text[0] = '\0';
  text[strcspn(text, ",\n")] = '\0'; // "Open MPI v4.1.4, package: ..."
  told(to, "MPI", text);
  dist_nccl_versions(told, to);
}
