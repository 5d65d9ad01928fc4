// The threads of a loop, and how they share cores with other work.
//
// How a call goes: the caller writes down body, ctx and every thread's share, counts `call` up and
// works. The others see the new number, and take pieces until there are none. Whoever ends the last
// piece wakes the caller. A thread that sleeps through a call, or comes late to it, is not waited
// for: only who got a piece touches what the call wrote down, and until that piece is done there is
// no other call.
//
// On a crowded machine the system stops a thread that holds a piece for milliseconds, and the
// others wait. It then moves threads about so that every core has work, but it cannot know which
// belong together: two of a team on one core are half as fast. So when a wait shows that the cores
// are crowded, or two threads are seen on one, the threads keep to a core each for a while, if they
// are as many as the cores that they may use, and it is the others' threads that are moved to where
// a core has nothing to do.
#define _GNU_SOURCE // syscall
#include "kernels/cpu/team.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cores.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
  // A waiting thread gives way after so long. Pauses between the loops of a step are shorter, and
  // waking a thread takes about as long.
  SPIN_NS = 50000,
  // No piece takes so long: who holds it has been stopped.
  STOPPED_NS = 1000000,
  // Calls for which a machine then counts as crowded.
  CROWDED_CALLS = 256,
  // Calls from one look at where the threads are to the next.
  LOOK_CALLS = 8
};

// One thread's share of a call, on its own cache lines.
typedef struct {
  _Atomic int64_t left; // pieces nobody has taken; below 0 when many found none
  int64_t end;          // the number after its last piece
  _Atomic int core;     // where the thread was last seen at work
  char apart[108];
} share;

typedef struct {
  cpu_team *team;
  int thread;
  pthread_t id;
} member;

struct cpu_team {
  share *share; // [threads]
  int threads;
  int started;    // members
  member *member; // [threads - 1], threads 1 ...
  // of the present call:
  cpu_team_body body;
  const void *ctx;
  int64_t items, grain;
  bool stop;
  atomic_bool keep_cores; // every thread has its own
  int crowded;            // calls until it counts as quiet
  char apart[128];
  _Atomic uint32_t call;     // its number, what idle members wait for
  _Atomic uint32_t sleepers; // members that sleep, or are about to
  char apart_too[120];
  _Atomic int64_t undone; // pieces
  _Atomic uint32_t caller_sleeps;
};

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// Sleeps while *word holds `value`; may return at any time.
static void sleep_while(_Atomic uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}
static void wake(_Atomic uint32_t *word, int threads) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
}

// Whether the call's number became another than `seen` in the time that a thread looks for it.
static bool see_call(cpu_team *t, uint32_t seen) {
  const int64_t begin = now_ns();
  do {
    for (int i = 0; i < 32; i++) {
      if (atomic_load_explicit(&t->call, memory_order_acquire) != seen) return true;
      relax();
    }
  } while (now_ns() - begin < SPIN_NS);
  return false;
}

static uint32_t await_call(cpu_team *t, uint32_t seen) {
  if (!see_call(t, seen)) {
    atomic_fetch_add(&t->sleepers, 1);
    while (atomic_load(&t->call) == seen) sleep_while(&t->call, seen);
    atomic_fetch_sub(&t->sleepers, 1);
  }
  return atomic_load_explicit(&t->call, memory_order_acquire);
}

// Takes pieces of one share until there are none; returns how many.
static int64_t take_pieces(cpu_team *t, share *s, int thread) {
  int64_t done = 0;
  while (atomic_load_explicit(&s->left, memory_order_relaxed) > 0) {
    const int64_t left = atomic_fetch_sub_explicit(&s->left, 1, memory_order_acq_rel);
    if (left <= 0) break;
    const int64_t first = (s->end - left) * t->grain, end = first + t->grain;
    t->body(t->ctx, first, end < t->items ? end : t->items, thread);
    done++;
  }
  return done;
}

// The own share first, then those of the threads after it.
static void work(cpu_team *t, int thread) {
  int64_t done = 0;
  atomic_store_explicit(&t->share[thread].core, sched_getcpu(), memory_order_relaxed);
  for (int i = 0; i < t->threads; i++)
    done += take_pieces(t, &t->share[(thread + i) % t->threads], thread);
  if (done == 0 || atomic_fetch_sub(&t->undone, done) != done) return;
  if (atomic_exchange(&t->caller_sleeps, 0)) wake(&t->caller_sleeps, 1);
}

// The core of a thread, if every core that it may use has one of the team's.
typedef struct {
  bool kept;
  orr_cores_mask before;
} place;

static void keep_core(const cpu_team *t, int thread, place *p) {
  orr_cores_allowed(&p->before);
  if (orr_cores_count(&p->before) != t->threads) return;
  const orr_cores_mask own = orr_cores_nth(&p->before, thread);
  orr_cores_bind(&own);
  p->kept = true;
}

static void leave_core(place *p) {
  if (p->kept) orr_cores_bind(&p->before);
  p->kept = false;
}

static void *run_member(void *ctx) {
  const member *m = ctx;
  cpu_team *t = m->team;
  place own = {.kept = false};
  for (uint32_t seen = 0;;) {
    seen = await_call(t, seen);
    if (t->stop) return NULL;
    const bool keep = atomic_load_explicit(&t->keep_cores, memory_order_relaxed);
    if (keep && !own.kept) keep_core(t, m->thread, &own);
    if (!keep) leave_core(&own);
    work(t, m->thread);
  }
}

// Waits until all pieces are done; returns how long that took.
static int64_t await_end(cpu_team *t) {
  const int64_t begin = now_ns();
  do {
    for (int i = 0; i < 32; i++) {
      if (atomic_load_explicit(&t->undone, memory_order_acquire) == 0) return 0;
      relax();
    }
  } while (now_ns() - begin < SPIN_NS);
  for (;;) {
    atomic_store(&t->caller_sleeps, 1);
    if (atomic_load(&t->undone) == 0) break;
    sleep_while(&t->caller_sleeps, 1);
  }
  atomic_store(&t->caller_sleeps, 0);
  return now_ns() - begin;
}

static bool share_a_core(cpu_team *t) {
  for (int i = 1; i < t->threads; i++)
    for (int j = 0; j < i; j++)
      if (atomic_load_explicit(&t->share[i].core, memory_order_relaxed) ==
          atomic_load_explicit(&t->share[j].core, memory_order_relaxed))
        return true;
  return false;
}

// What a call's wait, and the threads' cores, say about the machine.
static void notice(cpu_team *t, int64_t waited_ns) {
  const bool look = t->crowded == 0 && atomic_load(&t->call) % LOOK_CALLS == 0;
  if (waited_ns > STOPPED_NS || (look && share_a_core(t)))
    t->crowded = CROWDED_CALLS;
  else if (t->crowded > 0)
    t->crowded--;
  atomic_store_explicit(&t->keep_cores, t->crowded > 0, memory_order_relaxed);
}

static void announce(cpu_team *t) {
  atomic_fetch_add(&t->call, 1);
  if (atomic_load(&t->sleepers) > 0) wake(&t->call, t->threads);
}

void cpu_team_run(cpu_team *t, int64_t items, int64_t grain, cpu_team_body body, const void *ctx) {
  const int64_t pieces = (items + grain - 1) / grain;
  if (items <= 0) return;
  if (pieces == 1 || t->threads == 1) {
    for (int64_t first = 0; first < items; first += grain)
      body(ctx, first, first + grain < items ? first + grain : items, 0);
    return;
  }
  t->body = body, t->ctx = ctx, t->items = items, t->grain = grain;
  atomic_store(&t->undone, pieces);
  for (int i = 0; i < t->threads; i++) {
    const int64_t first = pieces * i / t->threads, end = pieces * (i + 1) / t->threads;
    t->share[i].end = end;
    atomic_store_explicit(&t->share[i].left, end - first, memory_order_release);
  }
  announce(t);
  // For this call alone: threads that the caller starts between calls shall not inherit it.
  place own = {.kept = false};
  if (t->crowded > 0) keep_core(t, 0, &own);
  work(t, 0);
  notice(t, await_end(t));
  leave_core(&own);
}

orr_code cpu_team_create(int threads, cpu_team **out) {
  orr_code rc;
  *out = NULL;
  cpu_team *t = orr_calloc(1, sizeof *t);
  ORR_CHECK(t, ORR_ENOMEM, "kernels: out of memory for %d threads", threads);
  t->threads = threads;
  t->share = orr_calloc((size_t)threads, sizeof *t->share);
  t->member = orr_calloc((size_t)threads, sizeof *t->member);
  ORR_CHECK_GOTO(t->share && t->member, destroy, ORR_ENOMEM,
                 "kernels: out of memory for %d threads", threads);
  for (; t->started < threads - 1; t->started++) {
    member *m = &t->member[t->started];
    *m = (member){.team = t, .thread = t->started + 1};
    t->share[m->thread].core = -m->thread; // nowhere yet
    char what[96];
    snprintf(what, sizeof what, "kernels: thread %d of %d (run.threads)", m->thread + 1, threads);
    ORR_TRY_GOTO(orr_thread_start(&m->id, run_member, m, what), destroy);
  }
  *out = t;
  return ORR_OK;
destroy:
  cpu_team_destroy(t);
  return rc;
}

void cpu_team_destroy(cpu_team *t) {
  if (!t) return;
  t->stop = true;
  announce(t);
  for (int i = 0; i < t->started; i++) pthread_join(t->member[i].id, NULL);
  orr_free(t->member);
  orr_free(t->share);
  orr_free(t);
}
