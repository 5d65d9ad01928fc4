// The reader thread fills a ring of batches; the consumer holds one of them. Counters only grow, so
// the ring's state is their difference.
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/mem.h"
#include "data/clip_batch.h"

struct data_loader {
  data_mix *mix;
  data_loader_options o;
  int64_t local; // clips of this rank
  int64_t slots; // prefetch, and one that the consumer holds
  data_clip_batch **ring;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  // under the lock:
  int64_t filled, taken, released; // batches
  bool stop;
  orr_code rc; // of the reader thread
  char message[ORR_STATUS_MESSAGE_MAX];
};

static orr_code fill(data_loader *l, int64_t k) {
  uint64_t step = l->o.first_step + (uint64_t)k;
  uint64_t first = step * (uint64_t)l->o.batch + (uint64_t)(l->o.rank * l->local);
  data_clip_batch *b = l->ring[k % l->slots];
  for (int64_t row = 0; row < l->local; row++) {
    ORR_TRY(data_mix_read(l->mix, first + (uint64_t)row, b, row));
  }
  return ORR_OK;
}

// Waits until a slot is free; false when the loader is being destroyed.
static bool wait_for_slot(data_loader *l, int64_t k) {
  pthread_mutex_lock(&l->lock);
  while (!l->stop && k - l->released >= l->slots) pthread_cond_wait(&l->changed, &l->lock);
  bool go = !l->stop;
  pthread_mutex_unlock(&l->lock);
  return go;
}

static void *read_ahead(void *ctx) {
  data_loader *l = ctx;
  orr_code rc = ORR_OK;
  for (int64_t k = 0; rc == ORR_OK && wait_for_slot(l, k); k++) {
    rc = fill(l, k);
    pthread_mutex_lock(&l->lock);
    if (rc == ORR_OK) {
      l->filled++;
    } else {
      l->rc = rc;
      orr_status_copy(l->message, sizeof l->message);
    }
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
  }
  return NULL;
}

static void ring_destroy(data_loader *l) {
  for (int64_t i = 0; l->ring && i < l->slots; i++) data_clip_batch_destroy(l->ring[i]);
  orr_free(l->ring);
}

static orr_code ring_create(data_loader *l, const data_mix_options *mo) {
  l->ring = orr_calloc((size_t)l->slots, sizeof *l->ring);
  ORR_CHECK(l->ring, ORR_ENOMEM, "loader: no memory for %" PRId64 " batches", l->slots);
  for (int64_t i = 0; i < l->slots; i++) {
    ORR_TRY(data_clip_batch_create(mo, l->local, data_mix_state_width(l->mix), &l->ring[i]));
  }
  return ORR_OK;
}

orr_code data_loader_create(data_mix *m, const data_mix_options *mo, const data_loader_options *o,
                            data_loader **out) {
  orr_code rc = ORR_OK;
  ORR_CHECK(o->ranks >= 1 && o->rank >= 0 && o->rank < o->ranks, ORR_EINVAL,
            "loader: rank %d of %d", o->rank, o->ranks);
  ORR_CHECK(o->batch >= 1 && o->batch % o->ranks == 0, ORR_EINVAL,
            "train.batch is %" PRId64 ", not divisible by %d data ranks; make it a multiple",
            o->batch, o->ranks);
  ORR_CHECK(o->prefetch >= 1, ORR_EINVAL, "data.prefetch is %" PRId64 ", wanted at least 1",
            o->prefetch);
  data_loader *l = orr_calloc(1, sizeof *l);
  ORR_CHECK(l, ORR_ENOMEM, "loader: no memory");
  l->mix = m;
  l->o = *o;
  l->local = o->batch / o->ranks;
  l->slots = o->prefetch + 1;
  ORR_TRY_GOTO(ring_create(l, mo), free_ring);
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->changed, NULL);
  ORR_CHECK_GOTO(
      pthread_create(&l->thread, NULL, read_ahead, l) == 0, destroy_lock, ORR_EIO,
      "loader: cannot start its reader thread; raise the limit on processes (ulimit -u)");
  *out = l;
  return ORR_OK;
destroy_lock:
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->lock);
free_ring:
  ring_destroy(l);
  orr_free(l);
  return rc;
}

orr_code data_loader_next(data_loader *l, const data_clip_batch **batch, double *wait_ms) {
  double begin = orr_clock_ms();
  pthread_mutex_lock(&l->lock);
  l->released = l->taken; // the batch of the call before
  pthread_cond_broadcast(&l->changed);
  while (l->filled == l->taken && l->rc == ORR_OK) pthread_cond_wait(&l->changed, &l->lock);
  bool have = l->filled > l->taken;
  if (have) *batch = l->ring[l->taken++ % l->slots];
  orr_code rc = have ? ORR_OK : l->rc;
  pthread_mutex_unlock(&l->lock);
  if (!have) orr_status_set(l->message);
  if (wait_ms) *wait_ms = orr_clock_ms() - begin;
  return rc;
}

void data_loader_destroy(data_loader *l) {
  if (!l) return;
  pthread_mutex_lock(&l->lock);
  l->stop = true;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->lock);
  pthread_join(l->thread, NULL);
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->lock);
  ring_destroy(l);
  orr_free(l);
}
