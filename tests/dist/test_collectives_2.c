// labels: quick mpi; ranks: 2; needs: mpi
// The collectives at 2 ranks.
#include "tests/dist/collectives.h"

int main(void) {
  return run_collectives(2);
}
