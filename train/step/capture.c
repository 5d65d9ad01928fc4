#include "train/step/capture.h"

#include "base/log.h"
#include "base/mem.h"

typedef struct {
  void *graph;  // NULL: not captured
  bool plainly; // there was no memory for it
} step_shape;

struct train_capture {
  kern *k;
  train_axes *axes;
  bool warm;
  int64_t shapes;
  step_shape *shape; // [shapes]
};

orr_code train_capture_create(kern *k, train_axes *axes, int64_t shapes, train_capture **out) {
  train_capture *r = orr_calloc(1, sizeof *r);
  step_shape *shape = orr_calloc((size_t)shapes, sizeof *shape);
  if (!r || !shape) {
    orr_free(r);
    orr_free(shape);
    return ORR_FAIL(ORR_ENOMEM, "captures of a step: out of memory");
  }
  *r = (train_capture){.k = k, .axes = axes, .shapes = shapes, .shape = shape};
  *out = r;
  return ORR_OK;
}

void train_capture_destroy(train_capture *r) {
  if (!r) return;
  for (int64_t i = 0; i < r->shapes; i++) kern_graph_free(r->k, r->shape[i].graph);
  orr_free(r->shape);
  orr_free(r);
}

bool train_capture_has(const train_capture *r, int64_t shape) {
  return r->shape[shape].graph != NULL;
}

int64_t train_capture_captured(const train_capture *r) {
  int64_t n = 0;
  for (int64_t i = 0; i < r->shapes; i++) n += r->shape[i].graph != NULL;
  return n;
}

// The ops of `work` in *graph. ORR_ENOMEM: the device has no memory for them.
static orr_code keep(train_capture *r, train_work_fn work, void *ctx, void **graph) {
  ORR_TRY(kern_capture_begin(r->k));
  const orr_code worked = work(ctx);
  if (worked == ORR_OK) return kern_capture_end(r->k, graph);
  char why[ORR_STATUS_MESSAGE_MAX]; // ending the capture of a failure may say something itself
  orr_status_copy(why, sizeof why);
  if (kern_capture_end(r->k, graph) == ORR_OK) kern_graph_free(r->k, *graph);
  *graph = NULL;
  orr_status_set(why);
  return worked == ORR_ENOMEM ? ORR_EIO : worked; // not for want of a place for the graph
}

// Graphs come one after the other, once memory is dealt out: a card may be too full for another
// one. Then this shape is started op by op, on all ranks, for what NCCL has put into a graph need
// not fit what it does outside of one.
static orr_code capture(train_capture *r, int64_t shape, train_work_fn work, void *ctx) {
  void *graph = NULL;
  orr_code rc = keep(r, work, ctx, &graph);
  double full = rc == ORR_ENOMEM;
  if (rc == ORR_ENOMEM) {
    orr_status_clear();
    rc = ORR_OK;
  }
  rc = train_axes_agree(r->axes, rc, "capture a step");
  if (rc == ORR_OK) rc = train_axes_host_sum(r->axes, DIST_AXIS_WORLD, &full, 1);
  if (rc == ORR_OK && full == 0.0) {
    r->shape[shape].graph = graph;
    return ORR_OK;
  }
  kern_graph_free(r->k, graph);
  ORR_TRY(rc);
  r->shape[shape].plainly = true;
  if (train_axes_rank(r->axes, DIST_AXIS_WORLD) == 0)
    ORR_WARN(
        "no GPU memory for the graph of a step, which is started op by op from now on; a smaller "
        "train.micro_batch or train.recompute leaves room");
  return ORR_OK;
}

orr_code train_capture_run(train_capture *r, int64_t shape, train_work_fn work, void *ctx) {
  step_shape *s = &r->shape[shape];
  if (!r->warm) {
    r->warm = true;
    return work(ctx);
  }
  if (!s->graph && !s->plainly) ORR_TRY(capture(r, shape, work, ctx));
  return s->plainly ? work(ctx) : kern_replay(r->k, s->graph);
}
