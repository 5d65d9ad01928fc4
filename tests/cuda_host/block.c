// Grids, blocks, threads as fibers, barriers and the exchanges of a warp: see host.h.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda_host/host.h"
#include "tests/cuda_host/switch.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define HIDE(p, n) ((void)(p), (void)(n))
#define SHOW(p, n) ((void)(p), (void)(n))
#endif

enum { STACK_BYTES = 128 * 1024 };

typedef enum { RUNNABLE, AT_BARRIER, AT_EXCHANGE, FINISHED } thread_state;

typedef struct {
  fiber context;
  thread_state state;
  const char *place; // where it waits
  unsigned exchanges;
} thread;

typedef struct {
  int arrived;
  // Two turns: a lane may begin the next exchange while others still read this one's words.
  cuda_host_words words[2][CUDA_HOST_WARP];
} warp;

// What the kernels see of the running thread.
cuda_host_index threadIdx, blockIdx, blockDim, gridDim;
_Alignas(128) unsigned char cuda_shared[CUDA_HOST_MOST_SHARED];

static struct {
  cuda_host_order order;
  char fault[512];
  char *stacks;
  fiber scheduler;
  thread threads[CUDA_HOST_MOST_THREADS];
  warp warps[CUDA_HOST_MOST_THREADS / CUDA_HOST_WARP];
  int count, running;
  int at_barrier;
  void (*body)(void *);
  void *context;
} now;

void cuda_host_set_order(cuda_host_order order) {
  now.order = order;
}

const char *cuda_host_fault(void) {
  return now.fault;
}

static int fail(const char *words) {
  snprintf(now.fault, sizeof now.fault, "block (%u,%u,%u): %s", blockIdx.x, blockIdx.y, blockIdx.z,
           words);
  return -1;
}

// The permutation of 0..n-1 that the order asks for: place i holds (i * step + first) % n.
typedef struct {
  uint64_t step, first, n;
} permutation;

static permutation permutation_of(uint64_t n) {
  if (now.order == CUDA_HOST_ASCENDING) return (permutation){1, 0, n};
  if (now.order == CUDA_HOST_DESCENDING) return (permutation){n - 1, n - 1, n};
  for (uint64_t step = 7919 % n;; step++) { // the first from here that shares no divisor with n
    uint64_t a = step, b = n;
    while (b) {
      const uint64_t rest = a % b;
      a = b;
      b = rest;
    }
    if (a == 1) return (permutation){step, n / 3, n};
  }
}

static unsigned place_of(const permutation *p, uint64_t i) {
  return (unsigned)((i * p->step + p->first) % p->n);
}

static void pause_thread(thread_state state, const char *place) {
  thread *t = &now.threads[now.running];
  t->state = state;
  t->place = place;
  fiber_switch(&t->context, &now.scheduler);
}

void cuda_host_barrier(const char *place) {
  now.at_barrier++;
  pause_thread(AT_BARRIER, place);
}

const cuda_host_words *cuda_host_exchange(const char *place, const uint32_t *words, int count) {
  const int me = now.running, lane = me % CUDA_HOST_WARP, first = me - lane;
  thread *t = &now.threads[me];
  warp *w = &now.warps[me / CUDA_HOST_WARP];
  cuda_host_words *all = w->words[t->exchanges++ % 2];
  if (count) memcpy(all[lane], words, (size_t)count * sizeof *words);
  t->place = place;
  if (++w->arrived < CUDA_HOST_WARP) {
    pause_thread(AT_EXCHANGE, place);
    return (const cuda_host_words *)all;
  }
  for (int i = first; i < first + CUDA_HOST_WARP; i++) {
    if (strcmp(now.threads[i].place, place) != 0) { // the scheduler finds nobody runnable
      pause_thread(AT_EXCHANGE, place);
      break;
    }
  }
  w->arrived = 0;
  for (int i = first; i < first + CUDA_HOST_WARP; i++) now.threads[i].state = RUNNABLE;
  return (const cuda_host_words *)all;
}

static void thread_main(void) {
  now.body(now.context);
  pause_thread(FINISHED, "its end");
  abort(); // nobody resumes it
}

static void resume(int t) {
  const unsigned x = blockDim.x, y = blockDim.y;
  now.running = t;
  threadIdx = (cuda_host_index){(unsigned)t % x, (unsigned)t / x % y, (unsigned)t / x / y};
  fiber_switch(&now.scheduler, &now.threads[t].context);
}

// Runs each warp, in order, as far as it goes alone: no other warp has done more meanwhile than a
// barrier makes it. False when no thread could run.
static bool run_warps(const permutation *warps, const permutation *lanes) {
  bool any = false;
  for (uint64_t w = 0; w < warps->n; w++) {
    const int first = (int)place_of(warps, w) * CUDA_HOST_WARP;
    for (bool more = true; more;) {
      more = false;
      for (uint64_t l = 0; l < CUDA_HOST_WARP; l++) {
        const int t = first + (int)place_of(lanes, l);
        if (t >= now.count || now.threads[t].state != RUNNABLE) continue;
        any = more = true;
        resume(t);
      }
    }
  }
  return any;
}

// Nobody can run: a barrier that all have reached opens, everything else is an error.
static int open_barrier(void) {
  const thread *first = &now.threads[0];
  for (int i = 1; i < now.count; i++) {
    const thread *t = &now.threads[i];
    if (t->state == first->state && strcmp(t->place, first->place) == 0) continue;
    char words[256];
    snprintf(words, sizeof words, "divergence: thread 0 is at %.100s, thread %d at %.100s",
             first->place, i, t->place);
    return fail(words);
  }
  if (now.at_barrier != now.count) return fail("divergence: a warp waits for lanes it lacks");
  now.at_barrier = 0;
  for (int i = 0; i < now.count; i++) now.threads[i].state = RUNNABLE;
  return 0;
}

static bool all_finished(void) {
  for (int i = 0; i < now.count; i++)
    if (now.threads[i].state != FINISHED) return false;
  return true;
}

static int run_block(const cuda_host_shape *s, const permutation *warps, const permutation *lanes) {
  SHOW(cuda_shared, sizeof cuda_shared);
  memset(cuda_shared, 0xff, s->shared_bytes);
  HIDE(cuda_shared + s->shared_bytes, sizeof cuda_shared - s->shared_bytes);
  now.at_barrier = 0;
  for (int i = 0; i < now.count; i++) {
    now.threads[i] = (thread){.state = RUNNABLE};
    fiber_make(&now.threads[i].context, now.stacks + (size_t)i * STACK_BYTES, STACK_BYTES,
               thread_main);
  }
  for (int i = 0; i * CUDA_HOST_WARP < now.count; i++) now.warps[i].arrived = 0;
  while (!all_finished()) {
    while (run_warps(warps, lanes)) continue;
    if (!all_finished() && open_barrier() != 0) return -1;
  }
  return 0;
}

static int check_shape(const cuda_host_shape *s) {
  const cuda_host_index g = s->grid, b = s->block;
  const uint64_t threads = (uint64_t)b.x * b.y * b.z;
  blockIdx = (cuda_host_index){0, 0, 0};
  if (!threads || threads > CUDA_HOST_MOST_THREADS || b.z > 64) return fail("block size");
  if (!g.x || !g.y || !g.z || g.x > INT32_MAX || g.y > 65535 || g.z > 65535)
    return fail("grid size");
  if (s->shared_bytes > s->shared_most || s->shared_most > CUDA_HOST_MOST_SHARED)
    return fail("shared memory");
  return 0;
}

int cuda_host_run(const cuda_host_shape *s, void (*body)(void *), void *context) {
  now.fault[0] = 0;
  if (check_shape(s) != 0) return -1;
  if (!now.stacks) now.stacks = malloc((size_t)CUDA_HOST_MOST_THREADS * STACK_BYTES);
  if (!now.stacks) return fail("out of memory for stacks");
  now.body = body;
  now.context = context;
  now.count = (int)(s->block.x * s->block.y * s->block.z);
  blockDim = s->block;
  gridDim = s->grid;
  const uint64_t blocks = (uint64_t)s->grid.x * s->grid.y * s->grid.z;
  const permutation order = permutation_of(blocks), lanes = permutation_of(CUDA_HOST_WARP);
  const permutation warps =
      permutation_of((uint64_t)(now.count + CUDA_HOST_WARP - 1) / CUDA_HOST_WARP);
  for (uint64_t i = 0; i < blocks; i++) {
    const unsigned b = place_of(&order, i);
    blockIdx =
        (cuda_host_index){b % s->grid.x, b / s->grid.x % s->grid.y, b / s->grid.x / s->grid.y};
    if (run_block(s, &warps, &lanes) == 0) continue;
    SHOW(now.stacks, (size_t)CUDA_HOST_MOST_THREADS * STACK_BYTES); // of threads left over
    return -1;
  }
  return 0;
}

void *cuda_host_malloc(size_t bytes) {
  void *p = NULL;
  if (posix_memalign(&p, 256, bytes ? bytes : 1) != 0) return NULL;
  memset(p, 0xff, bytes);
  return p;
}

void cuda_host_free(void *p) {
  free(p);
}
