#include "base/crew.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/thread.h"

struct orr_crew {
  orr_crew_run run;
  int threads; // started
  pthread_t *thread;
  int64_t room;
  void **queue; // [room], a ring
  pthread_mutex_t lock;
  pthread_cond_t changed;
  // under the lock:
  int64_t given, taken; // jobs
  bool stop;
};

static void *work(void *ctx) {
  orr_crew *c = ctx;
  pthread_mutex_lock(&c->lock);
  for (;;) {
    while (c->given == c->taken && !c->stop) pthread_cond_wait(&c->changed, &c->lock);
    if (c->given == c->taken) break;
    void *job = c->queue[c->taken++ % c->room];
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    c->run(job);
    pthread_mutex_lock(&c->lock);
  }
  pthread_mutex_unlock(&c->lock);
  return NULL;
}

orr_code orr_crew_create(int threads, int64_t room, orr_crew_run run, orr_crew **out) {
  orr_code rc = ORR_OK;
  ORR_CHECK(threads >= 1 && room >= 1, ORR_EINVAL,
            "crew: %d threads with room for %" PRId64 " jobs", threads, room);
  orr_crew *c = orr_calloc(1, sizeof *c);
  ORR_CHECK(c, ORR_ENOMEM, "crew: out of memory");
  c->run = run;
  c->room = room;
  pthread_mutex_init(&c->lock, NULL);
  pthread_cond_init(&c->changed, NULL);
  c->queue = orr_malloc((size_t)room * sizeof *c->queue);
  c->thread = orr_malloc((size_t)threads * sizeof *c->thread);
  ORR_CHECK_GOTO(c->queue && c->thread, fail, ORR_ENOMEM, "crew: out of memory for %d threads",
                 threads);
  for (; c->threads < threads; c->threads++) {
    char what[64];
    snprintf(what, sizeof what, "thread %d of %d", c->threads + 1, threads);
    ORR_TRY_GOTO(orr_thread_start(&c->thread[c->threads], work, c, what), fail);
  }
  *out = c;
  return ORR_OK;
fail:
  orr_crew_destroy(c);
  return rc;
}

void orr_crew_give(orr_crew *c, void *job) {
  pthread_mutex_lock(&c->lock);
  while (c->given - c->taken == c->room) pthread_cond_wait(&c->changed, &c->lock);
  c->queue[c->given++ % c->room] = job;
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
}

void orr_crew_destroy(orr_crew *c) {
  if (!c) return;
  pthread_mutex_lock(&c->lock);
  c->stop = true;
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
  for (int i = 0; i < c->threads; i++) pthread_join(c->thread[i], NULL);
  pthread_cond_destroy(&c->changed);
  pthread_mutex_destroy(&c->lock);
  orr_free(c->thread);
  orr_free(c->queue);
  orr_free(c);
}
