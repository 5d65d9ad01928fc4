// The threads that share the loops of the CPU's ops.
//
// A loop is cut into pieces of `grain` items. Each thread has its share of them, in order, and when
// that is done takes pieces of the others' shares: a thread that the system has stopped for other
// work holds up nobody but for the piece in its hands. Threads that wait give way: they look for
// news for some microseconds, as long as the pauses inside a step are, and then sleep.
//
// Calls come from one thread at a time, the one that owns the kern; it works too. What a piece
// computes may not depend on the thread that computes it.
#ifndef KERNELS_CPU_TEAM_H
#define KERNELS_CPU_TEAM_H

#include <stdint.h>

#include "base/status.h"

typedef struct cpu_team cpu_team;

// Items first .. end - 1 of a loop, on thread 0 .. threads - 1 of the team.
typedef void (*cpu_team_body)(const void *ctx, int64_t first, int64_t end, int thread);

// Local. `threads` with the caller's, 1 or more. ORR_ENOMEM, ORR_EIO: no more threads.
orr_code cpu_team_create(int threads, cpu_team **out);
// Local. Returns when all items are done: what they wrote is there for the caller.
void cpu_team_run(cpu_team *team, int64_t items, int64_t grain, cpu_team_body body,
                  const void *ctx);
// Local. Takes NULL.
void cpu_team_destroy(cpu_team *team);

#endif
