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

typedef struct dist_world {
  dist_grid grid;
  dist_comm *axis[DIST_AXES];     // communicators by axis; sizes of 1 are `self`
  dist_comm *device[DIST_AXES];   // the same for tensors in device memory; NULL = not split so
  struct dist_nccl *nccl;         // what those share; NULL without NCCL
  struct dist_recorder *recorder; // the calls of all axes of more than one rank
  struct dist_startup *startup;   // watches until dist_world_met; NULL = nobody does
  struct dist_watchdog *watchdog; // watches until MPI has ended (dist_watchdog_keep); NULL = none
  int node_rank, node_ranks;      // among the ranks of this host: for devices, caches
  double cores; // this rank's share of the host's cores and of their quota (base/cores.h)
} dist_world;

// Local. The scheduler's number of this job, for messages; NULL outside of one.
const char *dist_job_number(void);
// Collective over all ranks. Looks at the launcher's environment: started by mpirun or srun it
// initialises MPI (MPI_THREAD_SERIALIZED), otherwise it stays alone without MPI (start-up in
// milliseconds). Compares SLURM_NTASKS with the size of MPI_COMM_WORLD: ORR_ECOMM with the remedy
// when srun started singletons. Axes are all `self`/world until dist_world_split.
orr_code dist_world_open(dist_world **out);
// Collective over all ranks. The same, watched: where a rank stops before all have met, the job ends
// after timeout_s and that rank is named (dist/startup.h), until a watchdog starts or dist_world_met
// is called.
orr_code dist_world_open_watched(double timeout_s, dist_world **out);
// Local. No one is watched any longer.
void dist_world_met(dist_world *w);
// Collective. Makes the axes' communicators for tp x cp x dp (dp 0 = the rest).
orr_code dist_world_split(dist_world *w, int tp, int cp, int dp);
// A device, as dist/ has to know it.
typedef struct {
  void *stream; // the compute stream, a cudaStream_t of this thread's current device
  bool shared;  // other ranks have the same GPU (NCCL then goes by sockets)
  bool nvls;    // sums may be made inside the NVSwitch: faster, and not the same bits each time
} dist_device;
// Collective. After dist_world_split, and undone by the next or by leave: w->device, over NCCL, of
// which those of one rank are w->axis'. Calls are put into the order of the device and return;
// dist_wait orders what the compute stream is given after them (dist/comm_nccl.h).
// ORR_EUNSUPPORTED, ORR_ECOMM; the same on all ranks.
orr_code dist_world_split_device(dist_world *w, const dist_device *d);
// Local. Where a collective on the device has failed: tells the communicators to give up, so that
// what waits in the device for other ranks ends. Else does nothing.
void dist_world_give_up_device(dist_world *w);
// Collective unless a rank failed. Undoes the split: before the stream and registered memory go,
// and after every graph that captured a collective has been destroyed, for a communicator lives as
// long as they do and its end waits for theirs. Destroying a graph waits for the device in turn:
// give up first.
void dist_world_leave_device(dist_world *w);
// Local, from any thread. Whether a collective on the device has failed under way: ORR_ECOMM with
// the axis and the library's words.
orr_code dist_world_fault(const dist_world *w);
// Local. Between begin and end this rank waits for its device. To the watchdog this is a collective
// of all ranks (all make the same ones): one that never comes is missing from it.
void dist_device_wait_begin(dist_world *w);
void dist_device_wait_end(dist_world *w);
// Local. Memory that the communicator will often be given, until unregister or its end: where a
// transport can, it reads and writes it without copies. Has no other effect. ORR_ENOMEM.
orr_code dist_comm_register(dist_comm *c, void *p, size_t bytes);
void dist_comm_unregister(dist_comm *c, void *p);
// Collective unless a rank failed. Takes NULL. Finalises MPI when open initialised it.
void dist_world_close(dist_world *w);
// Ends every rank at once with this exit code (MPI_Abort); for the error path of main only.
void dist_world_abort(dist_world *w, int exit_code) __attribute__((noreturn));

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
