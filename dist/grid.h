// The grid of ranks: pure arithmetic. tp varies fastest, then cp, then dp, so that tp stays inside
// a node. rank = (dp_i * cp + cp_i) * tp + tp_i.
#ifndef DIST_GRID_H
#define DIST_GRID_H

#include "base/status.h"

// The replica axis holds the ranks with the same part of the weights: cp x dp, in that order. It
// may be cut further, into groups of `shard` neighbours that share states out: the shard axis holds
// the ranks of a group, the copies axis those with the same place in all groups.
typedef enum {
  DIST_AXIS_TP,
  DIST_AXIS_CP,
  DIST_AXIS_DP,
  DIST_AXIS_REPLICA,
  DIST_AXIS_SHARD,
  DIST_AXIS_COPIES,
  DIST_AXIS_WORLD,
  DIST_AXES
} dist_axis;

typedef struct {
  int tp, cp, dp;       // sizes
  int tp_i, cp_i, dp_i; // this rank's coordinates
  int rank, ranks;
  int shard; // replicas of a group; 0 = not cut: shard and copies are axes of one rank
} dist_grid;

// Local. dp = 0 means ranks / (tp*cp). ORR_EINVAL when the sizes do not multiply to `ranks`.
orr_code dist_grid_init(int tp, int cp, int dp, int rank, int ranks, dist_grid *out);
// Local. Cuts the replica axis into groups of `shard`; 0, or all: not cut. ORR_EINVAL when it does
// not divide cp x dp.
orr_code dist_grid_cut(dist_grid *g, int shard);
// Local. This rank's place on the replica axis.
int dist_grid_replica(const dist_grid *g);
int dist_grid_rank(const dist_grid *g, int tp_i, int cp_i, int dp_i);
// Local. An axis as this rank sees it: its size, the world rank at its start, the step from one
// rank to the next, and this rank's place on it.
typedef struct {
  int size, first, step, place;
} dist_axis_line;
// Local. That of the rank that g is of.
dist_axis_line dist_grid_line(const dist_grid *g, dist_axis axis);
// Local. "tp", ...
const char *dist_axis_name(dist_axis a);

#endif
