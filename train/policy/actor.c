#include "train/policy/actor.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

// A chunk of which actions are left.
typedef struct {
  float *actions; // [room,A]
  int64_t room, count, taken;
} queue;

struct train_actor {
  const char *name;
  const train_actor_world *w;
  const train_actor_kind *kind;
  void *self;
  queue *left; // [places]
  double slowest_s;
};

static bool begins(const char *text, const char *with, const char **rest) {
  const size_t n = strlen(with);
  *rest = text + n;
  return strncmp(text, with, n) == 0;
}

static const train_actor_kind *kind_of(const char *text, const char **words) {
  if (strcmp(text, "expert") == 0 || begins(text, "expert:", words)) {
    if (strcmp(text, "expert") == 0) *words = "expert";
    return &train_actor_expert;
  }
  *words = text;
  return strncmp(text, "ws://", 5) == 0 ? &train_actor_served : &train_actor_program;
}

orr_code train_actor_open(const char *text, const train_actor_world *w, train_actor **out) {
  const char *words;
  orr_code rc;
  train_actor *a = orr_calloc(1, sizeof *a);
  ORR_CHECK(a, ORR_ENOMEM, "policy %s: out of memory", text);
  *a = (train_actor){.name = text, .w = w, .kind = kind_of(text, &words)};
  a->left = orr_calloc((size_t)w->places, sizeof *a->left);
  ORR_CHECK_GOTO(a->left, fail, ORR_ENOMEM, "policy %s: out of memory", text);
  ORR_TRY_GOTO(a->kind->open(w, words, &a->self), fail);
  *out = a;
  return ORR_OK;
fail:
  train_actor_close(a);
  return rc;
}

void train_actor_close(train_actor *a) {
  if (!a) return;
  a->kind->close(a->self);
  for (int64_t i = 0; a->left && i < a->w->places; i++) orr_free(a->left[i].actions);
  orr_free(a->left);
  orr_free(a);
}

const char *train_actor_name(const train_actor *a) {
  return a->name;
}

double train_actor_slowest_s(const train_actor *a) {
  return a->slowest_s;
}

orr_code train_actor_begin(train_actor *a, int64_t place, uint64_t trial) {
  a->left[place].count = a->left[place].taken = 0;
  return a->kind->begin(a->self, place, trial);
}

orr_code train_actor_watch(train_actor *a, int64_t place, const uint8_t *frame, const float *led) {
  return a->kind->watch ? a->kind->watch(a->self, place, frame, led) : ORR_OK;
}

// Keeps what was answered, for its memory is the actor's own.
static orr_code keep(train_actor *a, queue *q, const float *chunk, int64_t rows) {
  const int64_t A = a->w->A;
  ORR_CHECK(rows >= 1, ORR_EFORMAT, "policy %s: an answer without actions", a->name);
  if (a->w->replan && rows > a->w->replan) rows = a->w->replan;
  if (rows > q->room) {
    float *more = orr_realloc(q->actions, (size_t)(rows * A) * sizeof *more);
    ORR_CHECK(more, ORR_ENOMEM, "policy %s: out of memory", a->name);
    q->actions = more;
    q->room = rows;
  }
  for (int64_t i = 0; i < rows * A; i++) {
    ORR_CHECK(isfinite(chunk[i]), ORR_EFORMAT,
              "policy %s: component %" PRId64 " of action %" PRId64 " of its answer is %g", a->name,
              i % A, i / A, (double)chunk[i]);
    q->actions[i] = fmaxf(-1, fminf(1, chunk[i]));
  }
  q->count = rows;
  q->taken = 0;
  return ORR_OK;
}

orr_code train_actor_act(train_actor *a, int64_t place, const uint8_t *frame, const float *led,
                         float *action) {
  const int64_t A = a->w->A;
  queue *q = &a->left[place];
  if (q->taken < q->count) {
    ORR_TRY(train_actor_watch(a, place, frame, led));
  } else {
    const float *chunk;
    int64_t rows = 0;
    const double begin = orr_clock_ms();
    ORR_TRY(a->kind->ask(a->self, place, frame, led, &chunk, &rows));
    a->slowest_s = fmax(a->slowest_s, (orr_clock_ms() - begin) / 1000);
    ORR_TRY(keep(a, q, chunk, rows));
  }
  memcpy(action, q->actions + q->taken++ * A, (size_t)A * sizeof *action);
  return ORR_OK;
}
