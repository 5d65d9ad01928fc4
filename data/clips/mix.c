// A mixture of data sets with random access by global sample number. Which set gives sample g is
// the quota's word; that set's i-th sample is position i of its own endless sequence of epochs.

#include "data/clips/mix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/clips/chunk_cache.h"
#include "data/clips/clip_batch.h"
#include "data/clips/mix_begin.h"
#include "data/clips/clip_set.h"
#include "data/clips/order.h"
#include "data/clips/quota.h"

#define CHUNK_CACHE_BYTES ((size_t)64 << 20)

typedef struct {
  data_clip_set *clips;
  data_order *order;
  int32_t branch;
  double share; // of the mixture's samples
  // of a remote set: for which place of the order the shards ahead were named
  uint64_t planned_epoch;
  int64_t planned_block; // -1 = none yet
} mix_set;

struct data_mix {
  int count;
  mix_set *sets;
  data_quota *quota;
  uint64_t clips;
  int64_t Q;
  data_chunk_cache *cache;
  data_clip_read *read; // of those who read clip by clip
  data_read_watch watch;
  void *watcher;
};

// Each set has its own key: sets of equal size must not march in step.
static uint64_t set_seed(uint64_t seed, int set) {
  orr_u32x4 r = orr_rng_draw(seed, ORR_STREAM_ORDER, UINT64_MAX, (uint64_t)set);
  return (uint64_t)r.v[1] << 32 | r.v[0];
}

static orr_code open_set(data_mix *m, const data_mix_options *o, uint64_t seed, int i) {
  mix_set *s = &m->sets[i];
  ORR_TRY(data_clip_set_open(o->dirs[i], o, &s->clips));
  const data_index *x = data_clip_set_index(s->clips);
  ORR_TRY(
      data_order_create(data_clip_set_counts(s->clips), x->count, set_seed(seed, i), &s->order));
  s->branch = o->branch_ids ? o->branch_ids[i] : 0;
  m->clips += data_clip_set_clips(s->clips);
  if (i == 0) m->Q = x->format.Q;
  ORR_CHECK(!o->state || x->format.Q == m->Q, ORR_EINVAL,
            "%s: /state has %" PRId64 " components, but %" PRId64 " in %s; read them apart", x->dir,
            x->format.Q, m->Q, o->dirs[0]);
  return ORR_OK;
}

static void set_shares(data_mix *m, const double *weights) {
  double sum = 0;
  for (int i = 0; i < m->count; i++) {
    mix_set *s = &m->sets[i];
    s->share = weights ? weights[i] : (double)data_clip_set_clips(s->clips);
    sum += s->share;
    s->planned_block = -1;
  }
  for (int i = 0; i < m->count; i++) m->sets[i].share /= sum > 0 ? sum : 1;
}

static orr_code open_quota(data_mix *m, const double *weights) {
  set_shares(m, weights);
  if (weights) return data_quota_create(weights, m->count, &m->quota);
  uint64_t *counts = orr_malloc((size_t)m->count * sizeof *counts);
  ORR_CHECK(counts, ORR_ENOMEM, "mixture: out of memory for %d data sets", m->count);
  for (int i = 0; i < m->count; i++) counts[i] = data_clip_set_clips(m->sets[i].clips);
  orr_code rc = data_quota_create_counts(counts, m->count, &m->quota);
  orr_free(counts);
  return rc;
}

orr_code data_mix_open(const data_mix_options *o, uint64_t seed, data_mix **out) {
  orr_code rc = ORR_OK;
  ORR_CHECK(o->count > 0, ORR_EINVAL, "no data set; name folders with index.json (data.train)");
  data_mix *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "mixture: out of memory");
  m->count = o->count;
  m->sets = orr_calloc((size_t)o->count, sizeof *m->sets);
  ORR_CHECK_GOTO(m->sets, fail, ORR_ENOMEM, "mixture: out of memory for %d data sets", o->count);
  for (int i = 0; i < o->count; i++) ORR_TRY_GOTO(open_set(m, o, seed, i), fail);
  ORR_TRY_GOTO(open_quota(m, o->weights), fail);
  ORR_TRY_GOTO(data_chunk_cache_create(
                   o->chunk_cache_bytes ? o->chunk_cache_bytes : CHUNK_CACHE_BYTES, &m->cache),
               fail);
  ORR_TRY_GOTO(data_clip_read_create(o, &m->read), fail);
  *out = m;
  return ORR_OK;
fail:
  data_mix_close(m);
  return rc;
}

void data_mix_close(data_mix *m) {
  if (!m) return;
  data_clip_read_destroy(m->read);
  data_chunk_cache_destroy(m->cache);
  data_quota_destroy(m->quota);
  for (int i = 0; m->sets && i < m->count; i++) {
    data_order_destroy(m->sets[i].order);
    data_clip_set_close(m->sets[i].clips);
  }
  orr_free(m->sets);
  orr_free(m);
}

uint64_t data_mix_clips(const data_mix *m) {
  return m->clips;
}

int64_t data_mix_state_width(const data_mix *m) {
  return m->Q;
}

orr_code data_mix_hash(const data_mix *m, orr_hash128 *out) {
  orr_hash_stream *h = orr_hash_stream_create();
  orr_code rc = ORR_OK;
  ORR_CHECK(h, ORR_ENOMEM, "mixture: out of memory");
  for (int i = 0; rc == ORR_OK && i < m->count; i++) {
    const data_index *x = data_clip_set_index(m->sets[i].clips);
    char *text = json_dumps(x->json, JSON_COMPACT | JSON_SORT_KEYS);
    if (text)
      orr_hash_stream_update(h, text, strlen(text) + 1);
    else
      rc = ORR_FAIL(ORR_ENOMEM, "%s: out of memory: cannot compare its index", x->dir);
    free(text);
  }
  *out = orr_hash_stream_digest(h);
  orr_hash_stream_destroy(h);
  return rc;
}

void data_mix_watch(data_mix *m, data_read_watch watch, void *ctx) {
  m->watch = watch;
  m->watcher = ctx;
}

data_chunk_counters data_mix_chunks(const data_mix *m) {
  return data_chunk_cache_counters(m->cache);
}

static orr_code begin(data_mix *m, mix_set *s, data_place at, data_clip_read *r, data_clip_batch *b,
                      int64_t row) {
  data_clip_source from = {
      .cache = m->cache, .watch = m->watch, .watcher = m->watcher, .set = (int)(s - m->sets)};
  b->branch[row] = s->branch;
  return data_clip_set_begin(s->clips, at, &from, r, b, row);
}

// Tells a remote set which shards come next, where a block of the order begins: on the scale of the
// mixture's samples, so that sets compare.
static orr_code plan_ahead(mix_set *s, uint64_t g, uint64_t epoch, uint64_t position) {
  const data_index *x = data_clip_set_index(s->clips);
  if (!x->remote) return ORR_OK;
  int64_t block = data_order_block(s->order, epoch, position);
  if (s->planned_block == block && s->planned_epoch == epoch) return ORR_OK;
  uint64_t *distance = orr_malloc((size_t)x->count * sizeof *distance);
  data_remote_need *needs = orr_malloc((size_t)x->count * sizeof *needs);
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO(distance && needs, done, ORR_ENOMEM, "%s: out of memory: cannot plan ahead",
                 x->dir);
  data_order_ahead(s->order, epoch, position, distance);
  for (int64_t i = 0; i < x->count; i++) {
    double ahead = s->share > 0 ? (double)distance[i] / s->share : 0;
    needs[i] = (data_remote_need){.shard = i, .need = g + (uint64_t)(ahead < 1e18 ? ahead : 1e18)};
  }
  ORR_TRY_GOTO(data_index_want(x, needs, x->count), done);
  s->planned_epoch = epoch;
  s->planned_block = block;
done:
  orr_free(needs);
  orr_free(distance);
  return rc;
}

orr_code data_mix_begin(data_mix *m, uint64_t g, data_clip_read *r, data_clip_batch *b,
                        int64_t row) {
  int set = 0;
  uint64_t index = 0;
  data_quota_at(m->quota, g, &set, &index);
  mix_set *s = &m->sets[set];
  uint64_t n = data_order_clips(s->order);
  b->sample[row] = g;
  ORR_TRY(plan_ahead(s, g, index / n, index % n));
  return begin(m, s, data_order_at(s->order, index / n, index % n), r, b, row);
}

orr_code data_mix_read(data_mix *m, uint64_t g, data_clip_batch *batch, int64_t row) {
  ORR_TRY(data_mix_begin(m, g, m->read, batch, row));
  return data_clip_read_finish(m->read);
}

orr_code data_mix_read_clip(data_mix *m, int set, uint64_t clip, data_clip_batch *batch,
                            int64_t row) {
  ORR_CHECK(set >= 0 && set < m->count, ORR_EINVAL, "data set %d asked for, of %d", set, m->count);
  mix_set *s = &m->sets[set];
  ORR_CHECK(clip < data_clip_set_clips(s->clips), ORR_EINVAL,
            "%s: clip %" PRIu64 " asked for; it has %" PRIu64 ", numbered from 0",
            data_clip_set_index(s->clips)->dir, clip, data_clip_set_clips(s->clips));
  batch->sample[row] = clip;
  ORR_TRY(begin(m, s, data_clip_set_find(s->clips, clip), m->read, batch, row));
  return data_clip_read_finish(m->read);
}

void data_mix_tell_bad(const data_mix *m, const data_clip_batch *batch, char *out, size_t size) {
  out[0] = '\0';
  for (int64_t i = 0; batch->bad && i < batch->B; i++) {
    const data_bad_actions *bad = &batch->bad[i];
    if (bad->count == 0) continue;
    const data_index *x = data_clip_set_index(m->sets[bad->set].clips);
    snprintf(out, size, "%s/%s: episode %" PRId64 ": /actions[%" PRId64 ",%" PRId64 "] is %g",
             x->dir, x->shards[bad->shard].file, bad->episode, bad->row, bad->column,
             (double)bad->value);
    return;
  }
}
