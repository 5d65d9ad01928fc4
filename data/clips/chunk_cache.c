#include "data/clips/chunk_cache.h"

#include <pthread.h>

#include "base/hash.h"
#include "base/mem.h"

#define BUCKETS      1024
#define BUFFER_SPARE 16         // free buffers that are kept
#define BUFFER_STEP  (64 << 10) // their sizes: packed chunks differ a little

typedef struct {
  unsigned char *bytes;
  size_t room;
} buffer;

typedef enum { CHUNK_PACKED, CHUNK_UNPACKING, CHUNK_READY, CHUNK_DAMAGED } chunk_state;

struct data_cached_chunk {
  uint64_t column;
  int64_t number;
  data_unpack unpack;
  uint32_t skipped;
  chunk_state state;
  orr_code code;      // from CHUNK_READY on
  const char *reason; // of CHUNK_DAMAGED
  int64_t holders;
  size_t packed_bytes;
  buffer packed, out;
  data_cached_chunk *next;          // of its bucket
  data_cached_chunk *newer, *older; // by last use
};

struct data_chunk_cache {
  size_t limit;
  pthread_mutex_t lock;
  pthread_cond_t unpacked;
  // under the lock:
  size_t kept; // bytes of ready chunks
  uint64_t columns;
  data_cached_chunk *bucket[BUCKETS];
  data_cached_chunk *newest, *oldest;
  buffer spare[BUFFER_SPARE];
  int spares;
  data_chunk_counters counters;
};

// -- buffers (under the lock) ---------------------------------------------------------------

static bool buffer_take(data_chunk_cache *c, size_t bytes, buffer *out) {
  size_t room = (bytes + BUFFER_STEP - 1) / BUFFER_STEP * BUFFER_STEP;
  for (int i = 0; i < c->spares; i++) {
    if (c->spare[i].room != room) continue;
    *out = c->spare[i];
    c->spare[i] = c->spare[--c->spares];
    return true;
  }
  *out = (buffer){.bytes = orr_malloc(room), .room = room};
  return out->bytes != NULL;
}

static void buffer_give(data_chunk_cache *c, buffer *b) {
  if (b->bytes && c->spares == BUFFER_SPARE) {
    orr_free(c->spare[0].bytes); // the oldest: sizes that are no longer asked for go
    for (int i = 1; i < c->spares; i++) c->spare[i - 1] = c->spare[i];
    c->spares--;
  }
  if (b->bytes) c->spare[c->spares++] = *b;
  *b = (buffer){0};
}

// -- the table (under the lock) -------------------------------------------------------------

static data_cached_chunk **bucket_of(data_chunk_cache *c, uint64_t column, int64_t number) {
  const uint64_t key[2] = {column, (uint64_t)number};
  return &c->bucket[orr_hash64(key, sizeof key, 0) % BUCKETS];
}

static void unlink_use(data_chunk_cache *c, data_cached_chunk *k) {
  *(k->newer ? &k->newer->older : &c->newest) = k->older;
  *(k->older ? &k->older->newer : &c->oldest) = k->newer;
}

static void link_newest(data_chunk_cache *c, data_cached_chunk *k) {
  k->newer = NULL;
  k->older = c->newest;
  *(c->newest ? &c->newest->newer : &c->oldest) = k;
  c->newest = k;
}

static void drop(data_chunk_cache *c, data_cached_chunk *k) {
  data_cached_chunk **at = bucket_of(c, k->column, k->number);
  while (*at != k) at = &(*at)->next;
  *at = k->next;
  unlink_use(c, k);
  if (k->state == CHUNK_READY) c->kept -= k->unpack.bytes;
  buffer_give(c, &k->packed);
  buffer_give(c, &k->out);
  orr_free(k);
}

static void make_room(data_chunk_cache *c) {
  for (data_cached_chunk *k = c->oldest, *newer; k && c->kept > c->limit; k = newer) {
    newer = k->newer;
    if (k->holders == 0) drop(c, k);
  }
}

// -- the cache ------------------------------------------------------------------------------

orr_code data_chunk_cache_create(size_t bytes, data_chunk_cache **out) {
  data_chunk_cache *c = orr_calloc(1, sizeof *c);
  ORR_CHECK(c, ORR_ENOMEM, "chunks of a data set: out of memory for their table");
  c->limit = bytes;
  pthread_mutex_init(&c->lock, NULL);
  pthread_cond_init(&c->unpacked, NULL);
  *out = c;
  return ORR_OK;
}

void data_chunk_cache_destroy(data_chunk_cache *c) {
  if (!c) return;
  while (c->oldest) drop(c, c->oldest);
  for (int i = 0; i < c->spares; i++) orr_free(c->spare[i].bytes);
  pthread_cond_destroy(&c->unpacked);
  pthread_mutex_destroy(&c->lock);
  orr_free(c);
}

uint64_t data_chunk_cache_columns(data_chunk_cache *c, int n) {
  pthread_mutex_lock(&c->lock);
  uint64_t column = c->columns;
  c->columns += (uint64_t)n;
  pthread_mutex_unlock(&c->lock);
  return column;
}

static data_cached_chunk *find(data_chunk_cache *c, uint64_t column, int64_t number) {
  data_cached_chunk *k = *bucket_of(c, column, number);
  while (k && (k->column != column || k->number != number)) k = k->next;
  if (!k) return NULL;
  unlink_use(c, k);
  link_newest(c, k);
  k->holders++;
  c->counters.hits++;
  return k;
}

static data_cached_chunk *enter(data_chunk_cache *c, uint64_t column, int64_t number,
                                size_t packed_bytes) {
  data_cached_chunk *k = orr_calloc(1, sizeof *k);
  if (!k) return NULL;
  if (!buffer_take(c, packed_bytes, &k->packed)) {
    orr_free(k);
    return NULL;
  }
  k->column = column;
  k->number = number;
  k->packed_bytes = packed_bytes;
  k->holders = 1;
  data_cached_chunk **at = bucket_of(c, column, number);
  k->next = *at;
  *at = k;
  link_newest(c, k);
  c->counters.reads++;
  return k;
}

orr_code data_chunk_cache_get(data_chunk_cache *c, uint64_t column, int64_t number,
                              const data_unpack *unpack, uint32_t skipped, size_t packed_bytes,
                              data_cached_chunk **out, unsigned char **packed) {
  *packed = NULL;
  pthread_mutex_lock(&c->lock);
  data_cached_chunk *k = find(c, column, number);
  if (!k && (k = enter(c, column, number, packed_bytes)) != NULL) {
    k->unpack = *unpack;
    k->skipped = skipped;
    *packed = k->packed.bytes;
  }
  pthread_mutex_unlock(&c->lock);
  ORR_CHECK(k, ORR_ENOMEM, "out of memory for a chunk of %zu bytes", packed_bytes);
  *out = k;
  return ORR_OK;
}

// Leaves the lock while it works.
static void unpack_it(data_chunk_cache *c, data_cached_chunk *k) {
  buffer spare = {0};
  bool have = buffer_take(c, k->unpack.bytes, &k->out) &&
              (k->unpack.count < 2 || buffer_take(c, k->unpack.bytes, &spare));
  k->state = CHUNK_UNPACKING;
  k->code = have ? ORR_EFORMAT : ORR_ENOMEM;
  k->reason = "out of memory: cannot unpack it";
  pthread_mutex_unlock(&c->lock);
  if (have) {
    k->reason = data_unpack_run(&k->unpack, k->skipped, k->packed.bytes, k->packed_bytes,
                                k->out.bytes, spare.bytes);
  }
  pthread_mutex_lock(&c->lock);
  buffer_give(c, &spare);
  buffer_give(c, &k->packed);
  k->state = k->reason ? CHUNK_DAMAGED : CHUNK_READY;
  if (!k->reason) {
    k->code = ORR_OK;
    c->kept += k->unpack.bytes;
    c->counters.bytes += k->unpack.bytes;
  }
  pthread_cond_broadcast(&c->unpacked);
}

orr_code data_cached_chunk_bytes(data_chunk_cache *c, data_cached_chunk *k,
                                 const unsigned char **bytes, const char **reason) {
  pthread_mutex_lock(&c->lock);
  while (k->state == CHUNK_UNPACKING) pthread_cond_wait(&c->unpacked, &c->lock);
  if (k->state == CHUNK_PACKED) unpack_it(c, k);
  pthread_mutex_unlock(&c->lock);
  *bytes = k->out.bytes; // nothing of it changes any more
  *reason = k->reason;
  return k->code;
}

void data_cached_chunk_release(data_chunk_cache *c, data_cached_chunk *k) {
  pthread_mutex_lock(&c->lock);
  k->holders--;
  if (k->holders == 0 && k->state != CHUNK_READY) drop(c, k);
  make_room(c);
  pthread_mutex_unlock(&c->lock);
}

data_chunk_counters data_chunk_cache_counters(data_chunk_cache *c) {
  pthread_mutex_lock(&c->lock);
  data_chunk_counters counters = c->counters;
  pthread_mutex_unlock(&c->lock);
  return counters;
}
