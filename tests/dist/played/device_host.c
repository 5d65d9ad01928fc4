// tests/dist/device.h on streams that run late.
#include <stdlib.h>
#include <string.h>

#include "tests/dist/played/streams.h"
#include "tests/dist/device.h"

typedef struct {
  void *to;
  const void *from;
  size_t bytes;
  bool owned; // `from` is a copy
} copy;

static struct { cudaStream_t stream; } compute;

const char *device_missing(void) {
  return NULL;
}

void *device_stream(void) {
  if (!compute.stream) cudaStreamCreateWithPriority(&compute.stream, 0, 0);
  return compute.stream;
}

int device_schedules(void) {
  return 2;
}

void device_schedule(int i) {
  streams_set_schedule(i ? STREAMS_NEWEST_FIRST : STREAMS_OLDEST_FIRST);
}

void *device_alloc(size_t bytes) {
  void *p = malloc(bytes ? bytes : 1);
  return p ? memset(p, 0xff, bytes) : NULL;
}

void device_free(void *p) {
  free(p);
}

static void run_copy(void *context) {
  const copy *c = context;
  memcpy(c->to, c->from, c->bytes);
  if (c->owned) free((void *)(size_t)c->from);
}

void device_write(void *to, const void *host, size_t bytes) {
  const copy c = {to, memcpy(malloc(bytes ? bytes : 1), host, bytes), bytes, true};
  streams_call(device_stream(), run_copy, &c, sizeof c);
}

void device_read(void *host, const void *from, size_t bytes) {
  const copy c = {host, from, bytes, false};
  streams_call(device_stream(), run_copy, &c, sizeof c);
}

bool device_finish(void) {
  return streams_finish();
}

void device_close(void) {
  if (compute.stream) cudaStreamDestroy(compute.stream);
  compute.stream = NULL;
}
