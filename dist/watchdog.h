// The watchdog: a thread that ends the job when a collective does not finish in time or a rank
// dies, because ranks that wait for one that never comes would hold the machines for ever. Before
// that it gathers every rank's flight recorder over sockets of its own and reports who is missing
// where.
#ifndef DIST_WATCHDOG_H
#define DIST_WATCHDOG_H

#include <stdbool.h>

#include "dist/world.h"

typedef struct dist_watchdog dist_watchdog;

typedef struct {
  double timeout_s;   // a collective that takes longer is a hang
  const char *report; // file of the report beside stderr; NULL = none. Copied.
  bool early;         // not yet at the steps: see dist_watchdog_settle
} dist_watchdog_options;

// Collective over the world. Watches the axes of `w`, which must not be split or closed while it
// runs. After timeout_s in one call, or when a rank's process is gone, the first rank (or the last,
// when the first does not do it) writes the report, and every process ends with exit code 1: within
// 5 s, also when MPI is stuck and ranks are stopped. Time in which this process itself was stopped
// does not count. A world of one rank has nothing to watch. All ranks return the same code:
// ORR_ENOMEM, ORR_EIO, ORR_ECOMM.
orr_code dist_watchdog_start(dist_world *w, const dist_watchdog_options *o, dist_watchdog **out);
// Local. From here on the ranks take steps. An `early` watchdog watches the start: the axes may be
// split meanwhile, collectives on the device are not looked at, and ranks that wait for one that
// answers, so is at work, go on waiting for a minute where timeout_s is less; one that is stopped
// or dead is reported as always. `report` takes the place of options.report; `told` (may be NULL)
// hears the report's text on the watchdog's thread of the rank that writes it, as the last thing
// before the job ends. ORR_ENOMEM.
typedef void (*dist_told_fn)(void *ctx, const char *report);
orr_code dist_watchdog_settle(dist_watchdog *d, const char *report, dist_told_fn told, void *ctx);
// Local. The steps are over: watches as an early one does, until dist_world_close, after MPI has
// ended. Takes NULL.
void dist_watchdog_keep(dist_watchdog *d);
// Local. For how long a rank that has been told to go on waiting counts as waiting already: it asks
// again within seconds, so that whoever has a minute more gets no second timeout_s.
double dist_watchdog_waited_s(double timeout_s);
// Local. This rank may hang or end from now on. Takes NULL.
void dist_watchdog_stop(dist_watchdog *d);

// The one place in dist/ that ends a process; with `mpi` every rank ends (MPI_Abort), or at least
// this one, when MPI does not return.
void dist_process_end(bool mpi, int exit_code) __attribute__((noreturn));

#endif
