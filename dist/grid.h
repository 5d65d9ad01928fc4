// The grid of ranks: pure arithmetic. tp varies fastest, then cp, then dp, so that tp stays inside
// a node. rank = (dp_i * cp + cp_i) * tp + tp_i.
#ifndef DIST_GRID_H
#define DIST_GRID_H

#include "base/status.h"

// The replica axis holds the ranks with the same part of the weights: cp x dp, in that order.
typedef enum {
  DIST_AXIS_TP,
  DIST_AXIS_CP,
  DIST_AXIS_DP,
  DIST_AXIS_REPLICA,
  DIST_AXIS_WORLD,
  DIST_AXES
} dist_axis;

typedef struct {
  int tp, cp, dp;       // sizes
  int tp_i, cp_i, dp_i; // this rank's coordinates
  int rank, ranks;
} dist_grid;

// Local. dp = 0 means ranks / (tp*cp). ORR_EINVAL when the sizes do not multiply to `ranks`.
orr_code dist_grid_init(int tp, int cp, int dp, int rank, int ranks, dist_grid *out);
int dist_grid_rank(const dist_grid *g, int tp_i, int cp_i, int dp_i);
const char *dist_axis_name(dist_axis a);

#endif
