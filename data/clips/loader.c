// The reader thread begins the clips of one batch after the other in a ring; worker threads finish
// those that have chunks to unpack, so that batches become ready in any order. The consumer takes
// them in theirs and holds one of them. Counters of batches only grow: the ring's state is their
// difference.
#include "data/clips/loader.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/crew.h"
#include "base/mem.h"
#include "base/thread.h"
#include "data/clips/clip_batch.h"
#include "data/clips/mix_begin.h"
#include "data/clips/clip_read.h"
#include "data/clips/mix.h"
#include "data/clips/turn.h"

#define AHEAD_MAX 64 // batches, when prefetch_bytes decides: no batch waits longer for its turn

typedef struct {
  data_clip_batch *batch;
  int64_t left; // clips that are not finished, and one more until all are begun
} ring_slot;

typedef struct clip_job {
  data_loader *loader;
  data_clip_read *read;
  int64_t k; // batch
  struct clip_job *next;
} clip_job;

struct data_loader {
  data_mix *mix;
  data_loader_options o;
  int64_t local; // clips of this rank
  int64_t slots; // batches ahead, and one that the consumer holds
  ring_slot *ring;
  int64_t job_count;
  clip_job *jobs; // [job_count]
  orr_crew *crew; // NULL: the reader finishes every clip
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t room;  // for the reader: a slot, an idle job, the end
  pthread_cond_t ready; // for the consumer: a batch, an error
  atomic_uint_least64_t bytes_read;
  // under the lock:
  clip_job *idle;
  int64_t taken, released; // batches
  uint64_t waits;
  int64_t queue;
  bool stop;
  int64_t failed; // batch, INT64_MAX = none
  orr_code rc;    // of that batch
  char message[ORR_STATUS_MESSAGE_MAX];
};

// -- filling (reader and workers) -----------------------------------------------------------

// Records how batch k failed. Of several errors that of the earliest batch counts. Under the lock.
static void fail(data_loader *l, int64_t k, orr_code rc) {
  if (rc == ORR_OK || k >= l->failed) return;
  l->failed = k;
  l->rc = rc;
  orr_status_copy(l->message, sizeof l->message);
  pthread_cond_signal(&l->ready);
  pthread_cond_signal(&l->room);
}

// `parts` of batch k are done, with an outcome; job j (may be NULL) is idle again.
static void settle(data_loader *l, int64_t k, int64_t parts, orr_code rc, clip_job *j) {
  pthread_mutex_lock(&l->lock);
  ring_slot *slot = &l->ring[k % l->slots];
  slot->left -= parts;
  if (slot->left == 0) pthread_cond_signal(&l->ready);
  fail(l, k, rc);
  if (j) {
    j->next = l->idle;
    l->idle = j;
    pthread_cond_signal(&l->room);
  }
  pthread_mutex_unlock(&l->lock);
}

static void finish_clip(void *ctx) {
  clip_job *j = ctx;
  int64_t k = j->k;
  orr_code rc = data_clip_read_finish(j->read);
  settle(j->loader, k, 1, rc, j);
}

// NULL when the loader is being destroyed or has failed.
static clip_job *wait_for_job(data_loader *l) {
  pthread_mutex_lock(&l->lock);
  while (!l->idle && !l->stop && l->failed == INT64_MAX) pthread_cond_wait(&l->room, &l->lock);
  clip_job *j = l->stop || l->failed != INT64_MAX ? NULL : l->idle;
  if (j) l->idle = j->next;
  pthread_mutex_unlock(&l->lock);
  return j;
}

// Begins the clips of batch k, and finishes those that nobody else has to; false ends the thread.
static bool fill(data_loader *l, int64_t k) {
  uint64_t step = l->o.first_step + (uint64_t)k;
  uint64_t first = step * (uint64_t)l->o.batch;
  data_clip_batch *b = l->ring[k % l->slots].batch;
  int64_t parts = 1;
  clip_job *j = NULL;
  orr_code rc = ORR_OK;
  for (int64_t row = 0; rc == ORR_OK && row < l->local; row++) {
    if (!j && !(j = wait_for_job(l))) return false;
    rc = data_mix_begin(
        l->mix, first + (uint64_t)data_clip_place(l->o.rank, l->o.ranks, l->local, l->o.turn, row),
        j->read, b, row);
    atomic_fetch_add_explicit(&l->bytes_read, data_clip_read_bytes(j->read), memory_order_relaxed);
    if (rc != ORR_OK) break;
    if (l->crew && data_clip_read_packed(j->read)) {
      j->k = k;
      orr_crew_give(l->crew, j);
      j = NULL;
    } else {
      rc = data_clip_read_finish(j->read);
      parts++;
    }
  }
  settle(l, k, rc == ORR_OK ? parts : 0, rc, j);
  return rc == ORR_OK;
}

// Waits until a slot is free and claims it; false when the loader is being destroyed or has failed.
static bool wait_for_slot(data_loader *l, int64_t k) {
  pthread_mutex_lock(&l->lock);
  while (!l->stop && l->failed == INT64_MAX && k - l->released >= l->slots) {
    pthread_cond_wait(&l->room, &l->lock);
  }
  bool go = !l->stop && l->failed == INT64_MAX;
  if (go) l->ring[k % l->slots].left = l->local + 1;
  pthread_mutex_unlock(&l->lock);
  return go;
}

static void *read_ahead(void *ctx) {
  data_loader *l = ctx;
  for (int64_t k = 0; wait_for_slot(l, k) && fill(l, k);) k++;
  return NULL;
}

// -- making it ------------------------------------------------------------------------------

static size_t batch_bytes(const data_mix_options *mo, int64_t B, int64_t Q) {
  int64_t row = mo->kind == DATA_FRAMES ? mo->height * mo->width * 3 : mo->S * 4;
  return (size_t)(B * mo->T * (row + mo->A * 8 + (mo->state ? Q * 4 : 0)));
}

static int64_t batches_ahead(const data_loader *l, const data_mix_options *mo) {
  if (l->o.prefetch > 0) return l->o.prefetch;
  size_t fit = l->o.prefetch_bytes / batch_bytes(mo, l->local, data_mix_state_width(l->mix));
  return fit < 2 ? 2 : fit > AHEAD_MAX ? AHEAD_MAX : (int64_t)fit;
}

static void ring_destroy(data_loader *l) {
  for (int64_t i = 0; l->ring && i < l->slots; i++) data_clip_batch_destroy(l->ring[i].batch);
  orr_free(l->ring);
}

static orr_code ring_create(data_loader *l, const data_mix_options *mo) {
  l->slots = batches_ahead(l, mo) + 1;
  l->ring = orr_calloc((size_t)l->slots, sizeof *l->ring);
  ORR_CHECK(l->ring, ORR_ENOMEM, "loader: out of memory for %" PRId64 " batches", l->slots);
  for (int64_t i = 0; i < l->slots; i++) {
    l->ring[i].left = 1; // not ready
    ORR_TRY(data_clip_batch_create(mo, l->local, data_mix_state_width(l->mix), &l->ring[i].batch));
  }
  return ORR_OK;
}

static void jobs_destroy(data_loader *l) {
  for (int64_t i = 0; l->jobs && i < l->job_count; i++) data_clip_read_destroy(l->jobs[i].read);
  orr_free(l->jobs);
}

// One clip that is being read, and for each worker one that it finishes and one that waits.
static orr_code jobs_create(data_loader *l, const data_mix_options *mo) {
  l->job_count = 1 + 2 * l->o.workers;
  l->jobs = orr_calloc((size_t)l->job_count, sizeof *l->jobs);
  ORR_CHECK(l->jobs, ORR_ENOMEM, "loader: out of memory");
  for (int64_t i = 0; i < l->job_count; i++) {
    clip_job *j = &l->jobs[i];
    ORR_TRY(data_clip_read_create(mo, &j->read));
    j->loader = l;
    j->next = l->idle;
    l->idle = j;
  }
  return ORR_OK;
}

static orr_code check_options(const data_loader_options *o) {
  ORR_CHECK(o->ranks >= 1 && o->rank >= 0 && o->rank < o->ranks, ORR_EINVAL,
            "loader: rank %d of %d", o->rank, o->ranks);
  ORR_CHECK(o->batch >= 1 && o->batch % o->ranks == 0, ORR_EINVAL,
            "train.batch is %" PRId64 ", not divisible by %d data ranks; make it a multiple",
            o->batch, o->ranks);
  ORR_CHECK(o->turn == 0 || (o->turn > 0 && o->batch / o->ranks % o->turn == 0), ORR_EINVAL,
            "loader: turns of %" PRId64 " clips, wanted a divisor of the %" PRId64 " of a rank",
            o->turn, o->batch / o->ranks);
  ORR_CHECK(o->prefetch >= 0 && o->workers >= 0, ORR_EINVAL,
            "loader: %" PRId64 " batches ahead with %d workers, wanted 0 or more", o->prefetch,
            o->workers);
  return ORR_OK;
}

static void release(data_loader *l) {
  orr_crew_destroy(l->crew); // finishes what was begun
  jobs_destroy(l);
  ring_destroy(l);
  pthread_cond_destroy(&l->ready);
  pthread_cond_destroy(&l->room);
  pthread_mutex_destroy(&l->lock);
  orr_free(l);
}

orr_code data_loader_create(data_mix *m, const data_mix_options *mo, const data_loader_options *o,
                            data_loader **out) {
  orr_code rc = ORR_OK;
  ORR_TRY(check_options(o));
  data_loader *l = orr_calloc(1, sizeof *l);
  ORR_CHECK(l, ORR_ENOMEM, "loader: out of memory");
  l->mix = m;
  l->o = *o;
  l->local = o->batch / o->ranks;
  l->failed = INT64_MAX;
  atomic_init(&l->bytes_read, 0);
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->room, NULL);
  pthread_cond_init(&l->ready, NULL);
  ORR_TRY_GOTO(ring_create(l, mo), fail);
  ORR_TRY_GOTO(jobs_create(l, mo), fail);
  if (o->workers > 0) {
    ORR_TRY_GOTO(orr_crew_create(o->workers, l->job_count, finish_clip, &l->crew), fail);
  }
  ORR_TRY_GOTO(orr_thread_start(&l->thread, read_ahead, l, "loader"), fail);
  *out = l;
  return ORR_OK;
fail:
  release(l);
  return rc;
}

void data_loader_destroy(data_loader *l) {
  if (!l) return;
  pthread_mutex_lock(&l->lock);
  l->stop = true;
  pthread_cond_signal(&l->room);
  pthread_mutex_unlock(&l->lock);
  pthread_join(l->thread, NULL);
  release(l);
}

// -- the consumer ---------------------------------------------------------------------------

static int64_t count_ready(const data_loader *l) {
  int64_t n = 0;
  while (n < l->slots - 1 && l->ring[(l->taken + n) % l->slots].left == 0) n++;
  return n;
}

orr_code data_loader_next(data_loader *l, const data_clip_batch **batch, double *wait_ms) {
  double begin = orr_clock_ms();
  pthread_mutex_lock(&l->lock);
  if (l->taken > l->released) { // the batch of the call before
    l->ring[l->released % l->slots].left = 1;
    l->released = l->taken;
    pthread_cond_signal(&l->room);
  }
  ring_slot *slot = &l->ring[l->taken % l->slots];
  l->queue = count_ready(l);
  l->waits += l->queue == 0;
  while (slot->left > 0 && l->taken < l->failed) pthread_cond_wait(&l->ready, &l->lock);
  orr_code rc = l->taken < l->failed ? ORR_OK : l->rc;
  if (rc == ORR_OK) {
    *batch = slot->batch;
    l->taken++;
  }
  pthread_mutex_unlock(&l->lock);
  if (rc != ORR_OK) orr_status_set(l->message);
  if (wait_ms) *wait_ms = orr_clock_ms() - begin;
  return rc;
}

void data_loader_count(data_loader *l, data_loader_counters *out) {
  data_chunk_counters chunks = data_mix_chunks(l->mix);
  pthread_mutex_lock(&l->lock);
  *out = (data_loader_counters){.batches = (uint64_t)l->taken,
                                .waits = l->waits,
                                .bytes_read = atomic_load(&l->bytes_read),
                                .bytes_unpacked = chunks.bytes,
                                .chunk_reads = chunks.reads,
                                .chunk_hits = chunks.hits,
                                .queue = l->queue};
  pthread_mutex_unlock(&l->lock);
}
