#include "train/step/capture.h"

#include "base/mem.h"

struct train_capture {
  kern *k;
  bool warm;
  int64_t shapes;
  void **graph; // [shapes]
};

orr_code train_capture_create(kern *k, int64_t shapes, train_capture **out) {
  train_capture *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "captures of a step: out of memory");
  *r = (train_capture){.k = k, .shapes = shapes};
  r->graph = orr_calloc((size_t)shapes, sizeof *r->graph);
  if (!r->graph) {
    orr_free(r);
    return ORR_FAIL(ORR_ENOMEM, "captures of a step: out of memory");
  }
  *out = r;
  return ORR_OK;
}

void train_capture_destroy(train_capture *r) {
  if (!r) return;
  for (int64_t i = 0; i < r->shapes; i++) kern_graph_free(r->k, r->graph[i]);
  orr_free(r->graph);
  orr_free(r);
}

bool train_capture_has(const train_capture *r, int64_t shape) {
  return r->graph[shape] != NULL;
}

int64_t train_capture_captured(const train_capture *r) {
  int64_t n = 0;
  for (int64_t i = 0; i < r->shapes; i++) n += r->graph[i] != NULL;
  return n;
}

static orr_code capture(train_capture *r, int64_t shape, train_work_fn work, void *ctx) {
  void *graph = NULL;
  ORR_TRY(kern_capture_begin(r->k));
  const orr_code worked = work(ctx);
  if (worked != ORR_OK) {
    char why[ORR_STATUS_MESSAGE_MAX]; // ending the capture of a failure may say something itself
    orr_status_copy(why, sizeof why);
    if (kern_capture_end(r->k, &graph) == ORR_OK) kern_graph_free(r->k, graph);
    orr_status_set(why);
    return worked;
  }
  ORR_TRY(kern_capture_end(r->k, &graph));
  r->graph[shape] = graph;
  return ORR_OK;
}

orr_code train_capture_run(train_capture *r, int64_t shape, train_work_fn work, void *ctx) {
  if (!r->warm) {
    r->warm = true;
    return work(ctx);
  }
  if (!r->graph[shape]) ORR_TRY(capture(r, shape, work, ctx));
  return kern_replay(r->k, r->graph[shape]);
}
