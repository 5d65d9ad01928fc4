// A process without rights, for code that nobody here has read: it computes on what it is given,
// and that is all. Linux.
//
//   orr_confined_start(&c, life, ctx, &pid)
//   in it, life(): load the code, let it read its files; orr_confine_seal(); run it
//
// What it has not, by several walls where the kernel has them: other descriptors than the kept
// ones; an environment; capabilities; the network and other processes' names (namespaces); new
// rights through programs (PR_SET_NO_NEW_PRIVS); memory beyond a bound, files that grow, core
// dumps (resource limits); and all system calls but a short list (seccomp): no sockets, programs,
// processes, threads, signals to others, files to write. Files can still be read, for a library has
// to be loaded; orr_confine_seal takes that, too. A refused call returns EPERM.
#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

typedef struct {
  const int *keep; // [kept] descriptors that stay open
  int kept;
  int output;            // one that its standard output and error go to; never waited for
  uint64_t memory_bytes; // of address space, beyond what the process has now
} orr_confinement;

// Local. Starts such a process as a child, which dies with its parent. `confined` is ORR_OK, or why
// it could not be confined (ORR_EUNSUPPORTED: no seccomp): then nothing may be loaded. It ends with
// status 0 when `life` returns. The caller has no threads. ORR_EIO.
orr_code orr_confined_start(const orr_confinement *c, void (*life)(void *ctx, orr_code confined),
                            void *ctx, pid_t *pid);
// Local, in it, for good: no file can be opened any more. ORR_EUNSUPPORTED.
orr_code orr_confine_seal(void);

#endif
