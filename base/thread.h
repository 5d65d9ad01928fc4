// Starting a thread: a thread that cannot be had blames the limit that it fell to.
#ifndef ORR_THREAD_H
#define ORR_THREAD_H

#include <pthread.h>

#include "base/status.h"

// Local. pthread_create. ORR_ENOMEM says for whom (`what`: "loader: its reader"), why not, and
// which of the process's limits are in the way.
orr_code orr_thread_start(pthread_t *thread, void *(*run)(void *), void *ctx, const char *what);

#endif
