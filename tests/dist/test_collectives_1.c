// labels: quick; needs: mpi
// The collectives at 1 rank: no launcher, no MPI.
#include "tests/dist/collectives.h"

int main(void) {
  return run_collectives(1);
}
