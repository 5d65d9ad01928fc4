// The ranks of this job that run on this host, as the kernel sees them: for the time before MPI has
// brought them together, when nobody else can tell who is missing.
#ifndef DIST_SIBLINGS_H
#define DIST_SIBLINGS_H

#include <stdbool.h>

typedef struct {
  int rank, pid;
  char state; // as in /proc/PID/stat: 'T' stopped, 't' by a debugger, 'D' waits for a disk, ...
} dist_sibling;

// Local. Calls `see` for every process of this program whose environment names the same job and
// a rank in it, this process among them. Does nothing where the launcher names neither.
void dist_siblings_visit(void (*see)(void *ctx, const dist_sibling *s), void *ctx);

#endif
