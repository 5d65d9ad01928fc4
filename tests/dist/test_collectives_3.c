// labels: quick mpi; ranks: 3; needs: mpi
// The collectives at 3 ranks.
#include "tests/dist/collectives.h"

int main(void) {
  return run_collectives(3);
}
