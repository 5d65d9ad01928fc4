#include "train/plan/estimate.h"

#include <math.h>

#include "base/mem.h"

// A collective under way.
typedef struct {
  double end, cost;
} flight;

typedef struct {
  const train_machine *m;
  const dist_grid *grid;
  train_estimate *out;
  double now, phase_began;
  double busy[DIST_AXES]; // until then an axis moves what was started
  flight *flights;
  int64_t count, room;
  orr_code rc; // ORR_ENOMEM of the list
} pass;

static orr_code op_runs(void *ctx, kern *k, const kern_work *work) {
  pass *p = ctx;
  const double s = train_machine_op_s(p->m, work);
  p->now += s;
  p->out->ops += s > 0.0; // of no rows: not called
  return ORR_OK;
}

static double cost_of(const pass *p, dist_axis axis, train_move move, double bytes) {
  const dist_axis_line l = dist_grid_line(p->grid, axis);
  return train_machine_move_s(p->m, move, l.size, (l.size - 1) * l.step + 1, bytes);
}

static void expose(pass *p, dist_axis axis, double s) {
  p->out->exposed_s[axis] += s;
  p->now += s;
}

// Notes when a collective is over; its number is the request's ticket.
static void take_off(pass *p, flight f, dist_request *r) {
  if (p->count == p->room) {
    const int64_t room = 2 * p->room + 256;
    flight *flights = orr_realloc(p->flights, (size_t)room * sizeof *flights);
    if (!flights) {
      p->rc = ORR_FAIL(ORR_ENOMEM, "estimate of a step: out of memory");
      return;
    }
    p->flights = flights;
    p->room = room;
  }
  r->ticket = p->count;
  p->flights[p->count++] = f;
}

static void moves(void *ctx, dist_axis axis, train_move move, double bytes, dist_request *r) {
  pass *p = ctx;
  const double cost = cost_of(p, axis, move, bytes);
  p->out->moving_s[axis] += cost;
  if (!r) {
    expose(p, axis, cost);
    return;
  }
  if (p->busy[axis] < p->now) p->busy[axis] = p->now;
  p->busy[axis] += cost;
  take_off(p, (flight){p->busy[axis], cost}, r);
}

static void waits(void *ctx, dist_axis axis, const dist_request *r) {
  pass *p = ctx;
  if (p->rc != ORR_OK || r->ticket >= p->count) return;
  const flight *f = &p->flights[r->ticket];
  if (!p->m->overlap)
    expose(p, axis, f->cost);
  else if (f->end > p->now)
    expose(p, axis, f->end - p->now);
}

static void phase_ends(void *ctx, train_timed phase) {
  pass *p = ctx;
  p->out->phase_s[phase] += p->now - p->phase_began;
  p->phase_began = p->now;
}

orr_code train_estimate_step(train_step *s, const train_machine *m, train_estimate *out) {
  *out = (train_estimate){0};
  pass p = {.m = m, .grid = &s->axes->grid, .out = out};
  const train_axes_watch axes = {.ctx = &p, .moves = moves, .waits = waits};
  kern_watch ops = {.ctx = &p, .after = op_runs};
  const double tokens = (double)s->clips * s->stage->tokens_per_clip;
  p.now = m->host_step_s + m->host_token_s * tokens;
  kern_watch_begin(s->k, &ops);
  s->axes->watch = &axes;
  train_timer_watch(s->timer, phase_ends, &p);
  orr_code rc = train_step_rehearse(s);
  train_timer_watch(s->timer, NULL, NULL);
  s->axes->watch = NULL;
  kern_watch_end(s->k);
  orr_free(p.flights);
  out->step_s = p.now;
  return rc == ORR_OK ? p.rc : rc;
}
