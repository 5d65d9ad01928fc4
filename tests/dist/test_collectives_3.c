// labels: quick mpi; ranks: 3
// The collectives at 3 ranks.
#include "tests/dist/collectives.h"

int main(void) {
  return run_collectives(3);
}
