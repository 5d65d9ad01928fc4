#include "train/plan/failures.h"

#include <math.h>

#include "base/rng.h"

enum { RUNS = 16, MOST_NODES_AWAY = 4096 };

typedef struct {
  const train_failures_request *q;
  uint64_t run, draws;
  double now, done; // seconds; seconds of work at full size that are saved or still held
  double back[MOST_NODES_AWAY]; // when nodes that failed are there again
  int away;
  train_failures sum; // seconds
} state;

static double exponential(state *s, double mean) {
  const double u = orr_rng_uniform(s->q->seed, ORR_STREAM_FAILURES, s->run, s->draws++);
  return -mean * log1p(-u);
}

// Nodes that can run now, those that came back included.
static int there(state *s) {
  int away = 0;
  for (int i = 0; i < s->away; i++)
    if (s->back[i] > s->now) s->back[away++] = s->back[i];
  s->away = away;
  return s->q->nodes + s->q->spares - away;
}

// Nodes at work: all that were asked for, else whole segments of them.
static int at_work(state *s) {
  const int n = there(s), segment = s->q->segment > 0 ? s->q->segment : 1;
  if (n >= s->q->nodes) return s->q->nodes;
  const int fewer = n / segment * segment;
  return fewer > 0 ? fewer : n > 0 ? n : 0;
}

// When the next node that is away comes back.
static double next_back(const state *s) {
  double at = INFINITY;
  for (int i = 0; i < s->away; i++) at = fmin(at, s->back[i]);
  return at;
}

// What copies in a neighbour's memory add to a step.
static double copy_s(const train_failures_request *q) {
  return q->copies > 0 ? q->copy_s / (double)q->copies : 0.0;
}

// Steps of a stretch of work of `s` seconds with a checkpoint each interval: how many are made, and
// how many of them are safe when it breaks.
static void count_steps(const train_failures_request *q, double step_s, double s, double *made,
                        double *safe) {
  const double each = step_s + copy_s(q), round = (double)q->interval * each + q->save_s,
               rounds = floor(s / round),
               rest = fmin((s - rounds * round) / each, (double)q->interval);
  *made = rounds * (double)q->interval + floor(rest);
  *safe = rounds * (double)q->interval;
  if (q->copies > 0) *safe = fmax(*safe, floor(*made / (double)q->copies) * (double)q->copies);
}

static void lose_node(state *s) {
  s->sum.failures++;
  if (s->away < MOST_NODES_AWAY) s->back[s->away++] = s->now + s->q->repair_s;
}

// Until the job works again. Nodes fail in that time, too, and then it begins anew.
static void restart(state *s) {
  const train_failures_request *q = s->q;
  const double began = s->now;
  for (;;) {
    const double fails = exponential(s, q->mtbf_s);
    if (fails >= q->restart_s) break;
    s->now += fails;
    lose_node(s);
  }
  s->now += q->restart_s;
  s->sum.restarts += s->now - began;
}

// Until the next failure, or the end of the work: a node that returns is used from the next start
// on.
static void work(state *s, double goal) {
  const train_failures_request *q = s->q;
  const int n = at_work(s);
  if (n == 0) { // nothing to run on
    const double until = next_back(s);
    s->sum.restarts += until - s->now;
    s->now = until;
    return;
  }
  const double part = (double)n / q->nodes, step_s = q->step_s / part,
               fails = exponential(s, q->mtbf_s / part), left = (goal - s->done) / part,
               others = (copy_s(q) + q->save_s / (double)q->interval) / step_s,
               stretch = fmin(fails, left * (1.0 + others));
  double made, safe;
  count_steps(q, step_s, stretch, &made, &safe);
  const double useful = stretch == fails ? safe : made;
  s->now += stretch;
  s->done += useful * q->step_s;
  s->sum.goodput += useful * q->step_s;
  s->sum.smaller += useful * (step_s - q->step_s);
  s->sum.saves += floor(made / (double)q->interval) * q->save_s + made * copy_s(q);
  s->sum.lost += (made - useful) * step_s;
  if (stretch < fails) return;
  lose_node(s);
  restart(s);
}

train_failures train_failures_simulate(const train_failures_request *q) {
  train_failures all = {0};
  double time = 0.0;
  for (uint64_t run = 0; run < RUNS; run++) {
    state s = {.q = q, .run = run};
    const double goal = q->days * 86400.0;
    while (goal - s.done > q->step_s && s.now < 40.0 * goal) work(&s, goal);
    time += s.now;
    all.goodput += s.sum.goodput;
    all.lost += s.sum.lost;
    all.restarts += s.sum.restarts;
    all.saves += s.sum.saves;
    all.smaller += s.sum.smaller;
    all.failures += s.sum.failures;
  }
  return (train_failures){.goodput = all.goodput / time,
                          .lost = all.lost / time,
                          .restarts = all.restarts / time,
                          .saves = all.saves / time,
                          .smaller = all.smaller / time,
                          .failures = all.failures / RUNS};
}

double train_failures_best_interval_s(double save_s, double mtbf_s) {
  return sqrt(2.0 * save_s * mtbf_s);
}
