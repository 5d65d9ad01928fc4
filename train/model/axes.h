// The axes of a run as the model sees them: which part of everything is this rank's, and the
// collectives at the seams. tp splits heads, hidden width, vocabulary and, between the products,
// rows; cp splits frames and, inside the time blocks' attention, token positions; ranks that hold
// the same weights (cp x dp) are replicas.
//
// Every seam counts what it moves. While `planning` is true it only counts, so that a planning pass
// announces exactly what a step will move, for this rank or, without a world, for any other one.
// An axis of one rank moves and counts nothing. Functions take ax == NULL for a run on one rank.
#ifndef TRAIN_AXES_H
#define TRAIN_AXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "configs/config.h"
#include "dist/comm.h"
#include "dist/world.h"
#include "kernels/kern.h"
#include "train/timing/profile.h"

// One rank's part of n things. `capacity` is the largest part of any rank: what is allocated where
// all ranks need one layout.
typedef struct {
  int64_t first, count, capacity;
} train_part;

// Local. Parts of n differ by one at most; the first n % parts ranks have the larger ones.
train_part train_part_of(int64_t n, int parts, int i);
// Local. Key/value heads: equal parts, or, when there are fewer heads than ranks, one head shared
// by parts/n neighbours.
train_part train_part_heads(int64_t n, int parts, int i);

typedef enum {
  TRAIN_ALL_REDUCE,
  TRAIN_REDUCE_SCATTER,
  TRAIN_ALL_GATHER,
  TRAIN_ALL_TO_ALL,
  TRAIN_BROADCAST,
  TRAIN_MOVES
} train_move;
// Local. "all_reduce", ...
const char *train_move_name(train_move m);

typedef struct {
  int64_t calls, bytes; // payload, as dist_comm_traffic counts it
} train_moved;

// Who is told of what would move, call by call, while a plan is made.
typedef struct {
  void *ctx;
  // A collective of so many payload bytes begins; `r` NULL: and is over before anything else goes
  // on.
  void (*moves)(void *ctx, dist_axis axis, train_move move, double bytes, dist_request *r);
  // What `r` began has to be over.
  void (*waits)(void *ctx, dist_axis axis, const dist_request *r);
} train_axes_watch;

typedef struct {
  dist_grid grid;
  dist_comm *comm[DIST_AXES]; // of tensors; all NULL when the plan has no world
  dist_comm *host[DIST_AXES]; // of numbers and texts in host memory; on the CPU the same
  bool planning;
  bool exact; // run.exact: sums have one order for every layout
  // Clips that a rank of dp has in a row, before those of the next rank; 0 = all. Where gradients
  // leave after every pass, ranks take the groups of a step in turn (train/step/turns.h).
  int64_t turn;
  bool on_device;    // comm is not host
  dist_world *world; // when NCCL moves its tensors, else NULL
  train_moved moved[DIST_AXES][TRAIN_MOVES];
  const train_axes_watch *watch; // while planning; NULL = nobody
  train_profile *profile;        // of this rank's time; NULL = nobody looks
  size_t stage[DIST_AXES];       // bytes that the collectives hold beside what they are given
} train_axes;

// Local. Takes NULL.
static inline train_profile *train_axes_profile(const train_axes *ax) {
  return ax ? ax->profile : NULL;
}

// Local. Starts planning. `world` may be NULL: then the axes can only plan.
void train_axes_init(train_axes *ax, const dist_grid *grid, const dist_world *world);
// Collective over the world, before planning. Where the tensors of k lie on a GPU they travel over
// NCCL, as c's `dist` asks; `world` as in init. ORR_EUNSUPPORTED, ORR_ECOMM.
orr_code train_axes_use_device(train_axes *ax, kern *k, dist_world *world, const cfg *c);
// Local. kern_await and kern_sync, watched (dist/watchdog.h): what is waited for may wait for ranks
// that never come. All ranks make the same calls.
orr_code train_axes_await(train_axes *ax, kern *k, int mark);
orr_code train_axes_sync(train_axes *ax, kern *k);
// Local, after planning. Says that collectives will often be given memory of this arena, in use
// until the device is left. ORR_ENOMEM.
orr_code train_axes_register(train_axes *ax, const orr_arena *a);
// Local. Ends planning: nothing has moved yet, and what collectives hold is taken. ORR_ENOMEM.
orr_code train_axes_commit(train_axes *ax);
// Local. ORR_ECONFIG when the model cannot be split like this: one line with both numbers.
orr_code train_axes_check(const cfg *c, const dist_grid *grid);
// With run.exact: slices of what tp splits, over all its ranks, and the most leaves of a group,
// parts of its frames that cp splits it by.
enum { TRAIN_EXACT_SLICES = KERN_SLICES_MOST, TRAIN_EXACT_LEAVES = 2 };
// Local. Sizes and places; 1 and 0 for ax == NULL.
int train_axes_size(const train_axes *ax, dist_axis axis);
int train_axes_rank(const train_axes *ax, dist_axis axis);
// Local. Where clip i of this rank, which has `clips` of them, lies in the batch of all ranks.
int64_t train_axes_clip(const train_axes *ax, int64_t clips, int64_t i);
// Local. The axis whose ranks share states out: all replicas, or those of a group.
dist_axis train_axes_sharing(const train_axes *ax);

// Collective over the axis. Buffers as in dist/comm.h, in device memory.
orr_code train_axes_all_reduce(train_axes *ax, dist_axis axis, void *buf, int64_t count,
                               dist_dtype t, dist_op op);
orr_code train_axes_reduce_scatter(train_axes *ax, dist_axis axis, const void *send, void *recv,
                                   int64_t count, dist_dtype t);
orr_code train_axes_all_gather(train_axes *ax, dist_axis axis, const void *send, void *recv,
                               int64_t count, dist_dtype t);
orr_code train_axes_all_to_all(train_axes *ax, dist_axis axis, const void *send,
                               const int64_t *send_counts, const int64_t *send_at, void *recv,
                               const int64_t *recv_counts, const int64_t *recv_at, dist_dtype t);
orr_code train_axes_broadcast(train_axes *ax, dist_axis axis, void *buf, int64_t count,
                              dist_dtype t, int root);
// Collective over the axis. Sums `count` numbers in host memory.
orr_code train_axes_host_sum(train_axes *ax, dist_axis axis, double *v, int64_t count);
// Collective over the axis. Bytes in host memory; nothing is done on an axis of one rank.
orr_code train_axes_host_all_to_all(train_axes *ax, dist_axis axis, const void *send,
                                    const int64_t *send_bytes, const int64_t *send_at, void *recv,
                                    const int64_t *recv_bytes, const int64_t *recv_at);
// Collective over the world: dist_agree, counted.
orr_code train_axes_agree(train_axes *ax, orr_code mine, const char *what);
// Collective over the axis. dist_gather_text, counted; and what it counts for a text of that many
// bytes, its 0 included.
orr_code train_axes_gather_text(train_axes *ax, dist_axis axis, const char *text, int root,
                                char ***texts);
void train_axes_count_text(train_axes *ax, dist_axis axis, uint64_t bytes);
// The same, as a step overlaps them with its work.
orr_code train_axes_all_reduce_start(train_axes *ax, dist_axis axis, void *buf, int64_t count,
                                     dist_dtype t, dist_request *r);
orr_code train_axes_reduce_scatter_start(train_axes *ax, dist_axis axis, const void *send,
                                         void *recv, int64_t count, dist_dtype t, dist_request *r);
orr_code train_axes_all_gather_start(train_axes *ax, dist_axis axis, const void *send, void *recv,
                                     int64_t count, dist_dtype t, dist_request *r);
orr_code train_axes_broadcast_start(train_axes *ax, dist_axis axis, void *buf, int64_t count,
                                    dist_dtype t, int root, dist_request *r);
// Waits for one of them.
orr_code train_axes_wait(train_axes *ax, dist_axis axis, dist_request *r);
// Local. Gives the oldest of requests [*finished, started) a push, for MPI moves data while it is
// called; passes over those that are done.
orr_code train_axes_push(train_axes *ax, dist_axis axis, dist_request *requests, int64_t started,
                         int64_t *finished);

static inline dist_dtype train_wire(kern_dtype t) {
  return t == KERN_BF16 ? DIST_BF16 : DIST_F32;
}

#endif
