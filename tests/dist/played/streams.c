#include "tests/dist/played/streams.h"

#include <stdlib.h>
#include <string.h>

#include "tests/dist/played/streams_op.h"

enum { MOST_STREAMS = 16 };

static struct {
  cudaStream_t streams[MOST_STREAMS]; // oldest first
  int n;
  streams_schedule schedule;
} device;

void streams_set_schedule(streams_schedule s) {
  device.schedule = s;
}

static void settle(void) {
  if (device.schedule == STREAMS_AT_ONCE && !streams_finish()) abort();
}

void streams_put(cudaStream_t s, const streams_op *o) {
  if (s->capture) {
    streams_keep(s, o);
    return;
  }
  if (s->first == s->end) s->first = s->end = 0;
  if (s->end == STREAMS_MOST_OPS) abort();
  s->ops[s->end++] = *o;
  settle();
}

void streams_call(cudaStream_t s, void (*call)(void *context), const void *context, size_t bytes) {
  streams_op o = {.kind = STREAMS_CALL, .call = call};
  if (bytes > STREAMS_CONTEXT) abort();
  memcpy(o.context, context, bytes);
  streams_put(s, &o);
}

// Runs what the stream can run; true when it ran something.
static bool run(cudaStream_t s) {
  bool ran = false;
  for (; s->first < s->end; s->first++, ran = true) {
    streams_op *o = &s->ops[s->first];
    if (o->kind == STREAMS_WAIT && o->event->reached < o->version) break;
    if (o->kind == STREAMS_RECORD && o->event->reached < o->version) o->event->reached = o->version;
    if (o->kind == STREAMS_CALL) o->call(o->context);
  }
  return ran;
}

bool streams_finish(void) {
  bool empty = true;
  for (bool ran = true; ran;) {
    ran = false;
    for (int i = 0; i < device.n && !ran; i++)
      ran = run(device.streams[device.schedule == STREAMS_OLDEST_FIRST ? i : device.n - 1 - i]);
  }
  for (int i = 0; i < device.n; i++)
    empty = empty && device.streams[i]->first == device.streams[i]->end;
  return empty;
}

// -- the runtime's names --------------------------------------------------------------------
cudaError_t cudaGetLastError(void) {
  return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t e) {
  return e == cudaSuccess ? "no error" : "an error of the played device";
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned flags, int priority) {
  if (device.n == MOST_STREAMS) return cudaErrorMemoryAllocation;
  *s = calloc(1, sizeof **s);
  (*s)->ops = calloc(STREAMS_MOST_OPS, sizeof *(*s)->ops);
  device.streams[device.n++] = *s;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s) {
  int i = 0;
  streams_finish();
  while (i < device.n && device.streams[i] != s) i++;
  for (device.n--; i < device.n; i++) device.streams[i] = device.streams[i + 1];
  free(s->ops);
  free(s);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags) {
  *e = calloc(1, sizeof **e);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e) {
  streams_finish();
  free(e);
  return cudaSuccess;
}
