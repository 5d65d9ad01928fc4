// What tests of the CUDA backend's host side share, on a machine and libraries that they play.
#ifndef TESTS_KERNELS_CUDA_PLAYED_H
#define TESTS_KERNELS_CUDA_PLAYED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kern.h"
#include "tests/cuda_host/host.h"
#include "tests/cuda_host/libraries/libraries.h"

// In planning mode.
static inline kern *device(void) {
  kern *k = NULL;
  if (kern_create(KERN_DEVICE_CUDA, 1, &k) != ORR_OK) fail_msg("%s", orr_status_message());
  return k;
}

// One line that holds all of the parts, a list that NULL ends.
static inline void expect_message(const char *const *parts) {
  const char *words = orr_status_message();
  assert_null(strchr(words, '\n'));
  for (; *parts; parts++)
    if (!strstr(words, *parts)) fail_msg("'%s' is not in '%s'", *parts, words);
}
#define SAYS(...) expect_message((const char *const[]){__VA_ARGS__, NULL})

#endif
