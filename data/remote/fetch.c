#include "data/remote/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define PIECE_BYTES ((size_t)4 << 20) // read between two looks at the network

typedef enum {
  LOOKING,        // nothing is open
  CHECKING_WHOLE, // fd is the whole file, hashed up to `at`
  CHECKING_PART,  // fd is the partial file, hashed up to `at`
  WAITING,        // hashed all that is there; the next request has its time
  RUNNING,        // curl has it
} phase;

struct data_fetch {
  const data_fetch_env *env;
  data_fetch_target target;
  char whole[DATA_CACHE_PATH_MAX], part[DATA_CACHE_PATH_MAX];
  phase phase;
  int fd, slot;
  uint64_t at, size; // bytes hashed; bytes in the file when it was opened
  orr_hash_stream *hash;
  unsigned char *piece;
  data_transfer *transfer;
  bool full;   // the disk is, or the quota
  bool loaded; // bytes came from the server
  uint64_t retries, bytes;
};

orr_code data_fetch_create(const data_fetch_env *env, const data_fetch_target *target,
                           data_fetch **out) {
  orr_code rc = ORR_OK;
  data_fetch *f = orr_calloc(1, sizeof *f);
  ORR_CHECK(f, ORR_ENOMEM, "%s/%s: out of memory: cannot fetch it", target->url->text,
            target->file);
  f->env = env;
  f->target = *target;
  f->fd = f->slot = -1;
  ORR_TRY_GOTO(data_cache_whole(target->stem, f->whole), fail);
  ORR_TRY_GOTO(data_cache_part(target->stem, target->bytes, f->part), fail);
  *out = f;
  return ORR_OK;
fail:
  data_fetch_destroy(f);
  return rc;
}

// Keeps what the transfer counted before it goes.
static void drop_transfer(data_fetch *f) {
  uint64_t retries = 0, bytes = 0;
  if (f->transfer) data_transfer_count(f->transfer, &retries, &bytes);
  f->retries += retries;
  f->bytes += bytes;
  data_transfer_destroy(f->transfer);
  f->transfer = NULL;
}

// Back to the beginning. Closing gives the locks back; a partial file without a byte goes.
static void let_go(data_fetch *f) {
  struct stat s;
  bool is_part = f->phase == CHECKING_PART || f->phase == WAITING || f->phase == RUNNING;
  if (is_part && fstat(f->fd, &s) == 0 && s.st_size == 0) unlink(f->part);
  drop_transfer(f);
  orr_hash_stream_destroy(f->hash);
  orr_free(f->piece);
  f->hash = NULL;
  f->piece = NULL;
  if (f->fd >= 0) close(f->fd);
  if (f->slot >= 0) close(f->slot);
  f->fd = f->slot = -1;
  f->phase = LOOKING;
}

void data_fetch_destroy(data_fetch *f) {
  if (!f) return;
  let_go(f);
  orr_free(f);
}

bool data_fetch_owns(const data_fetch *f, const data_transfer *t) {
  return f->transfer == t;
}

double data_fetch_due_ms(const data_fetch *f) {
  return f->phase == WAITING ? data_transfer_due_ms(f->transfer) : INFINITY;
}

void data_fetch_count(data_fetch *f, uint64_t *retries, uint64_t *bytes) {
  if (f->transfer) data_transfer_count(f->transfer, retries, bytes);
  *retries += f->retries;
  *bytes += f->bytes;
  f->retries = f->bytes = 0;
}

bool data_fetch_must(const data_fetch *f) {
  return f->target.must;
}

bool data_fetch_loaded(const data_fetch *f) {
  return f->loaded;
}

// -- the partial file as a sink -------------------------------------------------------------

static orr_code put(void *ctx, const void *p, size_t bytes) {
  data_fetch *f = ctx;
  orr_code rc = orr_fs_pwrite_all(f->fd, f->part, p, bytes, f->at);
  f->full = rc != ORR_OK && (errno == ENOSPC || errno == EDQUOT);
  if (rc != ORR_OK) return rc;
  orr_hash_stream_update(f->hash, p, bytes);
  f->at += bytes;
  f->loaded = true;
  return ORR_OK;
}

static orr_code restart(void *ctx) {
  data_fetch *f = ctx;
  orr_hash_stream_destroy(f->hash);
  f->hash = orr_hash_stream_create();
  f->at = 0;
  ORR_CHECK(f->hash, ORR_ENOMEM, "%s: out of memory: cannot check it", f->part);
  ORR_CHECK(ftruncate(f->fd, 0) == 0, ORR_EIO, "%s: cannot empty it: %s", f->part, strerror(errno));
  return ORR_OK;
}

static orr_code make_transfer(data_fetch *f) {
  const data_sink sink = {.put = put, .restart = restart, .ctx = f};
  drop_transfer(f);
  return data_transfer_create(f->env->http, f->target.url, f->target.file, f->target.bytes, f->at,
                              &sink, &f->transfer);
}

// -- the beginning --------------------------------------------------------------------------

static orr_code start_check(data_fetch *f, phase next) {
  struct stat s;
  ORR_CHECK(fstat(f->fd, &s) == 0, ORR_EIO, "%s: cannot look at it: %s", f->part, strerror(errno));
  f->phase = next;
  f->size = (uint64_t)s.st_size;
  f->at = 0;
  f->hash = orr_hash_stream_create();
  f->piece = orr_malloc(PIECE_BYTES);
  ORR_CHECK(f->hash && f->piece, ORR_ENOMEM, "%s: out of memory: cannot check it", f->part);
  if (next == CHECKING_PART && f->size > f->target.bytes) {
    f->size = 0;
    return restart(f);
  }
  return ORR_OK;
}

static orr_code fail_no_room(const data_fetch *f) {
  return ORR_FAIL(ORR_EIO,
                  "%s/%s: no room for its %" PRIu64 " bytes in data.cache_bytes beside what is "
                  "needed sooner",
                  f->target.url->text, f->target.file, f->target.bytes);
}

// Takes one of the node's downloads, then the partial file, then room for it.
static data_fetch_state claim(data_fetch *f, orr_code *rc) {
  bool fits = false;
  *rc = data_cache_slot(f->env->cache, &f->slot);
  if (*rc == ORR_OK && f->slot < 0) return DATA_FETCH_ELSEWHERE;
  if (*rc == ORR_OK) *rc = data_cache_claim(f->part, &f->fd);
  if (*rc == ORR_OK && f->fd < 0) return DATA_FETCH_ELSEWHERE;
  if (*rc == ORR_OK && orr_fs_exists(f->whole)) { // came between the look and the claim
    unlink(f->part);
    let_go(f);
    return DATA_FETCH_CHECKING;
  }
  if (*rc == ORR_OK) *rc = data_cache_fit(f->env->cache, f->target.need, &f->env->needs, &fits);
  if (*rc == ORR_OK && !fits && !f->target.must) {
    unlink(f->part);
    *rc = fail_no_room(f);
    return DATA_FETCH_NO_ROOM;
  }
  if (*rc == ORR_OK) *rc = start_check(f, CHECKING_PART);
  return *rc == ORR_OK ? DATA_FETCH_CHECKING : DATA_FETCH_FAILED;
}

static data_fetch_state look(data_fetch *f, orr_code *rc) {
  *rc = data_cache_pin(f->whole, &f->fd);
  if (*rc == ORR_OK && f->fd < 0) return claim(f, rc);
  if (*rc == ORR_OK) *rc = start_check(f, CHECKING_WHOLE);
  return *rc == ORR_OK ? DATA_FETCH_CHECKING : DATA_FETCH_FAILED;
}

// -- the end --------------------------------------------------------------------------------

// A file of the cache that is not what it was: disks forget. Fetched again.
static data_fetch_state discard_whole(data_fetch *f) {
  ORR_WARN("%s: damaged in the cache; fetching it again", f->whole);
  unlink(f->whole);
  let_go(f);
  return DATA_FETCH_CHECKING;
}

static data_fetch_state after(data_fetch *f, data_transfer_state state, orr_code *rc);

static data_fetch_state conclude(data_fetch *f, orr_code *rc) {
  char words[200];
  orr_hash128 got = orr_hash_stream_digest(f->hash);
  if (!orr_hash_equal(got, f->target.hash)) {
    snprintf(words, sizeof words, "its XXH3-128 is %s, but index.json says %s",
             orr_hash_to_hex(got).s, orr_hash_to_hex(f->target.hash).s);
    return after(f, data_transfer_reject(f->transfer, words, rc), rc);
  }
  // Not synced: after a power cut the next process finds by its checksum what did not get there.
  *rc = orr_fs_rename(f->part, f->whole);
  return *rc == ORR_OK ? DATA_FETCH_READY : DATA_FETCH_FAILED;
}

// The disk is full: what is needed later makes room, else somebody has to.
static data_fetch_state after_full(data_fetch *f, orr_code *rc) {
  char words[ORR_STATUS_MESSAGE_MAX];
  uint64_t freed = 0;
  orr_code full = *rc;
  f->full = false;
  orr_status_copy(words, sizeof words);
  *rc = data_cache_evict(f->env->cache, f->target.bytes - f->at, f->target.need, &f->env->needs,
                         &freed);
  if (*rc == ORR_OK && freed > 0) {
    *rc = make_transfer(f);
    f->phase = WAITING;
    return *rc == ORR_OK ? DATA_FETCH_LOADING : DATA_FETCH_FAILED;
  }
  unlink(f->part); // it takes room that others need
  *rc = ORR_FAIL(full, "%s (data.cache_dir; data.cache_bytes can limit it)", words);
  return DATA_FETCH_NO_ROOM;
}

static data_fetch_state after(data_fetch *f, data_transfer_state state, orr_code *rc) {
  if (state == DATA_TRANSFER_DONE) return conclude(f, rc);
  if (state == DATA_TRANSFER_FAILED && f->full) return after_full(f, rc);
  if (state == DATA_TRANSFER_FAILED) return DATA_FETCH_FAILED;
  f->phase = WAITING;
  return DATA_FETCH_LOADING;
}

// -- on the way -----------------------------------------------------------------------------

static data_fetch_state check_piece(data_fetch *f, orr_code *rc) {
  bool is_whole = f->phase == CHECKING_WHOLE;
  if (is_whole && f->size != f->target.bytes) return discard_whole(f);
  size_t n = f->size - f->at < PIECE_BYTES ? (size_t)(f->size - f->at) : PIECE_BYTES;
  *rc = orr_fs_pread_all(f->fd, is_whole ? f->whole : f->part, f->piece, n, f->at);
  if (*rc != ORR_OK) return DATA_FETCH_FAILED;
  orr_hash_stream_update(f->hash, f->piece, n);
  f->at += n;
  if (f->at < f->size) return DATA_FETCH_CHECKING;
  if (is_whole) {
    bool right = orr_hash_equal(orr_hash_stream_digest(f->hash), f->target.hash);
    return right ? DATA_FETCH_READY : discard_whole(f);
  }
  *rc = make_transfer(f);
  f->phase = WAITING;
  if (*rc != ORR_OK) return DATA_FETCH_FAILED;
  return f->at == f->target.bytes ? conclude(f, rc) : DATA_FETCH_LOADING;
}

data_fetch_state data_fetch_step(data_fetch *f, orr_code *rc) {
  *rc = ORR_OK;
  switch (f->phase) {
  case LOOKING:
    return look(f, rc);
  case CHECKING_WHOLE:
  case CHECKING_PART:
    return check_piece(f, rc);
  case RUNNING:
    return DATA_FETCH_LOADING;
  case WAITING:
    break;
  }
  if (data_transfer_due_ms(f->transfer) > orr_clock_ms()) return DATA_FETCH_LOADING;
  *rc = data_transfer_start(f->transfer, f->env->multi);
  f->phase = RUNNING;
  return *rc == ORR_OK ? DATA_FETCH_LOADING : DATA_FETCH_FAILED;
}

data_fetch_state data_fetch_ended(data_fetch *f, CURLcode result, orr_code *rc) {
  data_transfer_state state = data_transfer_end(f->transfer, result, rc);
  return after(f, state, rc);
}
