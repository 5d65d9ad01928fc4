#include "base/cond.h"

#include <time.h>

void orr_cond_init(pthread_cond_t *c) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(c, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

bool orr_cond_wait(pthread_cond_t *c, pthread_mutex_t *held, int64_t until_ns) {
  const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                                 .tv_nsec = (long)(until_ns % 1000000000)};
  return pthread_cond_timedwait(c, held, &until) == 0;
}
