#include "data/remote/thread.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/remote/state.h"

#define BUSY_ELSEWHERE_MS 200.0 // until the next look at what another process fetches
#define WAITED_FOR_MS     20.0  // the same when a reader waits for it
#define NO_ROOM_MS        500.0
#define FAILED_MS         30e3
#define LOOK_AGAIN_MS     1000.0 // at whether the shards that are needed next are still there
#define LOOK_AGAIN_SHARDS 64
#define IDLE_MS           1000.0

typedef struct {
  data_remote *r;
  data_remote_job *jobs; // [r->http->o.downloads], the first `n` in use
  int n;
} crew;

// -- picking (lock held) --------------------------------------------------------------------
static bool may_start(const data_remote_shard *e, double now) {
  bool rests = e->state == DATA_REMOTE_IDLE || e->state == DATA_REMOTE_FAILED;
  return rests && !e->set->closing && e->again_ms <= now;
}

// Another process may have evicted what this one counts on.
static void look_again(data_remote_shard *e, double now) {
  char whole[DATA_CACHE_PATH_MAX];
  struct stat s;
  if (e->state != DATA_REMOTE_READY || now - e->looked_ms < LOOK_AGAIN_MS) return;
  e->looked_ms = now;
  if (data_cache_whole(e->stem, whole) == ORR_OK && stat(whole, &s) == 0) return;
  e->state = DATA_REMOTE_IDLE;
  e->again_ms = 0;
}

// What somebody waits for, else the first of the plan that is missing among as many as the budget
// holds. NULL: nothing to do now; *next_ms: when there may be.
static data_remote_shard *pick(data_remote *r, double now, double *next_ms) {
  for (data_remote_set *s = r->sets; s; s = s->next) {
    for (int64_t i = 0; s->waiting > 0 && i < s->count; i++) {
      data_remote_shard *e = &s->shards[i];
      if (e->waiting == 0) continue;
      if (e->state != DATA_REMOTE_FAILED && may_start(e, now)) return e;
      if (e->state == DATA_REMOTE_IDLE) *next_ms = fmin(*next_ms, e->again_ms);
    }
  }
  uint64_t bytes = 0;
  for (int64_t i = 0; i < r->planned; i++) {
    data_remote_shard *e = r->plan[i];
    bytes += e->bytes;
    if (bytes > r->http->o.cache_bytes) break;
    if (i < LOOK_AGAIN_SHARDS) look_again(e, now);
    if (may_start(e, now) && (e->state != DATA_REMOTE_FAILED || e->waiting == 0)) return e;
    if (e->state == DATA_REMOTE_IDLE) *next_ms = fmin(*next_ms, e->again_ms);
  }
  return NULL;
}

static void end_job(crew *c, int i) {
  data_remote_job *j = &c->jobs[i];
  uint64_t retries = 0, bytes = 0;
  data_fetch_count(j->fetch, &retries, &bytes);
  c->r->counters.retries += retries;
  c->r->counters.bytes += bytes;
  data_fetch_destroy(j->fetch);
  if (j->shard->state == DATA_REMOTE_BUSY) j->shard->state = DATA_REMOTE_IDLE;
  j->shard->set->fetching--;
  *j = c->jobs[--c->n];
  pthread_cond_broadcast(&c->r->changed);
}

static void fail_shard(data_remote *r, data_remote_shard *e, orr_code rc, const char *message) {
  orr_free(e->message);
  e->message = orr_strdup(message);
  e->rc = rc;
  e->state = DATA_REMOTE_FAILED;
  e->again_ms = orr_clock_ms() + FAILED_MS;
  if (e->waiting == 0) ORR_WARN("%s; it will be tried again", message);
}

static void start_jobs(crew *c, double now, double *next_ms) {
  data_remote *r = c->r;
  while (c->n < r->http->o.downloads) {
    data_remote_shard *e = pick(r, now, next_ms);
    if (!e) return;
    const data_fetch_target target = {.url = &e->set->url,
                                      .file = e->file,
                                      .stem = e->stem,
                                      .bytes = e->bytes,
                                      .hash = e->hash,
                                      .need = e->waiting ? 0 : e->need,
                                      .must = e->waiting > 0};
    data_remote_job *j = &c->jobs[c->n];
    *j = (data_remote_job){.shard = e};
    orr_code rc = data_fetch_create(&r->env, &target, &j->fetch);
    if (rc != ORR_OK) {
      fail_shard(r, e, rc, orr_status_message());
      pthread_cond_broadcast(&r->changed);
      return;
    }
    e->state = DATA_REMOTE_BUSY;
    e->set->fetching++;
    c->n++;
  }
}

// -- outcomes (lock held) -------------------------------------------------------------------
static bool others_load(const crew *c, int but) {
  for (int i = 0; i < c->n; i++)
    if (i != but && c->jobs[i].state == DATA_FETCH_LOADING) return true;
  return false;
}

static void note_ready(data_remote *r, data_remote_shard *e, bool loaded) {
  char whole[DATA_CACHE_PATH_MAX];
  e->again_ms = 0;
  e->looked_ms = orr_clock_ms();
  bool there = data_cache_whole(e->stem, whole) == ORR_OK && stat(whole, &e->seen) == 0;
  e->state = there ? DATA_REMOTE_READY : DATA_REMOTE_IDLE; // evicted at once
  r->counters.downloads += loaded;
}

// What a fetch came to. Frees the job when it is over.
static void conclude(crew *c, int i, orr_code rc) {
  data_remote_job *j = &c->jobs[i];
  data_remote *r = c->r;
  data_remote_shard *e = j->shard;
  double now = orr_clock_ms();
  bool waited_for = e->waiting > 0;
  switch (j->state) {
  case DATA_FETCH_CHECKING:
    return;
  case DATA_FETCH_LOADING:
    e->downloaded |= waited_for;
    return;
  case DATA_FETCH_ELSEWHERE:
    e->downloaded |= waited_for;
    e->again_ms = now + (waited_for ? WAITED_FOR_MS : BUSY_ELSEWHERE_MS);
    break;
  case DATA_FETCH_NO_ROOM:
    e->again_ms = now + (waited_for ? WAITED_FOR_MS : NO_ROOM_MS);
    // What others of this process are about to bring can be evicted again.
    if (waited_for && data_fetch_must(j->fetch) && !others_load(c, i))
      fail_shard(r, e, rc, orr_status_message());
    break;
  case DATA_FETCH_READY:
    note_ready(r, e, data_fetch_loaded(j->fetch));
    break;
  case DATA_FETCH_FAILED:
    fail_shard(r, e, rc, orr_status_message());
    break;
  }
  end_job(c, i);
}

// -- the loop -------------------------------------------------------------------------------

static void step_jobs(crew *c) {
  data_remote *r = c->r;
  for (int i = c->n - 1; i >= 0; i--) { // from the end: an ended job's place is taken by the last
    orr_code rc = ORR_OK;
    data_fetch_state state = data_fetch_step(c->jobs[i].fetch, &rc);
    pthread_mutex_lock(&r->lock);
    c->jobs[i].state = state;
    conclude(c, i, rc);
    pthread_mutex_unlock(&r->lock);
  }
}

static int owner_of(const crew *c, const data_transfer *t) {
  for (int i = 0; i < c->n; i++)
    if (data_fetch_owns(c->jobs[i].fetch, t)) return i;
  return -1;
}

static void hear_curl(crew *c) {
  data_remote *r = c->r;
  int running = 0, left = 0;
  CURLMsg *m;
  curl_multi_perform(r->env.multi, &running);
  while ((m = curl_multi_info_read(r->env.multi, &left))) {
    data_transfer *t = NULL;
    orr_code rc = ORR_OK;
    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
    int i = owner_of(c, t);
    if (m->msg != CURLMSG_DONE || i < 0) continue;
    data_fetch_state state = data_fetch_ended(c->jobs[i].fetch, m->data.result, &rc);
    pthread_mutex_lock(&r->lock);
    c->jobs[i].state = state;
    conclude(c, i, rc);
    pthread_mutex_unlock(&r->lock);
  }
}

static void wait_for_news(crew *c, double next_ms) {
  double now = orr_clock_ms(), until = fmin(next_ms, now + IDLE_MS);
  for (int i = 0; i < c->n; i++) {
    if (c->jobs[i].state == DATA_FETCH_CHECKING) return;
    until = fmin(until, data_fetch_due_ms(c->jobs[i].fetch));
  }
  double wait_ms = until - now;
  curl_multi_poll(c->r->env.multi, NULL, 0, wait_ms > 0 ? (int)wait_ms + 1 : 0, NULL);
}

// Lock held. Jobs of a set that is being closed, or all of them.
static void drop_jobs(crew *c, bool all) {
  for (int i = c->n - 1; i >= 0; i--)
    if (all || c->jobs[i].shard->set->closing) end_job(c, i);
}

void *data_remote_work(void *ctx) {
  data_remote *r = ctx;
  crew c = {.r = r};
  pthread_mutex_lock(&r->lock);
  c.jobs = r->jobs;
  while (!r->stop) {
    double next_ms = INFINITY;
    drop_jobs(&c, false);
    start_jobs(&c, orr_clock_ms(), &next_ms);
    pthread_mutex_unlock(&r->lock);
    step_jobs(&c);
    hear_curl(&c);
    wait_for_news(&c, next_ms);
    pthread_mutex_lock(&r->lock);
  }
  drop_jobs(&c, true);
  pthread_mutex_unlock(&r->lock);
  return NULL;
}
