#define _GNU_SOURCE
#include "tests/kernels/strict_kern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"

#define REGION ((size_t)4 << 30)
#define PAGE   ((size_t)4096)

typedef enum {
#define STRICT_ID(op) STRICT_##op,
  KERN_OPS(STRICT_ID)
#undef STRICT_ID
      STRICT_MARK // in a capture; its argument is the slot
} op_id;

// An op with its arguments, kept until it runs.
typedef struct {
  op_id id;
  void *args;
} queued;

typedef struct {
  queued *list;
  int64_t n, room;
} queue;

// Memory of one kind, handed out from one end to the other and never reused. Where the processor
// has protection keys, one opens and closes it in a moment, for the thread that runs the ops.
typedef struct {
  unsigned char *base;
  size_t used;
  int key; // -1 = none
} region;

typedef struct {
  kern_table table; // first: k->table leads here
  const kern_table *inner;
  region of[KERN_MEMORIES];
  queue waiting;
  int64_t ran;              // of the waiting ones, since the beginning
  int64_t called;           // ops called so far
  int64_t mark[KERN_MARKS]; // ops called before it
  queue *capture;           // NULL = none
  bool open;                // an op runs
} strict;

static strict *strict_of(const kern *k) {
  return (strict *)(uintptr_t)k->table;
}

static void must(bool ok, const char *what, const char *op) {
  if (ok) return;
  fprintf(stderr, "strict kern: %s: %s\n", op, what);
  abort();
}

static void protect(const region *r, int how) {
  if (r->key >= 0)
    must(pkey_set(r->key, how == PROT_NONE ? PKEY_DISABLE_ACCESS : 0) == 0, "pkey_set", "memory");
  else if (r->used)
    must(mprotect(r->base, r->used, how) == 0, "mprotect", "memory");
}

// -- arguments ------------------------------------------------------------------------------

// What looks like an address must be one of the device. Numbers are smaller, doubles larger; a
// small lower half is a type, a flag or a count.
static void check_addresses(const strict *s, const char *op, const void *args, size_t bytes) {
  const region *d = &s->of[KERN_DEVICE];
  for (size_t i = 0; i + sizeof(uint64_t) <= bytes; i += sizeof(uint64_t)) {
    uint64_t v;
    memcpy(&v, (const unsigned char *)args + i, sizeof v);
    if (v < (uint64_t)1 << 40 || v >= (uint64_t)1 << 47 || (uint32_t)v < 65536) continue;
    const unsigned char *p = (const unsigned char *)(uintptr_t)v;
    must(p >= d->base && p < d->base + d->used, "an argument lies outside device memory", op);
  }
}

static bool takes_host_memory(op_id id) {
  return id == STRICT_copy || id == STRICT_copy_rows || id == STRICT_fsq_fwd ||
         id == STRICT_fsq_bwd || id == STRICT_fsq_lookup;
}

static size_t args_bytes(op_id id) {
  static const size_t bytes[] = {
#define STRICT_SIZE(op) sizeof(kern_##op##_args),
      KERN_OPS(STRICT_SIZE)
#undef STRICT_SIZE
          sizeof(int)};
  return bytes[id];
}

// -- the queue ------------------------------------------------------------------------------

static void push(queue *q, op_id id, const void *args) {
  if (q->n == q->room) {
    q->room = q->room ? 2 * q->room : 64;
    q->list = realloc(q->list, (size_t)q->room * sizeof *q->list);
    must(q->list != NULL, "out of memory", "queue");
  }
  void *copy = malloc(args_bytes(id));
  must(copy != NULL, "out of memory", "queue");
  memcpy(copy, args, args_bytes(id));
  q->list[q->n++] = (queued){id, copy};
}

static void clear(queue *q) {
  for (int64_t i = 0; i < q->n; i++) free(q->list[i].args);
  free(q->list);
  *q = (queue){0};
}

static orr_code call(kern *k, op_id id, const void *args) {
  const kern_table *inner = strict_of(k)->inner;
  switch (id) {
#define STRICT_CALL(op)                                                                            \
  case STRICT_##op:                                                                                \
    return inner->op(k, args);
    KERN_OPS(STRICT_CALL)
#undef STRICT_CALL
  case STRICT_MARK:
    break;
  }
  return ORR_EINVAL;
}

// Only while an op runs can its memory be touched, and pinned memory by copies alone; the latter
// needs keys, as other threads (a checkpoint's writer) use pinned memory at any time.
static orr_code run_one(kern *k, op_id id, const void *args) {
  strict *s = strict_of(k);
  const bool copies = id == STRICT_copy || id == STRICT_copy_rows;
  protect(&s->of[KERN_DEVICE], PROT_READ | PROT_WRITE);
  const bool closes = !copies && s->of[KERN_PINNED].key >= 0;
  if (closes) protect(&s->of[KERN_PINNED], PROT_NONE);
  s->open = true; // its workspace may grow
  const orr_code rc = call(k, id, args);
  s->open = false;
  if (closes) protect(&s->of[KERN_PINNED], PROT_READ | PROT_WRITE);
  protect(&s->of[KERN_DEVICE], PROT_NONE);
  return rc;
}

// Runs what was called before op number `until`.
static orr_code run_until(kern *k, int64_t until) {
  strict *s = strict_of(k);
  int64_t n = until - s->ran;
  if (n <= 0) return ORR_OK;
  for (int64_t i = 0; i < n; i++) {
    ORR_TRY(run_one(k, s->waiting.list[i].id, s->waiting.list[i].args));
    free(s->waiting.list[i].args);
  }
  s->waiting.n -= n;
  memmove(s->waiting.list, s->waiting.list + n, (size_t)s->waiting.n * sizeof *s->waiting.list);
  s->ran = until;
  return ORR_OK;
}

static orr_code issue(kern *k, op_id id, const char *name, const void *args) {
  strict *s = strict_of(k);
  if (k->planning) return call(k, id, args);
  if (!takes_host_memory(id)) check_addresses(s, name, args, args_bytes(id));
  if (s->capture) {
    push(s->capture, id, args);
    return ORR_OK;
  }
  push(&s->waiting, id, args);
  s->called++;
  return ORR_OK;
}

// Padding holds what lay there before: a float beside it would look like an address.
#if __has_builtin(__builtin_clear_padding)
#define CLEAR_PADDING(args) __builtin_clear_padding(args)
#else
#define CLEAR_PADDING(args) (void)(args)
#endif

#define STRICT_OP(op)                                                                              \
  static orr_code strict_##op(kern *k, const kern_##op##_args *a) {                                \
    kern_##op##_args args = *a;                                                                    \
    CLEAR_PADDING(&args);                                                                          \
    return issue(k, STRICT_##op, #op, &args);                                                      \
  }
KERN_OPS(STRICT_OP)
#undef STRICT_OP

// -- the other slots ------------------------------------------------------------------------

static orr_code strict_alloc(kern *k, kern_memory kind, size_t bytes, const char *what,
                             void **out) {
  strict *s = strict_of(k);
  region *r = &s->of[kind];
  bytes = (bytes + PAGE - 1) / PAGE * PAGE;
  must(!s->capture, "memory is taken inside a capture", what);
  ORR_CHECK(bytes <= REGION - r->used, ORR_ENOMEM, "strict kern: %s: no room for %zu bytes", what,
            bytes);
  *out = r->base + r->used;
  r->used += bytes;
  if (r->key < 0)
    must(mprotect(*out, bytes,
                  kind == KERN_DEVICE && !s->open ? PROT_NONE : PROT_READ | PROT_WRITE) == 0,
         "mprotect", what);
  return ORR_OK;
}

static orr_code strict_sync(kern *k) {
  must(!strict_of(k)->capture, "called inside a capture", "sync");
  return run_until(k, strict_of(k)->called);
}

static void strict_free(kern *k, kern_memory kind, void *p) {
  if (p && !strict_of(k)->open) (void)run_until(k, strict_of(k)->called);
}

static orr_code strict_mark(kern *k, int slot) {
  strict *s = strict_of(k);
  if (s->capture) {
    push(s->capture, STRICT_MARK, &slot);
    return ORR_OK;
  }
  s->mark[slot] = s->called;
  return s->inner->mark(k, slot);
}

static orr_code strict_await(kern *k, int slot) {
  must(!strict_of(k)->capture, "called inside a capture", "await");
  return run_until(k, strict_of(k)->mark[slot]);
}

static orr_code strict_elapsed(kern *k, int from, int to, double *ms) {
  const strict *s = strict_of(k);
  must(s->mark[from] <= s->ran && s->mark[to] <= s->ran, "a mark was not awaited", "elapsed");
  return s->inner->elapsed(k, from, to, ms);
}

static orr_code strict_capture_begin(kern *k) {
  strict *s = strict_of(k);
  must(!s->capture, "a capture is under way already", "capture_begin");
  s->capture = calloc(1, sizeof *s->capture);
  return s->capture ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "strict kern: out of memory for a capture");
}

static orr_code strict_capture_end(kern *k, void **graph) {
  *graph = strict_of(k)->capture;
  strict_of(k)->capture = NULL;
  return ORR_OK;
}

static orr_code strict_replay(kern *k, void *graph) {
  strict *s = strict_of(k);
  const queue *q = graph;
  for (int64_t i = 0; i < q->n; i++) {
    const queued *x = &q->list[i];
    if (x->id == STRICT_MARK) {
      ORR_TRY(strict_mark(k, *(const int *)x->args));
      continue;
    }
    push(&s->waiting, x->id, x->args);
    s->called++;
  }
  return ORR_OK;
}

static void strict_graph_free(kern *k, void *graph) {
  if (!graph) return;
  clear(graph);
  free(graph);
}

static void strict_destroy(kern *k) {
  strict *s = strict_of(k);
  clear(&s->waiting);
  for (int i = 0; i < KERN_MEMORIES; i++) {
    munmap(s->of[i].base, REGION);
    if (s->of[i].key >= 0) pkey_free(s->of[i].key);
  }
  k->table = s->inner;
  free(s);
  k->table->destroy(k);
}

orr_code strict_kern_wrap(kern *k) {
  strict *s = calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "strict kern: out of memory");
  s->inner = k->table;
  s->table = *k->table;
  for (int i = 0; i < KERN_MEMORIES; i++) {
    s->of[i].base =
        mmap(NULL, REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(s->of[i].base != MAP_FAILED, "mmap", "memory");
    s->of[i].key = pkey_alloc(0, i == KERN_DEVICE ? PKEY_DISABLE_ACCESS : 0);
    if (s->of[i].key >= 0)
      must(pkey_mprotect(s->of[i].base, REGION, PROT_READ | PROT_WRITE, s->of[i].key) == 0,
           "pkey_mprotect", "memory");
  }
#define STRICT_SLOT(op) s->table.op = strict_##op;
  KERN_OPS(STRICT_SLOT)
  STRICT_SLOT(alloc)
  STRICT_SLOT(free)
  STRICT_SLOT(sync)
  STRICT_SLOT(mark)
  STRICT_SLOT(await)
  STRICT_SLOT(elapsed)
  STRICT_SLOT(capture_begin)
  STRICT_SLOT(capture_end)
  STRICT_SLOT(replay)
  STRICT_SLOT(graph_free)
  STRICT_SLOT(destroy)
#undef STRICT_SLOT
  k->table = &s->table;
  k->device_memory = true;
  k->can_capture = true;
  return ORR_OK;
}
