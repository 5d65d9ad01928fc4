#include "train/step/gather.h"

#include <inttypes.h>

#include "base/mem.h"

struct train_gather {
  train_axes *axes;
  train_state *state;
  dist_axis axis; // of those that share
  bool overlap;
  int64_t buckets;           // that go to everyone; none where weights are shared out
  int64_t started, finished; // of them, in order
  dist_request *requests;    // [buckets]
};

orr_code train_gather_create(train_axes *axes, train_state *state, train_gather **out) {
  const int64_t n =
      state->shard.ranks > 1 && state->zero < 3 ? train_partition_buckets(&state->shard) : 0;
  train_gather *g = orr_calloc(1, sizeof *g);
  ORR_CHECK(g, ORR_ENOMEM, "gather of parameters: out of memory");
  *g = (train_gather){
      .axes = axes, .state = state, .axis = train_axes_sharing(axes), .overlap = true};
  g->buckets = n;
  g->requests = orr_calloc((size_t)n, sizeof *g->requests);
  if (!g->requests) {
    orr_free(g);
    return ORR_FAIL(ORR_ENOMEM, "gather of %" PRId64 " buckets: out of memory", n);
  }
  *out = g;
  return ORR_OK;
}

void train_gather_destroy(train_gather *g) {
  if (!g) return;
  orr_free(g->requests);
  orr_free(g);
}

void train_gather_overlap(train_gather *g, bool overlap) {
  g->overlap = overlap;
}

// The arrays that the products read: everyone has all of them, its own part up to date.
static orr_code start(train_gather *g, int64_t i) {
  train_weights *w = &g->state->weights;
  const train_partition_piece x = train_partition_piece_of(&g->state->shard, i);
  int64_t at, count;
  train_partition_bucket(&g->state->shard, i, &at, &count);
  const int owner = train_partition_owner(&g->state->shard, i);
  if (owner >= 0)
    return train_axes_broadcast_start(g->axes, g->axis,
                                      w->work ? (void *)(w->work + at) : w->master + at, count,
                                      w->work ? DIST_BF16 : DIST_F32, owner, &g->requests[i]);
  if (w->work)
    return train_axes_all_gather_start(g->axes, g->axis, w->work + x.at, w->work + at, x.count,
                                       DIST_BF16, &g->requests[i]);
  return train_axes_all_gather_start(g->axes, g->axis, w->master + x.at, w->master + at, x.count,
                                     DIST_F32, &g->requests[i]);
}

static orr_code start_until(train_gather *g, int64_t end) {
  for (; g->started < end; g->started++) ORR_TRY(start(g, g->started));
  return ORR_OK;
}

orr_code train_gather_bucket(void *gather, int64_t bucket) {
  train_gather *g = gather;
  if (!g->overlap || g->buckets == 0) return ORR_OK;
  ORR_TRY(start_until(g, bucket + 1));
  return train_axes_push(g->axes, g->axis, g->requests, g->started, &g->finished);
}

// Each rank brings what it has updated, zeros elsewhere, and the sum is everything.
static orr_code gather_plain(train_gather *g) {
  train_state *s = g->state;
  ORR_TRY(train_state_own_plain(s));
  return train_axes_all_reduce(g->axes, g->axis, s->weights.plain, s->plain, DIST_F32, DIST_SUM);
}

orr_code train_gather_finish(train_gather *g) {
  if (g->state->shard.ranks == 1) return ORR_OK;
  ORR_TRY(start_until(g, g->buckets));
  for (; g->finished < g->started; g->finished++)
    ORR_TRY(train_axes_wait(g->axes, g->axis, &g->requests[g->finished]));
  g->started = g->finished = 0;
  return g->state->weights.plain ? gather_plain(g) : ORR_OK;
}
