#include "train/run/observer.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/observe/history.h"
#include "train/observe/ranks.h"
#include "train/observe/sinks.h"
#include "train/observe/trace.h"

enum { SPANS = 1 << 16 }; // of a traced step, at most

struct train_observer {
  const cfg *c;
  dist_world *world;
  train_profile *profile; // NULL = off, and so the next one
  train_ranks *ranks;
  train_times times; // of the step that ended last
  train_trace_range traced;
  // Rank 0.
  train_metrics *metrics;
  train_history *history;
  train_sinks *sinks; // NULL = none
  train_vitals vitals;
  train_outage *outage; // of the run's folder
  bool trace_unwritten; // on all ranks
};

static orr_code open_metrics(train_observer *o, int64_t from) {
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof path, o->c->run.dir, "metrics.jsonl"));
  return train_metrics_open(path, from, o->outage, &o->metrics);
}

// Bytes by class; NULL without memory for it.
static json_t *memory_of(const train_accounting *a) {
  train_account all[TRAIN_ACCOUNTS];
  json_t *j = json_object();
  train_accounting_memory(a, all);
  for (int i = 0; i < TRAIN_ACCOUNTS; i++)
    json_object_set_new(j, all[i].name, json_integer((json_int_t)all[i].bytes));
  return j;
}

static orr_code open_files(train_observer *o, const train_accounting *memory, double begun_ms,
                           int64_t from) {
  json_t *bytes = memory_of(memory);
  const orr_code rc = train_history_open(o->c->run.dir, &o->world->grid, begun_ms, from, bytes,
                                         o->outage, &o->history);
  json_decref(bytes);
  ORR_TRY(rc);
  ORR_TRY(open_metrics(o, from));
  ORR_TRY(train_sinks_create(o->c, from, o->outage, &o->sinks));
  return o->c->metrics.pushgateway[0] ? train_vitals_read(o->c->run.dir, &o->vitals) : ORR_OK;
}

orr_code train_observer_create(const cfg *c, dist_world *w, const train_accounting *memory,
                               double begun_ms, int64_t from, train_outage *outage,
                               train_observer **out) {
  orr_code rc = ORR_OK;
  train_observer *o = orr_calloc(1, sizeof *o);
  if (o) {
    *o = (train_observer){.c = c, .world = w, .outage = outage};
    rc = train_trace_parse(c->train.trace_steps, &o->traced);
    if (rc == ORR_OK && c->metrics.profile) rc = train_profile_create(w->recorder, &o->profile);
    if (rc == ORR_OK && w->grid.rank == 0) rc = open_files(o, memory, begun_ms, from);
  } else {
    rc = ORR_FAIL(ORR_ENOMEM, "metrics: out of memory");
  }
  rc = dist_agree(w->axis[DIST_AXIS_WORLD], rc, "open outputs");
  if (rc == ORR_OK && c->metrics.profile)
    rc = train_ranks_create(w, c->metrics.ranks_every, &o->ranks);
  if (rc != ORR_OK) {
    train_observer_destroy(o);
    return rc;
  }
  *out = o;
  return ORR_OK;
}

void train_observer_destroy(train_observer *o) {
  if (!o) return;
  train_sinks_destroy(o->sinks);
  train_metrics_close(o->metrics);
  train_history_close(o->history);
  train_ranks_destroy(o->ranks);
  train_profile_destroy(o->profile);
  orr_free(o);
}

train_profile *train_observer_profile(train_observer *o) {
  return o ? o->profile : NULL;
}

static orr_code keep_spans_from(train_observer *o, int64_t step) {
  if (!o->profile || step != o->traced.first) return ORR_OK;
  return train_profile_trace(o->profile, SPANS * (o->traced.last - o->traced.first + 1));
}

orr_code train_observer_begin(train_observer *o, int64_t step) {
  train_profile_begin(o->profile, step);
  return keep_spans_from(o, step);
}

orr_code train_observer_turn(train_observer *o, int64_t step) {
  const train_span *spans;
  int64_t dropped;
  train_profile_turn(o->profile, step, &o->times);
  if (o->profile && step - 1 == o->traced.last) train_profile_spans(o->profile, &spans, &dropped);
  return keep_spans_from(o, step);
}

double train_observer_step_ms(const train_observer *o) {
  double sum = 0.0;
  for (int i = 0; i < TRAIN_PHASES; i++) sum += o->times.phase[i];
  return o->profile ? sum : NAN;
}

static void show_vitals(const train_observer *o) {
  if (o->vitals.state) train_sinks_vitals(o->sinks, &o->vitals);
}

static void tell_straggler(train_observer *o, int64_t step) {
  const char *event, *words = train_ranks_straggler(o->ranks, &event);
  if (words) train_observer_tell_step(o, event, step, "%s", words);
}

static double least(double a, double b) {
  return a < b ? a : b;
}

// The phases of a step on a device of its own, by the device's clock. The host's waits count as far
// as the device had nothing to do meanwhile. What the axes inside the passes take is part of the
// passes.
static void device_times(const train_step_metrics *s, train_times *t) {
  const double *ms = s->timed_ms;
  double busy = 0.0;
  for (int i = 0; i < TRAIN_TIMED; i++) busy += ms[i];
  for (int i = 0; i < TRAIN_PHASES; i++) t->phase[i] = NAN;
  for (int i = 0; i < DIST_AXES; i++) t->hidden[i] = NAN;
  t->cpu = NAN;
  if (!(busy > 0.0)) return;
  const double idle = s->step_ms > busy ? s->step_ms - busy : 0.0,
               data = least(s->data_wait_ms, idle), ckpt = least(s->ckpt_stall_ms, idle - data);
  t->phase[TRAIN_PHASE_DATA] = data;
  t->phase[TRAIN_PHASE_CHECKPOINT] = ckpt;
  t->phase[TRAIN_PHASE_INPUT] = ms[TRAIN_TIMED_INPUTS];
  t->phase[TRAIN_PHASE_FORWARD] = ms[TRAIN_TIMED_FORWARD];
  t->phase[TRAIN_PHASE_BACKWARD] = ms[TRAIN_TIMED_BACKWARD];
  t->phase[TRAIN_PHASE_OPTIMIZER] = ms[TRAIN_TIMED_OPTIMIZER];
  t->phase[TRAIN_PHASE_AXIS + DIST_AXIS_REPLICA] = ms[TRAIN_TIMED_COMMUNICATION];
  t->phase[TRAIN_PHASE_OTHER] = idle - data - ckpt;
}

// The waits that every line has are phases too: parts of one sum. comm_ms is that of the axes.
static void take_waits(const train_times *t, train_step_metrics *s) {
  if (isnan(t->phase[TRAIN_PHASE_DATA])) return; // not told apart
  s->data_wait_ms = t->phase[TRAIN_PHASE_DATA];
  s->ckpt_stall_ms = t->phase[TRAIN_PHASE_CHECKPOINT];
  s->comm_ms = 0.0;
  for (int i = 0; i < DIST_AXES; i++) {
    const double ms = t->phase[TRAIN_PHASE_AXIS + i];
    if (isfinite(ms)) s->comm_ms += ms;
  }
}

// Collective over the world. A run is worth more than its trace; a second try comes at the end.
static orr_code write_trace(train_observer *o) {
  const bool again = o->trace_unwritten;
  const orr_code rc = train_trace_write(o->profile, o->world, o->c->run.dir, &o->traced,
                                        train_ranks_named(o->ranks));
  o->trace_unwritten = rc != ORR_OK;
  if (rc == ORR_OK || rc == ORR_ECOMM) return rc;
  if (o->world->grid.rank == 0)
    ORR_WARN("%s; training goes on, the trace is %s", orr_status_message(),
             again ? "lost" : "written at its end");
  orr_status_clear();
  return ORR_OK;
}

orr_code train_observer_end(train_observer *o, const train_step_metrics *step, orr_code *logged) {
  train_times times = o->times;
  train_step_metrics with_times = *step, *s = &with_times;
  train_scalars v;
  if (s->device) device_times(s, &times);
  if (o->profile) take_waits(&times, s);
  train_metrics_list(s, &v);
  ORR_TRY(train_ranks_step(o->ranks, s->step, &times, &v));
  if (o->metrics && *logged == ORR_OK) {
    train_metrics_write(o->metrics, &v);
    train_sinks_put(o->sinks, &v);
    train_vitals_step(&o->vitals, s->step_ms - s->data_wait_ms - s->ckpt_stall_ms, !s->skipped);
    show_vitals(o);
    tell_straggler(o, s->step);
  }
  if (o->profile && s->step == o->traced.last) return write_trace(o);
  return ORR_OK;
}

orr_code train_observer_finish(train_observer *o) {
  return o->trace_unwritten ? write_trace(o) : ORR_OK;
}

void train_observer_saved(train_observer *o, int64_t step) {
  if (!o || o->vitals.saved == step) return;
  o->vitals.saved = step;
  o->vitals.saved_wall_s = orr_clock_wall();
}

// What state an event of the run's life brings; NULL: it stays as it is.
static const char *state_of(const char *event) {
  static const char *const ends[] = {"finished", "stopped", "failed"};
  if (strcmp(event, "ready") == 0) return "training";
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (strcmp(event, ends[i]) == 0) return ends[i];
  return NULL;
}

void train_observer_tell(train_observer *o, const char *event, int64_t step, const char *words) {
  if (!o) return;
  if (state_of(event)) {
    o->vitals.state = state_of(event);
    show_vitals(o);
  }
  train_history_add(o->history, event, step, words);
  train_sinks_tell(o->sinks, event, step, words);
}

void train_observer_show(train_observer *o, const char *tag, int64_t step, const char *path) {
  if (o->metrics && path[0]) train_sinks_show(o->sinks, tag, step, path);
}

void train_observer_note(train_observer *o, const char *event, int64_t step) {
  if (o) train_history_add(o->history, event, step, NULL);
}

void train_observer_tell_step(train_observer *o, const char *event, int64_t step, const char *fmt,
                              ...) {
  char words[512];
  va_list args;
  if (!o || !o->history) return;
  va_start(args, fmt);
  vsnprintf(words, sizeof words, fmt, args);
  va_end(args);
  ORR_WARN("step %" PRId64 ": %s", step, words);
  train_observer_tell(o, event, step, words);
}

orr_code train_observer_rewind(train_observer *o, int64_t from) {
  if (!o->metrics) return ORR_OK;
  train_metrics_close(o->metrics);
  o->metrics = NULL;
  ORR_TRY(train_history_rewind(o->history, o->c->run.dir, from));
  ORR_TRY(open_metrics(o, from));
  train_sinks_rewind(o->sinks, from);
  return ORR_OK;
}
