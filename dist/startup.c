#include "dist/startup.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "dist/launch.h"
#include "dist/siblings.h"
#include "dist/watchdog.h"

#define LOOK_MS       100
#define LEAST_S       60.0 // a busy or large machine may take its time to start everyone
#define SPEAKER_MS    500  // for the rank that reports, before the others end
#define COUNTED_MAX_S 1.0  // of the time between two looks: the rest this process was stopped

struct dist_startup {
  double timeout_s, waited_s; // waited_s: the thread's own
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t stopped; // signalled when stop becomes true
  bool stop;
};

// The processes of this host: who is stopped, and who is to say so.
typedef struct {
  int speaker; // the lowest rank that is not stopped
  int stopped;
  char words[1024];
} census;

static void count_one(void *ctx, const dist_sibling *s) {
  census *c = ctx;
  const size_t used = strlen(c->words);
  if (s->state != 'T' && s->state != 't') {
    if (s->rank < c->speaker) c->speaker = s->rank;
    return;
  }
  c->stopped++;
  snprintf(c->words + used, sizeof c->words - used, "%srank %d (pid %d)", used ? ", " : "", s->rank,
           s->pid);
}

static void end_job(const dist_startup *s, const census *c, int rank) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  if (rank != c->speaker) usleep(SPEAKER_MS * 1000); // its words come first
  if (rank == c->speaker && c->stopped)
    ORR_ERROR("start-up: after %.0f s the ranks have not met: missing on %s: %s, stopped (state T "
              "in ps); continue it with kill -CONT, or start the job again (dist.timeout_s %g)",
              s->waited_s, host, c->words, s->timeout_s);
  else if (rank == c->speaker)
    ORR_ERROR("start-up: after %.0f s the ranks have not met, and none on %s is stopped: look at "
              "the other hosts and at their network, or raise dist.timeout_s (%g)",
              s->waited_s, host, s->timeout_s);
  dist_process_end(false, 1);
}

static void look(const dist_startup *s, int rank) {
  census c = {.speaker = INT_MAX};
  if (s->waited_s < s->timeout_s) return;
  dist_siblings_visit(count_one, &c);
  const double most_s = s->timeout_s > LEAST_S ? s->timeout_s : LEAST_S;
  if (c.speaker == INT_MAX) c.speaker = rank;
  if (c.stopped || s->waited_s >= most_s) end_job(s, &c, rank);
}

static bool rest(dist_startup *s) {
  const int64_t until_ns = orr_clock_ns() + LOOK_MS * INT64_C(1000000);
  pthread_mutex_lock(&s->lock);
  while (!s->stop && orr_cond_wait(&s->stopped, &s->lock, until_ns)) {
  }
  const bool go_on = !s->stop;
  pthread_mutex_unlock(&s->lock);
  return go_on;
}

static void *watch(void *arg) {
  dist_startup *s = arg;
  const int rank = dist_launch_rank();
  for (double before = orr_clock_ms(), now; rest(s); before = now) {
    now = orr_clock_ms();
    const double passed_s = 1e-3 * (now - before);
    s->waited_s += passed_s < COUNTED_MAX_S ? passed_s : COUNTED_MAX_S;
    look(s, rank);
  }
  return NULL;
}

static void release(dist_startup *s) {
  pthread_cond_destroy(&s->stopped);
  pthread_mutex_destroy(&s->lock);
  orr_free(s);
}

orr_code dist_startup_begin(double timeout_s, dist_startup **out) {
  const char *launcher;
  *out = NULL;
  if (dist_launch_ranks(&launcher) == 1) return ORR_OK;
  dist_startup *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "start-up: out of memory");
  s->timeout_s = timeout_s;
  pthread_mutex_init(&s->lock, NULL);
  orr_cond_init(&s->stopped);
  const orr_code rc = orr_thread_start(&s->thread, watch, s, "watch over the start");
  if (rc == ORR_OK)
    *out = s;
  else
    release(s);
  return rc;
}

void dist_startup_end(dist_startup *s) {
  if (!s) return;
  pthread_mutex_lock(&s->lock);
  s->stop = true;
  pthread_cond_signal(&s->stopped);
  pthread_mutex_unlock(&s->lock);
  pthread_join(s->thread, NULL);
  release(s);
}
