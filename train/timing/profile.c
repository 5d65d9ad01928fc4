#include "train/timing/profile.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dist/recorder.h"
#include "kernels/range.h"

enum { DEPTH = 16 };

typedef struct {
  train_phase phase;
  const char *name;
  int64_t index, from_ns;
} level;

struct train_profile {
  dist_recorder *recorder;
  kern_ranges *ranges; // NULL = no tool listens
  train_times now;
  int64_t flown_ns[DIST_AXES]; // up to here what is in flight was counted
  int64_t charged_ns;          // up to here the step's time is in a phase
  int64_t charged_cpu_ns;      // likewise of this thread's computing time
  level stack[DEPTH];
  int depth;        // level 0 is the step
  int64_t too_deep; // entered beyond the stack
  bool keeping;
  train_span *spans;
  int64_t room, n, dropped;
};

const char *train_phase_name(train_phase p) {
  static const char *const names[TRAIN_PHASE_AXIS] = {
      [TRAIN_PHASE_OTHER] = "other",          [TRAIN_PHASE_DATA] = "data",
      [TRAIN_PHASE_INPUT] = "input",          [TRAIN_PHASE_FORWARD] = "forward",
      [TRAIN_PHASE_BACKWARD] = "backward",    [TRAIN_PHASE_OPTIMIZER] = "optimizer",
      [TRAIN_PHASE_CHECKPOINT] = "checkpoint"};
  return p < TRAIN_PHASE_AXIS ? names[p] : dist_axis_name((dist_axis)(p - TRAIN_PHASE_AXIS));
}

static void charge(train_profile *p, train_phase phase, int64_t now_ns) {
  p->now.phase[phase] += 1e-6 * (double)(now_ns - p->charged_ns);
  p->charged_ns = now_ns;
}

// What the rank does by itself, whatever the others do.
static bool own(train_phase phase) {
  return phase >= TRAIN_PHASE_INPUT && phase <= TRAIN_PHASE_OPTIMIZER;
}

// The computing time since the last call is the current phase's; with `drop` nobody's, as MPI
// computes while it waits.
static void charge_cpu(train_profile *p, bool drop) {
  const int64_t now_ns = orr_clock_cpu_ns();
  if (!drop && own(p->stack[p->depth].phase))
    p->now.cpu += 1e-6 * (double)(now_ns - p->charged_cpu_ns);
  p->charged_cpu_ns = now_ns;
}

static void keep(train_profile *p, train_span span) {
  if (!p->keeping) return;
  if (p->n < p->room)
    p->spans[p->n++] = span;
  else
    p->dropped++;
}

// Calls in flight together count once; they end in the order of their starts.
static void count_flight(train_profile *p, dist_axis axis, int64_t from_ns, int64_t to_ns) {
  if (from_ns < p->flown_ns[axis]) from_ns = p->flown_ns[axis];
  if (to_ns <= from_ns) return;
  p->now.hidden[axis] += 1e-6 * (double)(to_ns - from_ns);
  p->flown_ns[axis] = to_ns;
}

static void push_range(train_profile *p, const char *name, int64_t number) {
  if (p->ranges) kern_range_push(p->ranges, name, number);
}

static void pop_range(train_profile *p) {
  if (p->ranges) kern_range_pop(p->ranges);
}

static void push_call(train_profile *p, const dist_call *call) {
  char name[64];
  if (!p->ranges) return;
  snprintf(name, sizeof name, "%s %s", dist_axis_name(call->axis),
           dist_collective_name(call->collective));
  push_range(p, name, call->count);
}

// When a stay inside a call ends, what came before it is the phase's, the stay is the axis'; but
// what ranks say to each other to save is a part of what saving costs a step.
static void hear(void *ctx, const dist_call *call, dist_heard what, int64_t from_ns,
                 int64_t to_ns) {
  train_profile *p = ctx;
  const train_phase phase = (train_phase)(TRAIN_PHASE_AXIS + (int)call->axis),
                    around = p->stack[p->depth].phase;
  const bool flight = what == DIST_HEARD_FLIGHT;
  if (what == DIST_HEARD_ENTER) {
    charge_cpu(p, false);
    push_call(p, call);
    return;
  }
  if (flight) {
    count_flight(p, call->axis, from_ns, to_ns);
  } else {
    pop_range(p);
    charge_cpu(p, true);
    if (from_ns >= p->charged_ns) {
      charge(p, around, from_ns);
      charge(p, around == TRAIN_PHASE_CHECKPOINT ? around : phase, to_ns);
    }
  }
  keep(p, (train_span){.from_ns = from_ns,
                       .to_ns = to_ns,
                       .phase = phase,
                       .flight = flight,
                       .index = -1,
                       .call = *call});
}

orr_code train_profile_create(dist_recorder *recorder, train_profile **out) {
  train_profile *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "profile: out of memory");
  p->recorder = recorder;
  p->charged_ns = orr_clock_ns();
  p->ranges = kern_ranges_open();
  dist_recorder_tap(recorder, hear, p);
  *out = p;
  return ORR_OK;
}

void train_profile_destroy(train_profile *p) {
  if (!p) return;
  dist_recorder_tap(p->recorder, NULL, NULL);
  kern_ranges_close(p->ranges);
  orr_free(p->spans);
  orr_free(p);
}

static void begin_at(train_profile *p, int64_t step, int64_t now) {
  p->now = (train_times){0};
  p->charged_ns = now;
  p->charged_cpu_ns = orr_clock_cpu_ns();
  p->depth = 0;
  p->too_deep = 0;
  p->stack[0] = (level){.phase = TRAIN_PHASE_OTHER, .name = "step", .index = step, .from_ns = now};
  push_range(p, "step", step);
}

static void end_at(train_profile *p, int64_t now, train_times *out) {
  charge(p, p->stack[p->depth].phase, now);
  charge_cpu(p, false);
  for (int open = p->depth; open >= 0; open--) pop_range(p);
  p->depth = 0; // an error in between may have left some
  keep(p, (train_span){.from_ns = p->stack[0].from_ns,
                       .to_ns = now,
                       .name = p->stack[0].name,
                       .index = p->stack[0].index});
  *out = p->now;
  // What a rank waits for at last is not hidden.
  for (int a = 0; a < DIST_AXES; a++)
    out->hidden[a] = out->hidden[a] > out->phase[TRAIN_PHASE_AXIS + a]
                         ? out->hidden[a] - out->phase[TRAIN_PHASE_AXIS + a]
                         : 0.0;
}

void train_profile_begin(train_profile *p, int64_t step) {
  if (p) begin_at(p, step, orr_clock_ns());
}

void train_profile_end(train_profile *p, train_times *out) {
  *out = (train_times){0};
  if (p) end_at(p, orr_clock_ns(), out);
}

void train_profile_turn(train_profile *p, int64_t step, train_times *out) {
  const int64_t now = orr_clock_ns();
  *out = (train_times){0};
  if (!p) return;
  end_at(p, now, out);
  begin_at(p, step, now);
}

void train_profile_enter(train_profile *p, train_phase phase, const char *name, int64_t index) {
  if (!p) return;
  if (p->depth + 1 == DEPTH) {
    p->too_deep++;
    return;
  }
  const int64_t now = orr_clock_ns();
  charge(p, p->stack[p->depth].phase, now);
  charge_cpu(p, false);
  p->stack[++p->depth] = (level){.phase = phase, .name = name, .index = index, .from_ns = now};
  push_range(p, name, index);
}

void train_profile_leave(train_profile *p) {
  if (!p) return;
  if (p->too_deep > 0) {
    p->too_deep--;
    return;
  }
  if (p->depth == 0) return;
  const int64_t now = orr_clock_ns();
  charge_cpu(p, false);
  const level *l = &p->stack[p->depth--];
  charge(p, l->phase, now);
  pop_range(p);
  keep(p, (train_span){.from_ns = l->from_ns,
                       .to_ns = now,
                       .phase = l->phase,
                       .name = l->name,
                       .index = l->index});
}

orr_code train_profile_trace(train_profile *p, int64_t room) {
  orr_free(p->spans);
  p->n = p->dropped = 0;
  p->room = room;
  p->spans = orr_calloc((size_t)room, sizeof *p->spans);
  ORR_CHECK(p->spans, ORR_ENOMEM, "trace: out of memory for %" PRId64 " spans", room);
  p->keeping = true;
  return ORR_OK;
}

int64_t train_profile_spans(train_profile *p, const train_span **spans, int64_t *dropped) {
  *spans = p->spans;
  *dropped = p->dropped;
  p->keeping = false;
  return p->n;
}
