#include "dist/mpi_wait.h"

#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"
#include "dist/comm_mpi.h"

#define LOOK_ON_MS     0.2
#define MS_OF_A_BYTE   1.3e-6     // measured between two ranks of a machine
#define SLEEP_PART     (1.0 / 32) // of what has been waited
#define SLEEP_LEAST_MS 0.02
#define SLEEP_MOST_MS  0.5

// What Linux may add to a sleep so that several end together: 50 us otherwise, more than twice the
// least one.
#define SLACK_NS 1000

void dist_mpi_wait_begin(void) {
  prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0);
}

static void sleep_ms(double ms) {
  nanosleep(&(struct timespec){.tv_nsec = (long)(ms * 1e6)}, NULL);
}

orr_code dist_mpi_wait(int n, MPI_Request *requests, int64_t bytes, dist_axis axis,
                       const char *what) {
  const double look_on_ms = LOOK_ON_MS + MS_OF_A_BYTE * (double)bytes;
  const double begun_ms = orr_clock_ms();
  for (;;) {
    int done = 0;
    ORR_TRY(dist_mpi_check(MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE), axis, what));
    if (done) return ORR_OK;
    const double waited_ms = orr_clock_ms() - begun_ms, part_ms = waited_ms * SLEEP_PART;
    if (waited_ms < look_on_ms) continue;
    sleep_ms(part_ms < SLEEP_LEAST_MS  ? SLEEP_LEAST_MS
             : part_ms > SLEEP_MOST_MS ? SLEEP_MOST_MS
                                       : part_ms);
  }
}

orr_code dist_mpi_meet(MPI_Comm comm, dist_axis axis, const char *what) {
  MPI_Request request;
  ORR_TRY(dist_mpi_check(MPI_Ibarrier(comm, &request), axis, what));
  return dist_mpi_wait(1, &request, 0, axis, what);
}
