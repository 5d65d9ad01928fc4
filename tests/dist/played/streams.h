// Streams and events that run late, for tests of what dist/comm_nccl.c puts into which order:
// nothing runs before somebody waits, and then the streams take turns as badly as the events allow.
// Order that is not expressed by an event shows as a wrong result in one of the two schedules.
//
// A capture (streams_capture.c) keeps the rules of CUDA: a stream joins by waiting for an event of
// the capture, it must be waited for before the end, and nothing outside may be waited for.
#ifndef TESTS_DIST_PLAYED_STREAMS_H
#define TESTS_DIST_PLAYED_STREAMS_H

#include <cuda_runtime_api.h>
#include <stdbool.h>

// Which stream runs while it can: the oldest one (the compute stream), or the newest. Or all of
// them at once, beside kernels that run in the middle of their calls.
typedef enum { STREAMS_OLDEST_FIRST, STREAMS_NEWEST_FIRST, STREAMS_AT_ONCE } streams_schedule;
void streams_set_schedule(streams_schedule s);

// Puts a call into the order of a stream: a kernel, played. `context` is copied.
enum { STREAMS_CONTEXT = 512 };
void streams_call(cudaStream_t s, void (*call)(void *context), const void *context, size_t bytes);
// Where the stream takes part in a capture: calls release(context) when the graph that comes of it
// is destroyed, as CUDA does with what a library hands to a graph. False, and nothing, where it
// does not.
bool streams_hold(cudaStream_t s, void (*release)(void *context), void *context);
// Runs everything. False when streams wait for events that no stream reaches.
bool streams_finish(void);

#endif
