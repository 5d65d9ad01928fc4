// Conditions whose deadlines are of orr_clock_ns: a wall clock that is set meanwhile neither ends a
// wait early nor makes it long.
#ifndef BASE_COND_H
#define BASE_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

// Local. Destroyed by pthread_cond_destroy.
void orr_cond_init(pthread_cond_t *c);
// Local. Waits with `held` until somebody signals, or the clock reads until_ns: false then.
bool orr_cond_wait(pthread_cond_t *c, pthread_mutex_t *held, int64_t until_ns);

#endif
