// What streams.c and streams_capture.c share: streams as rows of operations.
#ifndef TESTS_DIST_PLAYED_STREAMS_OP_H
#define TESTS_DIST_PLAYED_STREAMS_OP_H

#include "tests/dist/played/streams.h"

typedef enum { STREAMS_CALL, STREAMS_RECORD, STREAMS_WAIT } streams_kind;
typedef struct {
  streams_kind kind;
  void (*call)(void *context);
  char context[STREAMS_CONTEXT];
  cudaEvent_t event;
  int version;
} streams_op;

typedef struct streams_graph streams_graph;

struct cuda_host_stream {
  streams_op *ops; // [STREAMS_MOST_OPS]
  int first, end;
  streams_graph *capture; // NULL: what is called is run
};
struct cuda_host_event {
  int recorded, reached;  // versions
  streams_graph *capture; // the record before was a part of it
};
enum { STREAMS_MOST_OPS = 4096 };

// Puts an operation into the row of the stream, or into the capture that the stream takes part in.
void streams_put(cudaStream_t s, const streams_op *o);
// The latter. The capture keeps the order of all calls.
void streams_keep(cudaStream_t s, const streams_op *o);
// As the runtime would refuse it, with words on stderr.
cudaError_t streams_refuse(const char *why);

#endif
