// One capture at a time, of one stream: calls are kept with copies of their arguments, in the order
// in which they came. An instance is a copy of nothing: it is the graph, used twice.
#include "tests/cuda_host/graph.h"

#include <stdlib.h>
#include <string.h>

typedef struct node {
  struct node *next;
  int (*call)(void *context);
  void (*release)(void *context);
  _Alignas(16) char context[];
} node;

struct cuda_host_graph {
  node *first, **end;
  bool invalid;
  int users; // the graph itself, and its instance
};

static struct {
  struct cuda_host_graph *capture; // the one under way
  unsigned long long flags;
} played;

bool cuda_host_forbidden(void) {
  if (played.capture) played.capture->invalid = true;
  return played.capture != NULL;
}

unsigned long long cuda_host_graph_flags(void) {
  return played.flags;
}

static void node_free(node *n) {
  if (n->release) n->release(n->context);
  free(n);
}

int cuda_host_do(void *stream, int (*call)(void *context), void (*release)(void *context),
                 const void *context, size_t bytes) {
  const cudaStream_t s = stream;
  struct cuda_host_graph *g = s ? s->capture : NULL;
  node *n = malloc(sizeof *n + bytes);
  int rc = cudaSuccess;
  if (!n) return cudaErrorMemoryAllocation;
  *n = (node){.call = call, .release = release};
  memcpy(n->context, context, bytes);
  if (g) {
    *g->end = n;
    g->end = &n->next;
    return rc;
  }
  rc = call(n->context);
  node_free(n);
  return rc;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode mode) {
  if (played.capture) return cudaErrorInvalidValue;
  struct cuda_host_graph *g = calloc(1, sizeof *g);
  if (!g) return cudaErrorMemoryAllocation;
  g->end = &g->first;
  g->users = 1;
  s->capture = played.capture = g;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *graph) {
  struct cuda_host_graph *g = s->capture;
  *graph = NULL;
  if (!g) return cudaErrorInvalidValue;
  s->capture = played.capture = NULL;
  if (!g->invalid) {
    *graph = g;
    return cudaSuccess;
  }
  cudaGraphDestroy(g);
  return cudaErrorStreamCaptureInvalidated;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                                 unsigned long long flags) {
  played.flags = flags;
  graph->users++;
  *exec = (cudaGraphExec_t)graph;
  return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t s) {
  return cuda_host_here.memory < CUDA_HOST_GRAPH_BYTES ? cudaErrorMemoryAllocation : cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s) {
  struct cuda_host_graph *g = (struct cuda_host_graph *)exec;
  for (node *n = g->first; n; n = n->next) {
    const int rc = n->call(n->context);
    if (rc != cudaSuccess) return rc;
  }
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t g) {
  if (--g->users > 0) return cudaSuccess;
  for (node *n = g->first, *next; n; n = next) {
    next = n->next;
    node_free(n);
  }
  free(g);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  return cudaGraphDestroy((cudaGraph_t)exec);
}
