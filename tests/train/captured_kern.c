#include "tests/train/captured_kern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/dist/played/streams.h"

typedef struct {
  kern_table table; // first: k->table leads here
  const kern_table *inner;
  cudaStream_t stream;
  int lack; // captures until one finds no memory; 0 = none does
} captured;

typedef enum {
#define CAPTURED_ID(op) CAPTURED_##op,
  KERN_OPS(CAPTURED_ID)
#undef CAPTURED_ID
      CAPTURED_MARK
} call_id;

typedef struct {
  kern *k;
  call_id id;
  union {
#define CAPTURED_ARGS(op) kern_##op##_args op;
    KERN_OPS(CAPTURED_ARGS)
#undef CAPTURED_ARGS
    int slot;
  } args;
} call;

static captured *captured_of(const kern *k) {
  return (captured *)(uintptr_t)k->table;
}

static orr_code run(kern *k, call_id id, const void *args) {
  const kern_table *inner = captured_of(k)->inner;
  switch (id) {
#define CAPTURED_CALL(op)                                                                          \
  case CAPTURED_##op:                                                                              \
    return inner->op(k, args);
    KERN_OPS(CAPTURED_CALL)
#undef CAPTURED_CALL
  case CAPTURED_MARK:
    return inner->mark(k, *(const int *)args);
  }
  return ORR_EINVAL;
}

static void run_later(void *context) {
  const call *c = context;
  if (run(c->k, c->id, &c->args) == ORR_OK) return;
  fprintf(stderr, "captured kern: %s\n", orr_status_message());
  abort();
}

static orr_code issue(kern *k, call_id id, const void *args, size_t bytes) {
  call c = {.k = k, .id = id};
  if (k->planning) return run(k, id, args);
  memcpy(&c.args, args, bytes);
  streams_call(captured_of(k)->stream, run_later, &c, sizeof c);
  return ORR_OK;
}

#define CAPTURED_OP(op)                                                                            \
  static orr_code captured_##op(kern *k, const kern_##op##_args *a) {                              \
    return issue(k, CAPTURED_##op, a, sizeof *a);                                                  \
  }
KERN_OPS(CAPTURED_OP)
#undef CAPTURED_OP

static orr_code captured_mark(kern *k, int slot) {
  return issue(k, CAPTURED_MARK, &slot, sizeof slot);
}

static orr_code check(cudaError_t e) {
  ORR_CHECK(e == cudaSuccess, ORR_EIO, "captured kern: a rule of captures is broken");
  return ORR_OK;
}

static orr_code captured_capture_begin(kern *k) {
  return check(cudaStreamBeginCapture(captured_of(k)->stream, cudaStreamCaptureModeThreadLocal));
}

static orr_code captured_capture_end(kern *k, void **graph) {
  cudaGraph_t ops = NULL;
  *graph = NULL;
  const orr_code rc = check(cudaStreamEndCapture(captured_of(k)->stream, &ops));
  if (rc == ORR_OK && captured_of(k)->lack && --captured_of(k)->lack == 0) {
    cudaGraphExecDestroy((cudaGraphExec_t)ops);
    return ORR_FAIL(ORR_ENOMEM, "captured kern: no memory for a graph (a test)");
  }
  if (rc == ORR_OK) return check(cudaGraphInstantiate((cudaGraphExec_t *)graph, ops, 0));
  if (ops) cudaGraphExecDestroy((cudaGraphExec_t)ops);
  return rc;
}

static orr_code captured_replay(kern *k, void *graph) {
  return check(cudaGraphLaunch(graph, captured_of(k)->stream));
}

static void captured_graph_free(kern *k, void *graph) {
  if (graph) cudaGraphExecDestroy(graph);
}

static void *captured_stream(kern *k) {
  return captured_of(k)->stream;
}

static void captured_destroy(kern *k) {
  captured *s = captured_of(k);
  k->table = s->inner;
  free(s);
  k->table->destroy(k);
}

void captured_kern_lack(kern *k, int n) {
  captured_of(k)->lack = n;
}

orr_code captured_kern_wrap(kern *k, void *stream) {
  captured *s = calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "captured kern: out of memory");
  _Static_assert(sizeof(call) <= STREAMS_CONTEXT, "a call fits into an operation of a stream");
  s->inner = k->table;
  s->table = *k->table;
  s->stream = stream;
#define CAPTURED_SLOT(op) s->table.op = captured_##op;
  KERN_OPS(CAPTURED_SLOT)
  CAPTURED_SLOT(mark)
  CAPTURED_SLOT(capture_begin)
  CAPTURED_SLOT(capture_end)
  CAPTURED_SLOT(replay)
  CAPTURED_SLOT(graph_free)
  CAPTURED_SLOT(stream)
  CAPTURED_SLOT(destroy)
#undef CAPTURED_SLOT
  k->table = &s->table;
  k->can_capture = true;
  return ORR_OK;
}
