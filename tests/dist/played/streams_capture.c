#include <stdio.h>
#include <stdlib.h>

#include "tests/dist/played/streams_op.h"

enum { MOST_KEPT = 4096, MOST_JOINED = 8, MOST_HELD = 4096 };

struct streams_graph {
  struct {
    cudaStream_t stream;
    streams_op op;
  } * kept; // [MOST_KEPT]
  int n;
  cudaStream_t joined[MOST_JOINED]; // the first is where it began
  int streams;
  struct {
    void (*release)(void *context);
    void *context;
  } held[MOST_HELD];
  int holds;
  bool ended, wrong; // wrong: a rule was broken, the end says so
};

cudaError_t streams_refuse(const char *why) {
  fprintf(stderr, "CUDA (played by the host): %s\n", why);
  return cudaErrorInvalidValue;
}

static void join(streams_graph *g, cudaStream_t s) {
  if (g->streams == MOST_JOINED) abort();
  g->joined[g->streams++] = s;
  s->capture = g;
}

void streams_keep(cudaStream_t s, const streams_op *o) {
  streams_graph *g = s->capture;
  if (g->n == MOST_KEPT) abort();
  g->kept[g->n].stream = s;
  g->kept[g->n++].op = *o;
}

bool streams_hold(cudaStream_t s, void (*release)(void *context), void *context) {
  streams_graph *g = s->capture;
  if (!g) return false;
  if (g->holds == MOST_HELD) abort();
  g->held[g->holds].release = release;
  g->held[g->holds++].context = context;
  return true;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode mode) {
  if (s->capture) return streams_refuse("a capture inside a capture");
  streams_graph *g = calloc(1, sizeof *g);
  g->kept = calloc(MOST_KEPT, sizeof *g->kept);
  join(g, s);
  return cudaSuccess;
}

// Whether the last that `s` did is followed by a wait for it in a stream that is itself waited for.
static bool comes_back(const streams_graph *g, cudaStream_t s) {
  int last = g->n - 1;
  if (s == g->joined[0]) return true;
  while (last >= 0 && g->kept[last].stream != s) last--;
  if (last < 0 || g->kept[last].op.kind != STREAMS_RECORD) return false;
  for (int i = last + 1; i < g->n; i++)
    if (g->kept[i].op.kind == STREAMS_WAIT && g->kept[i].op.event == g->kept[last].op.event)
      return g->kept[i].stream == g->joined[0];
  return false;
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *graph) {
  streams_graph *g = s->capture;
  *graph = NULL;
  if (!g || g->joined[0] != s) return streams_refuse("the end of a capture that never began");
  for (int i = 0; i < g->streams; i++) {
    if (!comes_back(g, g->joined[i])) g->wrong = true;
    g->joined[i]->capture = NULL;
  }
  g->ended = true;
  *graph = (cudaGraph_t)g;
  return g->wrong ? streams_refuse("a stream of a capture is not waited for at its end")
                  : cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                                 unsigned long long flags) {
  *exec = (cudaGraphExec_t)graph;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s) {
  const streams_graph *g = (const streams_graph *)exec;
  if (g->joined[0] != s) return streams_refuse("a graph in another stream than its own");
  for (int i = 0; i < g->n; i++) {
    const streams_op *o = &g->kept[i].op;
    if (o->kind == STREAMS_CALL)
      streams_put(g->kept[i].stream, o);
    else if (o->kind == STREAMS_RECORD)
      cudaEventRecord(o->event, g->kept[i].stream);
    else
      cudaStreamWaitEvent(g->kept[i].stream, o->event, 0);
  }
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return cudaSuccess; // the instance is the graph itself
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  streams_graph *g = (streams_graph *)exec;
  for (int i = 0; i < g->holds; i++) g->held[i].release(g->held[i].context);
  free(g->kept);
  free(g);
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
  streams_op o = {.kind = STREAMS_RECORD, .event = e};
  e->capture = s->capture;
  if (!s->capture) o.version = ++e->recorded;
  streams_put(s, &o);
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned flags) {
  // what it stands for now: a later record changes nothing
  const streams_op o = {.kind = STREAMS_WAIT, .event = e, .version = e->recorded};
  if (s->capture != e->capture) {
    if (s->capture) {
      s->capture->wrong = true;
      return streams_refuse("a capture waits for something outside");
    }
    if (e->capture->ended) return streams_refuse("an event of a capture that has ended");
    join(e->capture, s);
  }
  streams_put(s, &o);
  return cudaSuccess;
}
