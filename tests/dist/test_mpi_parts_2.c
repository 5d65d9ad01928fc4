// labels: quick mpi; ranks: 2
// What a thread of Open MPI may still run is there after MPI has ended (dist/mpi_parts.h).
#define _GNU_SOURCE // dl_iterate_phdr
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "tests/dist/world_main.h"

static int count_part(struct dl_phdr_info *library, size_t bytes, void *count) {
  *(int *)count += library->dlpi_name && strstr(library->dlpi_name, "/mca_pmix_") != NULL;
  return 0;
}

static int parts(void) {
  int count = 0;
  dl_iterate_phdr(count_part, &count);
  return count;
}

int main(void) {
  dist_world *w = world_start(2);
  if (!w) return 1;
  const int before = parts();
  dist_world_close(w);
  if (before == 0) {
    printf("skipped: this MPI has no part for PMIx that it could unload\n");
    return 77;
  }
  if (parts() == before) return 0;
  fprintf(stderr, "%d of %d parts are left after MPI has ended\n", parts(), before);
  return 1;
}
