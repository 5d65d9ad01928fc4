// The grid of ranks.
#include "dist/grid.h"

orr_code dist_grid_init(int tp, int cp, int dp, int rank, int ranks, dist_grid *out) {
  ORR_CHECK(tp >= 1 && cp >= 1 && dp >= 0, ORR_EINVAL,
            "layout tp %d x cp %d x dp %d: wanted tp and cp of at least 1, dp of at least 0", tp,
            cp, dp);
  ORR_CHECK(rank >= 0 && rank < ranks, ORR_EINVAL, "rank %d: wanted 0 to %d", rank, ranks - 1);
  long long plane = (long long)tp * cp;
  ORR_CHECK(dp > 0 || ranks % plane == 0, ORR_EINVAL,
            "layout tp %d x cp %d: their product %lld does not divide the %d ranks that were "
            "started; change dist.tp or dist.cp, or start a multiple of %lld ranks",
            tp, cp, plane, ranks, plane);
  if (dp == 0) dp = (int)(ranks / plane);
  ORR_CHECK(plane * dp == ranks, ORR_EINVAL,
            "layout tp %d x cp %d x dp %d needs %lld ranks, but %d were started; start that many, "
            "or set dist.dp to 0 for the rest",
            tp, cp, dp, plane * dp, ranks);
  *out = (dist_grid){
      .tp = tp,
      .cp = cp,
      .dp = dp,
      .tp_i = rank % tp,
      .cp_i = rank / tp % cp,
      .dp_i = rank / tp / cp,
      .rank = rank,
      .ranks = ranks,
  };
  return ORR_OK;
}

int dist_grid_rank(const dist_grid *g, int tp_i, int cp_i, int dp_i) {
  return (dp_i * g->cp + cp_i) * g->tp + tp_i;
}

orr_code dist_grid_cut(dist_grid *g, int shard) {
  const int replicas = g->cp * g->dp;
  ORR_CHECK(
      shard >= 0 && (shard == 0 || replicas % shard == 0), ORR_EINVAL,
      "dist.shard %d does not divide the %d replicas (cp %d x dp %d); choose a divisor, or 0 for "
      "all",
      shard, replicas, g->cp, g->dp);
  g->shard = shard == replicas ? 0 : shard;
  return ORR_OK;
}

int dist_grid_replica(const dist_grid *g) {
  return g->dp_i * g->cp + g->cp_i;
}

dist_axis_line dist_grid_line(const dist_grid *g, dist_axis axis) {
  const int replica = dist_grid_replica(g), shard = g->shard,
            start = dist_grid_rank(g, g->tp_i, 0, 0); // of the replica axis
  switch (axis) {
  case DIST_AXIS_TP:
    return (dist_axis_line){g->tp, dist_grid_rank(g, 0, g->cp_i, g->dp_i), 1, g->tp_i};
  case DIST_AXIS_CP:
    return (dist_axis_line){g->cp, dist_grid_rank(g, g->tp_i, 0, g->dp_i), g->tp, g->cp_i};
  case DIST_AXIS_DP:
    return (dist_axis_line){g->dp, dist_grid_rank(g, g->tp_i, g->cp_i, 0), g->tp * g->cp, g->dp_i};
  case DIST_AXIS_REPLICA:
    return (dist_axis_line){g->cp * g->dp, start, g->tp, replica};
  case DIST_AXIS_SHARD:
    if (shard == 0) return (dist_axis_line){1, g->rank, 1, 0};
    return (dist_axis_line){shard, start + replica / shard * shard * g->tp, g->tp, replica % shard};
  case DIST_AXIS_COPIES:
    if (shard == 0) return (dist_axis_line){1, g->rank, 1, 0};
    return (dist_axis_line){g->cp * g->dp / shard, start + replica % shard * g->tp, shard * g->tp,
                            replica / shard};
  default:
    return (dist_axis_line){g->ranks, 0, 1, g->rank};
  }
}

const char *dist_axis_name(dist_axis a) {
  static const char *const names[DIST_AXES] = {
      [DIST_AXIS_TP] = "tp",           [DIST_AXIS_CP] = "cp",       [DIST_AXIS_DP] = "dp",
      [DIST_AXIS_REPLICA] = "replica", [DIST_AXIS_SHARD] = "shard", [DIST_AXIS_COPIES] = "copies",
      [DIST_AXIS_WORLD] = "world"};
  return names[a];
}
