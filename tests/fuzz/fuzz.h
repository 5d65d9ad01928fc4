// Fuzz targets: each file fuzz_<parser>.c defines one. libFuzzer calls it with bytes of its own;
// under an ordinary build tests/fuzz/drive.c calls it with deterministic mutations of the seeds.
//
// A target hands the bytes to one parser and checks what the parser promises: it either accepts,
// and then what it returns is consistent, or it gives a code and a message. A broken promise
// aborts.
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_PROMISE(cond)                                                                         \
  do {                                                                                             \
    if (!(cond)) {                                                                                 \
      fprintf(stderr, "%s:%d: broken promise: %s (last message: %s)\n", __FILE__, __LINE__, #cond, \
              orr_status_message());                                                               \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

// A refusal has a message of one line that the caller can show, or of a heading and a line a fault
// (base/faults.h), each set in by two blanks.
static inline void fuzz_check_refusal(orr_code rc) {
  FUZZ_PROMISE(rc != ORR_OK);
  FUZZ_PROMISE(orr_status_message()[0] != 0);
  for (const char *c = orr_status_message(); *c; c++)
    FUZZ_PROMISE((unsigned char)*c >= 0x20 || (*c == '\n' && c[1] == ' ' && c[2] == ' '));
  orr_status_clear();
}

#endif
