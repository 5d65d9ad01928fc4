#include "train/timing/timer.h"

#include <string.h>

#include "base/mem.h"
#include "train/timing/marks.h"

// The marks of one step: mark 0 is its beginning, mark i the end of phase[i].
typedef struct {
  int marks, before; // of this step, and of the one before in this set
  train_timed phase[TRAIN_TIMER_MARKS];
} marked_step;

struct train_timer {
  kern *k;
  int begun, read; // steps, modulo 2
  marked_step step[2];
  void (*told)(void *ctx, train_timed phase);
  void *ctx;
};

const char *train_timed_name(train_timed p) {
  static const char *const names[TRAIN_TIMED] = {[TRAIN_TIMED_INPUTS] = "inputs",
                                                 [TRAIN_TIMED_FORWARD] = "forward",
                                                 [TRAIN_TIMED_BACKWARD] = "backward",
                                                 [TRAIN_TIMED_COMMUNICATION] = "communication",
                                                 [TRAIN_TIMED_OPTIMIZER] = "optimizer"};
  return names[p];
}

orr_code train_timer_create(kern *k, train_timer **out) {
  train_timer *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "phases of a step: out of memory");
  p->k = k;
  p->begun = 1; // the next begin is of set 0
  *out = p;
  return ORR_OK;
}

void train_timer_destroy(train_timer *p) {
  orr_free(p);
}

void train_timer_watch(train_timer *p, void (*told)(void *ctx, train_timed phase), void *ctx) {
  p->told = told;
  p->ctx = ctx;
}

static int slot(int set, int mark) {
  return TRAIN_MARK_TIMER + set * TRAIN_TIMER_MARKS + mark;
}

orr_code train_timer_begin(train_timer *p) {
  p->begun ^= 1;
  marked_step *s = &p->step[p->begun];
  s->before = s->marks;
  s->marks = 1;
  return kern_mark(p->k, slot(p->begun, 0));
}

int train_timer_set(const train_timer *p) {
  return p->begun;
}

void train_timer_replayed(train_timer *p) {
  p->step[p->begun].marks = p->step[p->begun].before;
}

orr_code train_timer_end(train_timer *p, train_timed phase) {
  if (!p) return ORR_OK;
  if (p->k->planning) {
    if (p->told) p->told(p->ctx, phase);
    return ORR_OK;
  }
  marked_step *s = &p->step[p->begun];
  // The last two are kept for the phases after the micro-batches.
  const bool inner = phase == TRAIN_TIMED_FORWARD || phase == TRAIN_TIMED_BACKWARD;
  if (s->marks >= TRAIN_TIMER_MARKS - (inner ? 4 : 0)) return ORR_OK;
  s->phase[s->marks] = phase;
  return kern_mark(p->k, slot(p->begun, s->marks++));
}

orr_code train_timer_read(train_timer *p, double *ms) {
  const marked_step *s = &p->step[p->read];
  memset(ms, 0, TRAIN_TIMED * sizeof *ms);
  for (int i = 1; i < s->marks; i++) {
    double part;
    ORR_TRY(kern_await(p->k, slot(p->read, i)));
    ORR_TRY(kern_elapsed(p->k, slot(p->read, i - 1), slot(p->read, i), &part));
    ms[s->phase[i]] += part;
  }
  p->read ^= 1;
  return ORR_OK;
}
