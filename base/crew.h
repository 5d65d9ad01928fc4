// Threads that do jobs in the order in which they are given. With one thread the jobs follow each
// other; with several they begin in order. A job tells of its own errors in what it points to.
#ifndef BASE_CREW_H
#define BASE_CREW_H

#include <stdint.h>

#include "base/status.h"

typedef struct orr_crew orr_crew;
typedef void (*orr_crew_run)(void *job);

// Local. Starts `threads` (1 or more) threads; at most `room` jobs wait for one. ORR_ENOMEM,
// ORR_EIO.
orr_code orr_crew_create(int threads, int64_t room, orr_crew_run run, orr_crew **out);
// Local; any thread. Waits while `room` jobs are waiting already. `job` is borrowed until it is
// done.
void orr_crew_give(orr_crew *c, void *job);
// Local. Every job that was given is done first. Takes NULL.
void orr_crew_destroy(orr_crew *c);

#endif
