// What tests of every folder ask of calls that return orr_code, and of the message they leave.
#ifndef TESTS_BASE_ASSERT_H
#define TESTS_BASE_ASSERT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != ORR_OK) fail_msg("%s: %s", #call, orr_status_message());                         \
  } while (0)

// The message names every one of the given words.
#define assert_message_names(...)                                                                  \
  do {                                                                                             \
    const char *const words_[] = {__VA_ARGS__};                                                    \
    for (size_t i_ = 0; i_ < sizeof words_ / sizeof words_[0]; i_++) {                             \
      if (!strstr(orr_status_message(), words_[i_])) {                                             \
        fail_msg("'%s' does not name '%s'", orr_status_message(), words_[i_]);                     \
      }                                                                                            \
    }                                                                                              \
    assert_null(strchr(orr_status_message(), '\n'));                                               \
  } while (0)

#endif
