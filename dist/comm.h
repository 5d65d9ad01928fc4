// Communication: one table of collectives, implemented by `self` (one rank, copies), `mpi` and
// `nccl`. A comm is one axis of the grid or the world. All collectives are Collective over the
// comm's ranks and must be called in the same order by each of them.
//
// Sums are in float32 for bf16 data where the implementation allows, and the same call on the same
// layout gives the same bits every time.
#ifndef DIST_COMM_H
#define DIST_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "dist/grid.h"

typedef enum { DIST_F32, DIST_BF16, DIST_F64, DIST_I64, DIST_U8 } dist_dtype;
typedef enum { DIST_SUM, DIST_MAX, DIST_MIN } dist_op;

typedef enum {
  DIST_ALL_REDUCE,
  DIST_REDUCE_SCATTER,
  DIST_ALL_GATHER,
  DIST_ALL_TO_ALL,
  DIST_BROADCAST,
  DIST_BARRIER,
  // No collectives of ours, but ranks wait in them for each other:
  DIST_DEVICE_WAIT, // for this rank's device, which may wait for other ranks
  DIST_SPLIT,       // while the axes' communicators are made
  DIST_LEAVE        // while MPI ends
} dist_collective;
// Local. "all_reduce", ...
const char *dist_collective_name(dist_collective c);

// What one call asks for, as the flight recorder (dist/recorder.h) keeps it.
typedef struct {
  dist_collective collective;
  dist_axis axis;
  dist_dtype type;
  int64_t count;    // elements
  int64_t sequence; // calls on this axis, this one included
  bool on_device;   // finished = put into the order of the device
} dist_call;

typedef struct dist_comm dist_comm; // one axis
typedef struct dist_request {
  void *impl;     // NULL = nothing under way
  dist_call call; // what was started
  int64_t ticket; // the recorder's
} dist_request;

// Local. Memory that the communicator will often be given, until unregister or its end: where a
// transport can, it reads and writes it without copies. Has no other effect. ORR_ENOMEM.
orr_code dist_comm_register(dist_comm *c, void *p, size_t bytes);
void dist_comm_unregister(dist_comm *c, void *p);
// Local. This rank's place on the axis, and the axis' size.
int dist_comm_rank(const dist_comm *c);
int dist_comm_size(const dist_comm *c);

// In place sum/max/min of count elements.
orr_code dist_all_reduce(dist_comm *c, void *buf, int64_t count, dist_dtype t, dist_op op);
// send [size*count] -> recv [count]: this rank's part of the sum.
orr_code dist_reduce_scatter(dist_comm *c, const void *send, void *recv, int64_t count,
                             dist_dtype t, dist_op op);
// send [count] -> recv [size*count]. send may be recv + rank*count (in place).
orr_code dist_all_gather(dist_comm *c, const void *send, void *recv, int64_t count, dist_dtype t);
// Block i of send goes to rank i; counts and displacements in elements, [size] each.
orr_code dist_all_to_all(dist_comm *c, const void *send, const int64_t *send_counts,
                         const int64_t *send_at, void *recv, const int64_t *recv_counts,
                         const int64_t *recv_at, dist_dtype t);
orr_code dist_broadcast(dist_comm *c, void *buf, int64_t count, dist_dtype t, int root);
orr_code dist_barrier(dist_comm *c);
// Non-blocking forms; buffers stay untouched until dist_wait. dist_test progresses and tells.
orr_code dist_all_reduce_start(dist_comm *c, void *buf, int64_t count, dist_dtype t, dist_op op,
                               dist_request *r);
orr_code dist_reduce_scatter_start(dist_comm *c, const void *send, void *recv, int64_t count,
                                   dist_dtype t, dist_op op, dist_request *r);
orr_code dist_all_gather_start(dist_comm *c, const void *send, void *recv, int64_t count,
                               dist_dtype t, dist_request *r);
orr_code dist_broadcast_start(dist_comm *c, void *buf, int64_t count, dist_dtype t, int root,
                              dist_request *r);
orr_code dist_wait(dist_comm *c, dist_request *r);
orr_code dist_test(dist_comm *c, dist_request *r, bool *done);

// Local. What a blocking call of an axis of `size` ranks over MPI takes beside its buffers: float32
// stand-ins for bf16 operands of a sum. `count` as in the call.
size_t dist_staging_bytes(dist_collective what, dist_dtype t, int64_t count, int size);
// Local. Takes that much now, so that no call has to. ORR_ENOMEM.
orr_code dist_comm_reserve(dist_comm *c, size_t bytes);
size_t dist_comm_reserved(const dist_comm *c); // what it holds by now

// Texts of all ranks on the root: *texts is [size] malloc'ed strings (and a malloc'ed array) there,
// NULL elsewhere; free with dist_texts_free.
orr_code dist_gather_text(dist_comm *c, const char *text, int root, char ***texts);
void dist_texts_free(char **texts, int n);

// Agreement: every rank brings its own outcome of `what`. ORR_OK when all are ORR_OK; otherwise
// every rank returns the error of the lowest failing rank, with its message ("rank 3: open data:
// ..."). The call that turns one rank's error into everyone's, so that no rank waits for ever.
orr_code dist_agree(dist_comm *c, orr_code mine, const char *what);

// Traffic of a comm since it was made: calls, payload bytes (the whole vector of a reduction or a
// gather, whatever an implementation sends for it) and time spent inside the calls.
typedef struct {
  int64_t calls, bytes;
  double ms;
} dist_traffic;
// Local.
dist_traffic dist_comm_traffic(const dist_comm *c);

#endif
