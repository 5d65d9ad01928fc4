// All ranks of the job: how they were started, the grid, and the communicators of its axes.
#ifndef DIST_WORLD_H
#define DIST_WORLD_H

#include <stdbool.h>

#include "base/status.h"
#include "dist/comm.h"
#include "dist/grid.h"

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

// Collective over all ranks. Looks at the launcher's environment: started by mpirun or srun it
// initialises MPI (MPI_THREAD_SERIALIZED), otherwise it stays alone without MPI (start-up in
// milliseconds). Compares SLURM_NTASKS with the size of MPI_COMM_WORLD: ORR_ECOMM with the remedy
// when srun started singletons. Axes are all `self`/world until dist_world_split.
orr_code dist_world_open(dist_world **out);
// Collective over all ranks. The same, watched: where a rank stops before all have met, the job
// ends after timeout_s and that rank is named (dist/startup.h), until a watchdog starts or
// dist_world_met is called.
orr_code dist_world_open_watched(double timeout_s, dist_world **out);
// Local. No one is watched any longer.
void dist_world_met(dist_world *w);
// Collective. Makes the axes' communicators for tp x cp x dp (dp 0 = the rest).
orr_code dist_world_split(dist_world *w, int tp, int cp, int dp);
// The same, with the replicas cut into groups of `shard` (dist_grid_cut).
orr_code dist_world_split_shards(dist_world *w, int tp, int cp, int dp, int shard);
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
// Local, from any thread, once. Ends what is under way on the device, so that its kernels do not
// spin on. Returns within a second: a communicator whose collectives a living graph has captured
// does not end before the graph, and dist_world_leave_device waits for it then.
void dist_world_abort_device(dist_world *w);
// Collective unless a rank failed. Takes NULL. Finalises MPI when open initialised it.
void dist_world_close(dist_world *w);
// Ends every rank at once with this exit code (MPI_Abort); for the error path of main only.
void dist_world_abort(dist_world *w, int exit_code) __attribute__((noreturn));

#endif
