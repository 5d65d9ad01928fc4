#include "data/remote/remote.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/thread.h"
#include "data/remote/state.h"
#include "data/remote/thread.h"

#define INDEX_BYTES_MAX ((size_t)1 << 31)

data_remote_options data_remote_defaults(void) {
  return (data_remote_options){.cache_dir = "",
                               .cache_bytes = UINT64_C(100) << 30,
                               .downloads = 4,
                               .endpoint = "",
                               .region = "",
                               .ca_file = "",
                               .timeout_s = 300,
                               .connect_s = 15,
                               .slow_s = 20,
                               .slow_bytes = 10240,
                               .backoff_s = 0.25};
}

bool data_remote_reads(const char *where) {
  return data_url_is(where);
}

orr_code data_remote_create(const data_remote_options *o, data_remote **out) {
  orr_code rc = ORR_OK;
  ORR_CHECK(o->downloads >= 1, ORR_EINVAL, "data.downloads is %d, wanted at least 1", o->downloads);
  data_remote *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "remote data: out of memory");
  pthread_mutex_init(&r->lock, NULL);
  pthread_cond_init(&r->changed, NULL);
  ORR_TRY_GOTO(data_http_create(o, &r->http), fail);
  *out = r;
  return ORR_OK;
fail:
  data_remote_destroy(r);
  return rc;
}

static void free_text(data_remote_text *t) {
  if (!t) return;
  orr_free(t->address);
  orr_free(t->text);
  orr_free(t);
}

void data_remote_destroy(data_remote *r) {
  if (!r) return;
  if (r->started) {
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_mutex_unlock(&r->lock);
    curl_multi_wakeup(r->env.multi);
    pthread_join(r->thread, NULL);
  }
  for (data_remote_text *t = r->texts, *next; t; t = next) {
    next = t->next;
    free_text(t);
  }
  orr_free(r->jobs);
  orr_free(r->named);
  orr_free(r->plan);
  if (r->env.multi) curl_multi_cleanup(r->env.multi);
  data_cache_close(r->env.cache);
  data_http_destroy(r->http);
  pthread_cond_destroy(&r->changed);
  pthread_mutex_destroy(&r->lock);
  orr_free(r);
}

void data_remote_interrupt(data_remote *r) {
  if (!r) return;
  pthread_mutex_lock(&r->lock);
  r->interrupted = true;
  pthread_cond_broadcast(&r->changed);
  pthread_mutex_unlock(&r->lock);
}

void data_remote_count(data_remote *r, data_remote_counters *out) {
  *out = (data_remote_counters){0};
  if (!r) return;
  pthread_mutex_lock(&r->lock);
  *out = r->counters;
  pthread_mutex_unlock(&r->lock);
}

// -- what the cache wants to know -----------------------------------------------------------

static int by_stem(const void *a, const void *b) {
  return strcmp((*(data_remote_shard *const *)a)->stem, (*(data_remote_shard *const *)b)->stem);
}

static int by_need(const void *a, const void *b) {
  const data_remote_shard *x = *(data_remote_shard *const *)a, *y = *(data_remote_shard *const *)b;
  if (x->need != y->need) return x->need < y->need ? -1 : 1;
  return x < y ? -1 : x > y;
}

// Lock held.
static data_remote_shard *find_stem(const data_remote *r, const char *stem) {
  data_remote_shard key = {.stem = (char *)(uintptr_t)stem}, *wanted = &key, **found;
  found =
      r->listed ? bsearch(&wanted, r->named, (size_t)r->listed, sizeof *r->named, by_stem) : NULL;
  return found ? *found : NULL;
}

static uint64_t need_of(void *ctx, const char *stem) {
  data_remote *r = ctx;
  pthread_mutex_lock(&r->lock);
  const data_remote_shard *s = find_stem(r, stem);
  uint64_t need = s ? s->need : DATA_CACHE_NEVER;
  pthread_mutex_unlock(&r->lock);
  return need;
}

static void note_gone(void *ctx, const char *stem) {
  data_remote *r = ctx;
  pthread_mutex_lock(&r->lock);
  data_remote_shard *s = find_stem(r, stem);
  if (s && s->state == DATA_REMOTE_READY) s->state = DATA_REMOTE_IDLE;
  r->counters.evictions++;
  pthread_mutex_unlock(&r->lock);
}

// Lock held. Lists again the shards of all sets, by name and by need.
static orr_code list_again(data_remote *r) {
  int64_t n = 0;
  for (const data_remote_set *s = r->sets; s; s = s->next) n += s->count;
  data_remote_shard **named = orr_malloc((size_t)n * sizeof *named);
  data_remote_shard **plan = orr_malloc((size_t)n * sizeof *plan);
  if (!named || !plan) {
    orr_free(named);
    orr_free(plan);
    return ORR_FAIL(ORR_ENOMEM, "remote data: out of memory: cannot list %" PRId64 " shards", n);
  }
  orr_free(r->named);
  orr_free(r->plan);
  r->named = named;
  r->plan = plan;
  r->listed = r->planned = 0;
  for (data_remote_set *s = r->sets; s; s = s->next) {
    for (int64_t i = 0; i < s->count; i++) {
      named[r->listed++] = &s->shards[i];
      if (s->shards[i].need != DATA_CACHE_NEVER) plan[r->planned++] = &s->shards[i];
    }
  }
  if (r->listed) qsort(named, (size_t)r->listed, sizeof *named, by_stem);
  if (r->planned) qsort(plan, (size_t)r->planned, sizeof *plan, by_need);
  return ORR_OK;
}

// -- sets -----------------------------------------------------------------------------------

// Lock held. The cache, and what the thread works with.
static orr_code start(data_remote *r) {
  const data_remote_options *o = &r->http->o;
  if (r->started) return ORR_OK;
  if (!r->env.cache)
    ORR_TRY(data_cache_open(o->cache_dir, o->cache_bytes, o->downloads, &r->env.cache));
  if (!r->env.multi) r->env.multi = curl_multi_init();
  ORR_CHECK(r->env.multi, ORR_ENOMEM, "remote data: out of memory for requests");
  if (!r->jobs) r->jobs = orr_calloc((size_t)o->downloads, sizeof *r->jobs);
  ORR_CHECK(r->jobs, ORR_ENOMEM, "remote data: out of memory for %d downloads", o->downloads);
  r->env.http = r->http;
  r->env.needs = (data_cache_need){.of = need_of, .gone = note_gone, .ctx = r};
  ORR_TRY(orr_thread_start(&r->thread, data_remote_work, r, "remote data"));
  r->started = true;
  return ORR_OK;
}

static void free_shards(data_remote_shard *shards, int64_t count) {
  for (int64_t i = 0; shards && i < count; i++) {
    orr_free(shards[i].stem);
    orr_free(shards[i].message);
  }
  orr_free(shards);
}

orr_code data_remote_set_open(data_remote *r, const char *where, data_remote_set **out) {
  orr_code rc = ORR_OK;
  ORR_CHECK(r, ORR_EINVAL, "%.200s is remote; this command takes a folder of this machine", where);
  data_remote_set *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "%.200s: out of memory: cannot open it", where);
  s->remote = r;
  ORR_TRY_GOTO(data_url_parse(where, &s->url), fail);
  pthread_mutex_lock(&r->lock);
  rc = start(r);
  pthread_mutex_unlock(&r->lock);
  if (rc != ORR_OK) goto fail;
  ORR_TRY_GOTO(data_cache_folder(r->env.cache, s->url.text, data_url_last(&s->url), s->folder),
               fail);
  pthread_mutex_lock(&r->lock);
  s->next = r->sets;
  r->sets = s;
  pthread_mutex_unlock(&r->lock);
  *out = s;
  return ORR_OK;
fail:
  orr_free(s);
  return rc;
}

void data_remote_set_close(data_remote_set *s) {
  if (!s) return;
  data_remote *r = s->remote;
  pthread_mutex_lock(&r->lock);
  s->closing = true;
  curl_multi_wakeup(r->env.multi);
  while (s->fetching > 0) pthread_cond_wait(&r->changed, &r->lock);
  for (data_remote_set **p = &r->sets; *p; p = &(*p)->next) {
    if (*p != s) continue;
    *p = s->next;
    break;
  }
  // In place: lists only get shorter, so that out of memory is needed.
  int64_t named = 0, planned = 0;
  for (int64_t i = 0; i < r->listed; i++)
    if (r->named[i]->set != s) r->named[named++] = r->named[i];
  for (int64_t i = 0; i < r->planned; i++)
    if (r->plan[i]->set != s) r->plan[planned++] = r->plan[i];
  r->listed = named;
  r->planned = planned;
  pthread_mutex_unlock(&r->lock);
  free_shards(s->shards, s->count);
  free_text(s->index);
  orr_free(s);
}

const char *data_remote_set_address(const data_remote_set *s) {
  return s->url.text;
}

static orr_code fill_shard(data_remote_set *s, const data_remote_file *listed,
                           data_remote_shard *out) {
  char stem[DATA_CACHE_PATH_MAX];
  *out = (data_remote_shard){.set = s,
                             .file = listed->name,
                             .bytes = listed->bytes,
                             .hash = listed->hash,
                             .need = DATA_CACHE_NEVER};
  ORR_TRY(data_cache_stem(s->folder, out->file, out->hash, stem));
  out->stem = orr_strdup(stem);
  ORR_CHECK(out->stem, ORR_ENOMEM, "%s/%s: out of memory: cannot list it", s->url.text, out->file);
  return ORR_OK;
}

orr_code data_remote_set_list(data_remote_set *s, const data_remote_file *files, int64_t count) {
  data_remote *r = s->remote;
  orr_code rc = ORR_OK;
  data_remote_shard *own = orr_calloc((size_t)count, sizeof *own);
  ORR_CHECK(own, ORR_ENOMEM, "%s: out of memory for %" PRId64 " shards", s->url.text, count);
  for (int64_t i = 0; i < count; i++) ORR_TRY_GOTO(fill_shard(s, &files[i], &own[i]), fail);
  pthread_mutex_lock(&r->lock);
  s->shards = own;
  s->count = count;
  rc = list_again(r);
  if (rc == ORR_OK && s->index) {
    s->index->next = r->texts;
    r->texts = s->index;
    s->index = NULL;
  }
  pthread_mutex_unlock(&r->lock);
  return rc;
fail:
  free_shards(own, count);
  return rc;
}

orr_code data_remote_set_want(data_remote_set *s, const data_remote_need *needs, int64_t count) {
  data_remote *r = s->remote;
  pthread_mutex_lock(&r->lock);
  for (int64_t i = 0; i < s->count; i++) s->shards[i].need = DATA_CACHE_NEVER;
  for (int64_t k = count - 1; k >= 0; k--) s->shards[needs[k].shard].need = needs[k].need;
  orr_code rc = list_again(r);
  pthread_mutex_unlock(&r->lock);
  curl_multi_wakeup(r->env.multi);
  return rc;
}

// -- the index ------------------------------------------------------------------------------

typedef struct {
  char *text;
  size_t bytes, room;
} memory;

static orr_code memory_put(void *ctx, const void *p, size_t bytes) {
  memory *m = ctx;
  ORR_CHECK(m->bytes + bytes < INDEX_BYTES_MAX, ORR_EFORMAT,
            "index.json: more than %zu bytes; this is no index", INDEX_BYTES_MAX);
  if (m->bytes + bytes + 1 > m->room) {
    size_t room = 2 * (m->bytes + bytes) + 65536;
    char *text = orr_realloc(m->text, room);
    ORR_CHECK(text, ORR_ENOMEM, "index.json: out of memory for %zu bytes", room);
    m->text = text;
    m->room = room;
  }
  memcpy(m->text + m->bytes, p, bytes);
  m->bytes += bytes;
  m->text[m->bytes] = 0;
  return ORR_OK;
}

static orr_code memory_restart(void *ctx) {
  ((memory *)ctx)->bytes = 0;
  return ORR_OK;
}

// A copy of bytes that end with a 0; NULL when out of memory.
static char *copy_text(const char *text, size_t bytes) {
  char *copy = orr_malloc(bytes + 1);
  if (copy) memcpy(copy, text, bytes + 1);
  return copy;
}

// Whether this address was read before; then *text is a copy, NULL when out of memory.
static bool find_text(data_remote_set *s, char **text, size_t *bytes) {
  data_remote *r = s->remote;
  pthread_mutex_lock(&r->lock);
  const data_remote_text *t = r->texts;
  while (t && strcmp(t->address, s->url.text) != 0) t = t->next;
  if (t) *text = copy_text(t->text, *bytes = t->bytes);
  pthread_mutex_unlock(&r->lock);
  return t != NULL;
}

// What cannot be kept is asked for again.
static void keep_text(data_remote_set *s, const char *text, size_t bytes) {
  free_text(s->index);
  s->index = orr_calloc(1, sizeof *s->index);
  if (!s->index) return;
  *s->index = (data_remote_text){
      .address = orr_strdup(s->url.text), .text = copy_text(text, bytes), .bytes = bytes};
  if (s->index->address && s->index->text) return;
  free_text(s->index);
  s->index = NULL;
}

orr_code data_remote_set_fetch_index(data_remote_set *s, char **text, size_t *bytes) {
  data_remote *r = s->remote;
  memory m = {0};
  data_transfer *t = NULL;
  const data_sink sink = {.put = memory_put, .restart = memory_restart, .ctx = &m};
  uint64_t retries = 0, came = 0;
  if (find_text(s, text, bytes)) {
    ORR_CHECK(*text, ORR_ENOMEM, "%s: out of memory for its index", s->url.text);
    return ORR_OK;
  }
  ORR_TRY(data_transfer_create(r->http, &s->url, "index.json", 0, 0, &sink, &t));
  orr_code rc = data_transfer_run(t);
  if (rc == ORR_OK) rc = memory_put(&m, "", 0); // an empty file is text too
  data_transfer_count(t, &retries, &came);
  data_transfer_destroy(t);
  pthread_mutex_lock(&r->lock);
  r->counters.retries += retries;
  r->counters.bytes += came;
  pthread_mutex_unlock(&r->lock);
  if (rc != ORR_OK) {
    orr_free(m.text);
    return rc;
  }
  keep_text(s, m.text, m.bytes);
  *text = m.text;
  *bytes = m.bytes;
  return ORR_OK;
}

// -- pins -----------------------------------------------------------------------------------

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

// Lock held. Whether the file that was checked is still there; then it is pinned.
static orr_code pin_ready(data_remote_shard *e, const char *path, int *pin) {
  struct stat now;
  ORR_TRY(data_cache_pin(path, pin));
  if (*pin >= 0 && fstat(*pin, &now) == 0 && is_same(&now, &e->seen)) return ORR_OK;
  if (*pin >= 0) close(*pin);
  *pin = -1;
  e->state = DATA_REMOTE_IDLE; // evicted, or another one since
  return ORR_OK;
}

// Lock held. Until the shard's fetch has come to an end.
static orr_code wait_for(data_remote *r, data_remote_shard *e) {
  e->waiting++;
  e->set->waiting++;
  if (e->state != DATA_REMOTE_BUSY) e->again_ms = 0;
  while (!r->interrupted && (e->state == DATA_REMOTE_IDLE || e->state == DATA_REMOTE_BUSY)) {
    curl_multi_wakeup(r->env.multi);
    pthread_cond_wait(&r->changed, &r->lock);
  }
  e->waiting--;
  e->set->waiting--;
  ORR_CHECK(!r->interrupted, ORR_ESTOPPED, "%s/%s: no longer waited for", e->set->url.text,
            e->file);
  if (e->state != DATA_REMOTE_FAILED) return ORR_OK;
  orr_status_set(e->message ? e->message : "remote data: out of memory");
  return e->rc;
}

orr_code data_remote_set_pin(data_remote_set *s, int64_t i, char *path, size_t size, int *pin) {
  data_remote *r = s->remote;
  data_remote_shard *e = &s->shards[i];
  char whole[DATA_CACHE_PATH_MAX];
  double begin = orr_clock_ms();
  *pin = -1;
  ORR_TRY(data_cache_whole(e->stem, whole));
  ORR_CHECK(strlen(whole) < size, ORR_EINVAL, "%s: a path too long", whole);
  memcpy(path, whole, strlen(whole) + 1);
  pthread_mutex_lock(&r->lock);
  if (e->state == DATA_REMOTE_FAILED) e->state = DATA_REMOTE_IDLE; // it may be mended by now
  e->downloaded = false;
  orr_code rc = ORR_OK;
  while (rc == ORR_OK && *pin < 0) {
    if (e->state == DATA_REMOTE_READY) rc = pin_ready(e, whole, pin);
    if (rc == ORR_OK && *pin < 0) rc = wait_for(r, e);
  }
  if (e->downloaded) {
    r->counters.waits++;
    r->counters.wait_ms += orr_clock_ms() - begin;
  } else if (rc == ORR_OK) {
    r->counters.hits++;
  }
  pthread_mutex_unlock(&r->lock);
  return rc;
}
