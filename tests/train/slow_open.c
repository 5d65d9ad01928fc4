// Linked into the program with --wrap=kern_open: one rank's kern is a slow one, if SLOW_RANK names
// it.
#include <stdlib.h>
#include <string.h>

#include "tests/kernels/slow_kern.h"

orr_code __real_kern_open(const kern_setup *setup, kern **out);
orr_code __wrap_kern_open(const kern_setup *setup, kern **out);

orr_code __wrap_kern_open(const kern_setup *setup, kern **out) {
  const char *slow = getenv("SLOW_RANK"), *rank = getenv("OMPI_COMM_WORLD_RANK");
  ORR_TRY(__real_kern_open(setup, out));
  return slow && rank && strcmp(slow, rank) == 0 ? slow_kern_wrap(*out, 0.3) : ORR_OK;
}
