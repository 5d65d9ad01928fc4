// Watches over the start of a job, until the watchdog can: ranks that have not met yet wait inside
// of MPI for one that never comes, and cannot ask each other. Each looks at the processes of its
// own host (dist/siblings.h) and ends, with the reason, where one of them is stopped.
#ifndef DIST_STARTUP_H
#define DIST_STARTUP_H

#include "base/status.h"

typedef struct dist_startup dist_startup;

// Local. From now on: after timeout_s with a stopped rank on this host, or after a minute if that
// is longer, the process ends with exit code 1. *out is NULL where no other rank was started.
// ORR_ENOMEM.
orr_code dist_startup_begin(double timeout_s, dist_startup **out);
void dist_startup_end(dist_startup *s); // the ranks have met; takes NULL

#endif
