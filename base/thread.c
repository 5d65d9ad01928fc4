#include "base/thread.h"

#include <string.h>

#include "base/limits.h"

orr_code orr_thread_start(pthread_t *thread, void *(*run)(void *), void *ctx, const char *what) {
  char limit[160];
  const int error = pthread_create(thread, NULL, run, ctx);
  orr_limits_thread_words(limit, sizeof limit);
  ORR_CHECK(error == 0, ORR_ENOMEM, "%s: cannot start a thread: %s%s", what, strerror(error),
            limit);
  return ORR_OK;
}
