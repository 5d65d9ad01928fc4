// The watchdog. It only reads what dist/comm.c leaves in each comm's dist_call and never calls MPI:
// the thread that hangs may be inside MPI and hold its locks.
#include "dist/watchdog.h"

#include <inttypes.h>
#include <mpi.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "dist/comm_table.h"

#define LOOK_MAX_S 1.0 // seconds between two looks at most

struct dist_watchdog {
  const dist_world *world;
  double timeout_s;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake; // signalled when `stop` is set
  bool stop;
};

void dist_process_end(bool mpi, int exit_code) {
  if (mpi) MPI_Abort(MPI_COMM_WORLD, exit_code);
  _exit(exit_code);
}

static void look_at(const dist_watchdog *d, dist_axis axis) {
  dist_comm *c = d->world->axis[axis];
  if (!c) return;
  int64_t entered = atomic_load_explicit(&c->now.entered_ns, memory_order_acquire);
  double inside_s = (double)(orr_clock_ns() - entered) * 1e-9;
  if (entered == 0 || inside_s < d->timeout_s) return;
  ORR_ERROR("rank %d: %s axis (rank %d of %d): %s of %" PRId64 " elements, call %" PRId64
            " on this axis, has not finished in %.0f s; a rank did not take part (look for one "
            "that ended, or raise dist.timeout_s)",
            d->world->grid.rank, dist_axis_name(axis), c->rank, c->size,
            atomic_load_explicit(&c->now.op, memory_order_relaxed),
            (int64_t)atomic_load_explicit(&c->now.count, memory_order_relaxed),
            (int64_t)atomic_load_explicit(&c->now.sequence, memory_order_relaxed), d->timeout_s);
  dist_process_end(false, 1);
}

static void *watch(void *arg) {
  dist_watchdog *d = arg;
  double look_s = d->timeout_s / 8 < LOOK_MAX_S ? d->timeout_s / 8 : LOOK_MAX_S;
  pthread_mutex_lock(&d->lock);
  while (!d->stop) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(look_s * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&d->wake, &d->lock, &until);
    for (int i = 0; i < DIST_AXES && !d->stop; i++) look_at(d, (dist_axis)i);
  }
  pthread_mutex_unlock(&d->lock);
  return NULL;
}

orr_code dist_watchdog_start(dist_world *w, double timeout_s, dist_watchdog **out) {
  dist_watchdog *d = orr_calloc(1, sizeof *d);
  ORR_CHECK(d, ORR_ENOMEM, "watchdog: no memory for it");
  d->world = w;
  d->timeout_s = timeout_s;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&d->lock, NULL);
  pthread_cond_init(&d->wake, &monotonic);
  pthread_condattr_destroy(&monotonic);
  int error = pthread_create(&d->thread, NULL, watch, d);
  if (error) {
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    orr_free(d);
    return ORR_FAIL(ORR_EIO, "watchdog: no thread for it: %s", strerror(error));
  }
  *out = d;
  return ORR_OK;
}

void dist_watchdog_stop(dist_watchdog *d) {
  if (!d) return;
  pthread_mutex_lock(&d->lock);
  d->stop = true;
  pthread_cond_signal(&d->wake);
  pthread_mutex_unlock(&d->lock);
  pthread_join(d->thread, NULL);
  pthread_cond_destroy(&d->wake);
  pthread_mutex_destroy(&d->lock);
  orr_free(d);
}
