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

const char *dist_axis_name(dist_axis a) {
  static const char *const names[DIST_AXES] = {[DIST_AXIS_TP] = "tp",
                                               [DIST_AXIS_CP] = "cp",
                                               [DIST_AXIS_DP] = "dp",
                                               [DIST_AXIS_REPLICA] = "replica",
                                               [DIST_AXIS_WORLD] = "world"};
  return names[a];
}
