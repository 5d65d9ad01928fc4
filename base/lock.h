// A lock that one process at a time holds, by a file: the operating system gives it up when its
// process ends, however that happens. Processes that the holder forks hold it as well.
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include "base/status.h"

typedef struct orr_lock orr_lock;

// Local. Takes the lock DIR/.orrery-lock; the folder exists. Waits a few seconds for a holder that
// is about to end. ORR_EINVAL names the holder's process, host and `what` it does ("orrery data
// import"). On a file system without locks it is taken without one, with a warning.
orr_code orr_lock_take(const char *dir, const char *what, orr_lock **out);
// Local. Removes the file. Takes NULL.
void orr_lock_release(orr_lock *l);

#endif
