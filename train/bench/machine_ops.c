#include "train/bench/machine_ops.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sort.h"
#include "configs/config.h"
#include "train/bench/synthetic.h"
#include "train/plan/estimate.h"

// Widths, heads, hidden widths, layers, frames, rows = columns of tokens, clips, codes.
static const struct {
  int width, heads, hidden, layers, frames, side, clips, codes;
} shapes[] = {{64, 2, 192, 4, 8, 4, 4, 256},     {64, 2, 192, 4, 16, 8, 4, 1000},
              {128, 4, 384, 4, 8, 4, 4, 1000},   {128, 4, 384, 4, 16, 8, 4, 1000},
              {256, 4, 768, 4, 8, 4, 4, 1000},   {256, 4, 768, 4, 16, 8, 2, 1000},
              {256, 4, 768, 4, 16, 8, 8, 4096},  {384, 6, 1152, 4, 8, 8, 2, 1000},
              {512, 8, 1536, 4, 16, 8, 2, 1000}, {768, 12, 2304, 2, 8, 8, 2, 4096}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct {
  kern_work work;
  double s;
} sample;

// Of one step: what its ops took.
typedef struct {
  sample *list;
  int count, room;
  bool alone; // one thread of a CPU: its computing time counts, whatever else the machine does
  int64_t began_ns;
  double ops_s;
} timings;

static int64_t now_ns(const timings *l) {
  return l->alone ? orr_clock_cpu_ns() : orr_clock_ns();
}

static orr_code before(void *ctx, kern *k) {
  timings *l = ctx;
  if (k->device_memory) ORR_TRY(kern_sync(k));
  l->began_ns = now_ns(l);
  return ORR_OK;
}

static orr_code after(void *ctx, kern *k, const kern_work *work) {
  timings *l = ctx;
  if (k->device_memory) ORR_TRY(kern_sync(k));
  const double s = (double)(now_ns(l) - l->began_ns) * 1e-9;
  l->ops_s += s;
  if (l->count == l->room) {
    const int room = 2 * l->room + 1024;
    sample *list = orr_realloc(l->list, (size_t)room * sizeof *list);
    ORR_CHECK(list, ORR_ENOMEM, "bench: out of memory for %d timings", room);
    l->list = list;
    l->room = room;
  }
  l->list[l->count++] = (sample){*work, s > 0.0 ? s : 1e-9};
  return ORR_OK;
}

// By what was done, then by time.
static int compare(const void *a, const void *b) {
  const sample *x = a, *y = b;
  if (x->work.op != y->work.op) return x->work.op < y->work.op ? -1 : 1;
  if (x->work.type != y->work.type) return x->work.type < y->work.type ? -1 : 1;
  if (x->work.causal != y->work.causal) return x->work.causal < y->work.causal ? -1 : 1;
  const int dims = memcmp(x->work.dim, y->work.dim, sizeof x->work.dim);
  if (dims != 0) return dims;
  if (x->work.bytes != y->work.bytes) return x->work.bytes < y->work.bytes ? -1 : 1;
  return (x->s > y->s) - (x->s < y->s);
}

static bool same(const sample *a, const sample *b) {
  return a->work.op == b->work.op && a->work.type == b->work.type &&
         a->work.causal == b->work.causal && a->work.bytes == b->work.bytes &&
         memcmp(a->work.dim, b->work.dim, sizeof a->work.dim) == 0;
}

// The mean of the middle half of the times of each kind.
static orr_code settle(timings *l, train_machine *m) {
  qsort(l->list, (size_t)l->count, sizeof *l->list, compare);
  for (int i = 0, end; i < l->count; i = end) {
    double sum = 0.0;
    end = i;
    while (end < l->count && same(&l->list[i], &l->list[end])) end++;
    const int n = end - i, from = i + n / 4, to = end - n / 4;
    for (int j = from; j < to; j++) sum += l->list[j].s;
    ORR_TRY(train_machine_add_op(m, &l->list[i].work, sum / (to - from)));
  }
  return ORR_OK;
}

static orr_code configure(cfg *c, int shape, bool bf16, bool micro) {
  char text[64];
#define SET(...)                                                                                   \
  do {                                                                                             \
    snprintf(text, sizeof text, __VA_ARGS__);                                                      \
    ORR_TRY(cfg_set(c, text));                                                                     \
  } while (0)
  SET("model.width=%d", shapes[shape].width);
  SET("model.heads=%d", shapes[shape].heads);
  SET("model.kv_heads=%d", shapes[shape].heads);
  SET("model.hidden=%d", shapes[shape].hidden);
  SET("model.layers=%d", shapes[shape].layers);
  SET("model.rows=%d", shapes[shape].side);
  SET("model.cols=%d", shapes[shape].side);
  SET("model.registers=3");
  SET("model.time_every=2");
  SET("model.actions=8");
  SET("model.codes=%d", shapes[shape].codes);
  SET("data.frames=%d", shapes[shape].frames);
  SET("train.batch=%d", shapes[shape].clips);
  SET("train.micro_batch=%d", micro ? shapes[shape].clips / 2 : 0);
  SET("run.precision=%s", bf16 ? "bf16" : "fp32");
#undef SET
  return ORR_OK;
}

// What of the steps was no op: seconds, and tokens.
typedef struct {
  double s[4 * SHAPES], tokens[4 * SHAPES];
  int n;
} rest;

static orr_code run_steps(train_step *s, const data_clip_batch *b, int64_t steps, timings *l,
                          double *rest_s) {
  double least = INFINITY;
  for (int64_t i = 1; i <= steps + 1; i++) {
    train_step_result x;
    const int64_t from = now_ns(l);
    l->ops_s = 0.0;
    ORR_TRY(
        train_step_run(s, b,
                       &(train_step_request){
                           .step = i, .lr = 1e-4, .most_loss = INFINITY, .most_norm = INFINITY}));
    ORR_TRY(train_step_results(s, &x));
    const double others = (double)(now_ns(l) - from) * 1e-9 - l->ops_s;
    if (i == 1) l->count = 0; // warm
    if (i > 1 && others < least) least = others;
  }
  *rest_s = least;
  return ORR_OK;
}

static orr_code time_model(cfg *c, const kern_setup *setup, int64_t steps, timings *l, rest *r) {
  dist_grid one;
  train_axes axes;
  train_step s = {0};
  data_clip_batch *b = NULL;
  kern *k = NULL;
  ORR_TRY(dist_grid_init(1, 1, 1, 0, 1, &one));
  ORR_TRY(kern_open(setup, &k));
  train_axes_init(&axes, &one, NULL);
  l->alone = k->threads == 1 && !k->device_memory;
  c->run.capture = false;
  orr_code rc = train_step_plan(&s, c, &axes, k);
  if (rc == ORR_OK) rc = train_step_commit(&s);
  if (rc == ORR_OK) rc = train_state_fill(&s.state, 1);
  if (rc == ORR_OK) rc = train_bench_synthetic(c, &one, s.clips, &b);
  if (rc == ORR_OK) {
    kern_watch w = {.ctx = l, .before = before, .after = after};
    kern_watch_begin(k, &w);
    rc = run_steps(&s, b, steps, l, &r->s[r->n]);
    kern_watch_end(k);
    r->tokens[r->n++] = (double)s.clips * s.stage->tokens_per_clip;
  }
  data_clip_batch_destroy(b);
  train_step_release(&s);
  kern_destroy(k);
  return rc;
}

// A straight line through what was no op, by tokens, nowhere below zero.
static void fit_rest(const rest *r, train_machine *m) {
  double n = r->n, x = 0, y = 0, xx = 0, xy = 0;
  for (int i = 0; i < r->n; i++) {
    x += r->tokens[i];
    y += r->s[i];
    xx += r->tokens[i] * r->tokens[i];
    xy += r->tokens[i] * r->s[i];
  }
  const double slope = (n * xy - x * y) / (n * xx - x * x), at = (y - slope * x) / n;
  m->host_token_s = slope > 0.0 ? slope : 0.0;
  m->host_step_s = slope > 0.0 ? (at > 0.0 ? at : 0.0) : y / n;
}

static orr_code time_shape(dist_world *w, const kern_setup *setup, int shape, int way,
                           int64_t steps, train_machine *m, rest *r) {
  timings l = {0};
  cfg *c = NULL;
  ORR_TRY(dist_barrier(w->axis[DIST_AXIS_WORLD]));
  ORR_TRY(cfg_create(&c));
  orr_code rc = configure(c, shape, way > 1, way % 2);
  if (rc == ORR_OK) rc = time_model(c, setup, steps, &l, r);
  if (rc == ORR_OK) rc = settle(&l, m);
  orr_free(l.list);
  cfg_destroy(c);
  return rc;
}

orr_code train_bench_machine_ops(dist_world *w, const kern_setup *setup, int64_t steps,
                                 train_machine *m) {
  kern *k = NULL;
  rest r = {.n = 0};
  ORR_TRY(kern_open(setup, &k));
  const int ways = k->bf16_native || k->device_memory ? 4 : 2; // of types and micro-batches
  kern_destroy(k);
  for (int way = 0; way < ways; way++)
    for (int i = 0; i < SHAPES; i++) {
      if (way % 2 && i % 2) continue; // half the rows of others
      ORR_TRY(time_shape(w, setup, i, way, steps, m, &r));
      if (w->grid.rank == 0)
        ORR_INFO("%s, width %d, %d clips of %d frames: %d ops timed so far",
                 way > 1 ? "bf16" : "fp32", shapes[i].width, shapes[i].clips, shapes[i].frames,
                 m->op_count);
    }
  fit_rest(&r, m);
  return ORR_OK;
}
