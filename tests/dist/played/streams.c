#include "tests/dist/played/streams.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_OPS = 4096, MOST_STREAMS = 16 };

typedef enum { CALL, RECORD, WAIT } op_kind;
typedef struct {
  op_kind kind;
  void (*call)(void *context);
  char context[STREAMS_CONTEXT];
  cudaEvent_t event;
  int version;
} op;

struct cuda_host_stream {
  op *ops; // [MOST_OPS]
  int first, end;
};
struct cuda_host_event {
  int recorded, reached; // versions
};

static struct {
  cudaStream_t streams[MOST_STREAMS]; // oldest first
  int n;
  streams_schedule schedule;
} device;

void streams_set_schedule(streams_schedule s) {
  device.schedule = s;
}

static op *push(cudaStream_t s, op_kind kind) {
  if (s->first == s->end) s->first = s->end = 0;
  if (s->end == MOST_OPS) abort();
  op *o = &s->ops[s->end++];
  memset(o, 0, sizeof *o);
  o->kind = kind;
  return o;
}

static void settle(void) {
  if (device.schedule == STREAMS_AT_ONCE && !streams_finish()) abort();
}

void streams_call(cudaStream_t s, void (*call)(void *context), const void *context, size_t bytes) {
  if (bytes > STREAMS_CONTEXT) abort();
  op *o = push(s, CALL);
  o->call = call;
  memcpy(o->context, context, bytes);
  settle();
}

// Runs what the stream can run; true when it ran something.
static bool run(cudaStream_t s) {
  bool ran = false;
  for (; s->first < s->end; s->first++, ran = true) {
    op *o = &s->ops[s->first];
    if (o->kind == WAIT && o->event->reached < o->version) break;
    if (o->kind == RECORD && o->event->reached < o->version) o->event->reached = o->version;
    if (o->kind == CALL) o->call(o->context);
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

// -- the runtime's names
// ---------------------------------------------------------------------------

cudaError_t cudaGetLastError(void) {
  return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t e) {
  return e == cudaSuccess ? "no error" : "an error of the played device";
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned flags, int priority) {
  if (device.n == MOST_STREAMS) return cudaErrorMemoryAllocation;
  *s = calloc(1, sizeof **s);
  (*s)->ops = calloc(MOST_OPS, sizeof *(*s)->ops);
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

cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned flags) {
  op *o = push(s, WAIT);
  o->event = e;
  o->version = e->recorded; // what it stands for now: a later record changes nothing
  settle();
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

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
  op *o = push(s, RECORD);
  o->event = e;
  o->version = ++e->recorded;
  settle();
  return cudaSuccess;
}
