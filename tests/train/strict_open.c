// Linked into the program with --wrap=kern_open: every kern it opens is a strict one.
#include "tests/kernels/strict_kern.h"

orr_code __real_kern_open(const kern_setup *setup, kern **out);
orr_code __wrap_kern_open(const kern_setup *setup, kern **out);
orr_code __wrap_kern_create(kern_device device, int threads, kern **out);

orr_code __wrap_kern_open(const kern_setup *setup, kern **out) {
  ORR_TRY(__real_kern_open(setup, out));
  return strict_kern_wrap(*out);
}

orr_code __wrap_kern_create(kern_device device, int threads, kern **out) {
  return __wrap_kern_open(&(kern_setup){.device = device, .threads = threads, .node_ranks = 1},
                          out);
}
