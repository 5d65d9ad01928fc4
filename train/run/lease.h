// One run folder, one run. Whoever trains in RUN_DIR holds RUN_DIR/run.lock: a lock of the
// operating system where the file system has one, and a record in the file that its holder rewrites
// every few seconds. The lock ends with its process, however that ends. The record is for file
// systems whose locks do not reach other hosts, and names the holder in messages: a record that
// another machine left is watched, and taken over once it stands still. Nobody's clock is compared
// with anybody else's: records carry a count, and the watcher measures with its own monotonic
// clock.
#ifndef TRAIN_LEASE_H
#define TRAIN_LEASE_H

#include <stdbool.h>

#include "base/status.h"

typedef struct train_lease train_lease;

typedef struct {
  const char *dir;  // of the run; exists
  const char *job;  // the scheduler's number of this job; NULL = none
  double beat_s;    // between two beats; a holder that misses TRAIN_LEASE_MISSED of them is gone
  bool record_only; // never ask for the operating system's lock (as if the file system had none)
} train_lease_options;

enum { TRAIN_LEASE_MISSED = 3 };
#define TRAIN_LEASE_BEAT_S 5.0

// Local, one rank of a run; waits up to TRAIN_LEASE_MISSED beats for a holder that is about to end.
// ORR_EBUSY names the holder's host, process and job when there still is one. Borrows nothing.
orr_code train_lease_take(const train_lease_options *o, train_lease **out);
// Local, cheap: before whatever is written into the folder. A lock file that was removed is made
// again, with a warning. ORR_EBUSY once another run has taken the folder (this process was stopped
// for longer than the beats allow, or the file was removed before that run came): what is written
// from then on would be mixed with that run's. ORR_ENOTFOUND once the folder was moved or removed:
// checkpoints would go to one place, and files that are open to another.
orr_code train_lease_held(train_lease *l);
void train_lease_release(train_lease *l); // takes NULL

#endif
