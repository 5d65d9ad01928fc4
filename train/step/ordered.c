#include "train/step/ordered.h"

#include <inttypes.h>

#include "base/mem.h"
#include "train/model/constants.h"
#include "train/step/tree.h"
#include "train/step/turns.h"

struct train_ordered {
  train_axes *axes;
  train_state *state;
  train_turns *turns;   // of all of it; NULL where gradients stay until the last pass
  int64_t groups, pass; // of this rank; the pass under way
  train_tree stack;     // of the passes before it
  train_tree *of;       // [dp] nodes that each rank comes to
  int nodes, most;      // of all of them; of the rank that has most
  uint8_t *merges;      // [nodes] after each, as they come in order of ranks
  uint8_t *merges_here; // in device memory
  float *arrived;       // [nodes, capacity]
  int64_t capacity;     // elements of a part of a bucket
  int64_t *counts;      // [4, replicas] of an exchange
};

static int dp_of(const train_ordered *o) {
  return train_axes_size(o->axes, DIST_AXIS_DP);
}

// The nodes of all ranks, and how they become one.
static orr_code list_nodes(train_ordered *o) {
  train_tree all = {0};
  for (int r = 0; r < dp_of(o); r++) {
    train_tree_of(r * o->groups, o->groups, &o->of[r]);
    o->nodes += o->of[r].count;
    if (o->of[r].count > o->most) o->most = o->of[r].count;
  }
  o->merges = orr_calloc((size_t)o->nodes, 1);
  ORR_CHECK(o->merges, ORR_ENOMEM, "tree of %d gradients: out of memory", o->nodes);
  int n = 0;
  for (int r = 0; r < dp_of(o); r++)
    for (int i = 0; i < o->of[r].count; i++)
      o->merges[n++] = (uint8_t)train_tree_push(&all, o->of[r].node[i]);
  return ORR_OK;
}

static orr_code list_flat(train_ordered *o) {
  const size_t replicas = (size_t)train_axes_size(o->axes, DIST_AXIS_REPLICA);
  o->of = orr_calloc((size_t)dp_of(o), sizeof *o->of);
  o->counts = orr_calloc(4 * replicas, sizeof *o->counts);
  ORR_CHECK(o->of && o->counts, ORR_ENOMEM, "order of gradients: out of memory");
  o->state->waiting =
      train_tree_most(train_axes_rank(o->axes, DIST_AXIS_DP) * o->groups, o->groups);
  return list_nodes(o);
}

orr_code train_ordered_create(train_axes *axes, train_state *state, int64_t groups,
                              train_ordered **out) {
  train_ordered *o = orr_calloc(1, sizeof *o);
  ORR_CHECK(o, ORR_ENOMEM, "order of gradients: out of memory");
  *o = (train_ordered){.axes = axes, .state = state, .groups = groups};
  const orr_code rc =
      state->zero >= 2 ? train_turns_create(axes, state, groups, &o->turns) : list_flat(o);
  if (rc != ORR_OK) {
    train_ordered_destroy(o);
    return rc;
  }
  *out = o;
  return ORR_OK;
}

void train_ordered_destroy(train_ordered *o) {
  if (!o) return;
  train_turns_destroy(o->turns);
  orr_free(o->merges);
  orr_free(o->counts);
  orr_free(o->of);
  orr_free(o);
}

orr_code train_ordered_place(train_ordered *o, const train_partition *buckets, orr_arena *arena) {
  const int dp = dp_of(o);
  if (o->turns) return train_turns_place(o->turns, buckets, arena);
  if (dp == 1) return ORR_OK;
  o->capacity = 0;
  for (int64_t i = 0; i < train_partition_buckets(buckets); i++) {
    int64_t at, count;
    train_partition_bucket(buckets, i, &at, &count);
    if ((count + dp - 1) / dp > o->capacity) o->capacity = (count + dp - 1) / dp;
  }
  o->arrived = orr_arena_take(arena, (size_t)(o->nodes * o->capacity) * sizeof *o->arrived);
  return train_constants_place(o->state->k, arena, o->merges, (size_t)o->nodes,
                               (void **)&o->merges_here);
}

// Where the array lies that became number i of the stack.
static float *waiting(const train_ordered *o, int i) {
  return o->state->waiting_grad + (int64_t)i * o->state->params.total;
}

static bool is_last(const train_ordered *o) {
  return o->pass + 1 == o->groups;
}

void train_ordered_begin(train_ordered *o) {
  if (o->turns)
    train_turns_begin(o->turns);
  else
    o->state->weights.grad = is_last(o) ? o->state->whole_grad : waiting(o, o->stack.count);
}

static orr_code add(const train_ordered *o, const float *x, float *y, int64_t count) {
  return kern_axpby(
      o->state->k,
      &(kern_axpby_args){.type = KERN_F32, .n = count, .a = 1.0f, .b = 1.0f, .x = x, .y = y});
}

// The two leaves of a group.
static orr_code add_leaves(train_ordered *o, float *grad, int64_t count) {
  return train_axes_all_reduce(o->axes, DIST_AXIS_CP, grad, count, DIST_F32, DIST_SUM);
}

static train_tree_node node_of(const train_ordered *o) {
  const int64_t first = train_axes_rank(o->axes, DIST_AXIS_DP) * o->groups;
  return (train_tree_node){first + o->pass, 1};
}

orr_code train_ordered_end(train_ordered *o) {
  const int64_t total = o->state->params.total;
  const int at = o->stack.count;
  ORR_TRY(add_leaves(o, waiting(o, at), total));
  for (int sums = train_tree_push(&o->stack, node_of(o)), i = at; sums > 0; sums--, i--)
    ORR_TRY(add(o, waiting(o, i), waiting(o, i - 1), total));
  o->pass++;
  return ORR_OK;
}

// Where node i of this rank has element `at`; the last one lies in the gradients' own array.
static float *node_at(const train_ordered *o, int i, int64_t at) {
  const train_tree *mine = &o->of[train_axes_rank(o->axes, DIST_AXIS_DP)];
  return i + 1 == mine->count ? o->state->whole_grad + at : waiting(o, i) + at;
}

// Elements of the bucket that belong to rank r of dp, whose cp is this rank's.
static train_part part_of(const train_ordered *o, const train_partition *buckets, int64_t i,
                          int r) {
  const int cp = train_axes_size(o->axes, DIST_AXIS_CP), c = train_axes_rank(o->axes, DIST_AXIS_CP);
  int64_t at, count;
  if (buckets->ranks > 1) return train_partition_share(buckets, i, r * cp + c, dp_of(o) * cp);
  train_partition_bucket(buckets, i, &at, &count);
  return train_part_of(count, dp_of(o), r);
}

// Node n of every rank that has so many, part by part to whom it belongs.
static orr_code exchange(train_ordered *o, int n, const train_partition *buckets, int64_t i) {
  const int dp = dp_of(o), me = train_axes_rank(o->axes, DIST_AXIS_DP);
  int64_t *send = o->counts, *send_at = send + dp, *recv = send_at + dp, *recv_at = recv + dp;
  const bool have = n < o->of[me].count;
  const train_part own = part_of(o, buckets, i, me);
  int64_t before = 0, at, count;
  train_partition_bucket(buckets, i, &at, &count);
  for (int r = 0; r < dp; r++) {
    const train_part part = part_of(o, buckets, i, r);
    send[r] = have ? part.count : 0;
    send_at[r] = part.first;
    recv[r] = n < o->of[r].count ? own.count : 0;
    recv_at[r] = (before + n) * o->capacity;
    before += o->of[r].count;
  }
  return train_axes_all_to_all(o->axes, DIST_AXIS_DP, node_at(o, have ? n : 0, at), send, send_at,
                               o->arrived, recv, recv_at, DIST_F32);
}

orr_code train_ordered_spread(train_axes *axes, dist_axis axis, float *x, int64_t count,
                              int64_t *counts) {
  const int ranks = train_axes_size(axes, axis), me = train_axes_rank(axes, axis);
  int64_t *send = counts, *send_at = send + ranks, *recv = send_at + ranks, *recv_at = recv + ranks;
  const train_part own = train_part_of(count, ranks, me);
  for (int r = 0; r < ranks; r++) {
    const train_part part = train_part_of(count, ranks, r);
    send[r] = r == me ? 0 : own.count;
    send_at[r] = own.first;
    recv[r] = r == me ? 0 : part.count;
    recv_at[r] = part.first;
  }
  return train_axes_all_to_all(axes, axis, x, send, send_at, x, recv, recv_at, DIST_F32);
}

// Nodes of this rank, of which there is none other.
static orr_code add_nodes(train_ordered *o, int64_t at, int64_t count) {
  for (int i = o->of[0].count - 1; i > 0; i--)
    ORR_TRY(add(o, node_at(o, i - 1, at), node_at(o, o->of[0].count - 1, at), count));
  return ORR_OK;
}

// The last group of this rank, to the nodes that its groups come to.
static orr_code end_groups(train_ordered *o, int64_t at, int64_t count) {
  float *grad = o->state->whole_grad + at;
  train_tree after = o->stack;
  ORR_TRY(add_leaves(o, grad, count));
  for (int sums = train_tree_push(&after, node_of(o)), i = o->stack.count - 1; sums > 0;
       sums--, i--)
    ORR_TRY(add(o, waiting(o, i) + at, grad, count));
  if (at == 0) { // buckets come from the end: the step is over
    o->stack.count = 0;
    o->pass = 0;
  }
  return ORR_OK;
}

orr_code train_ordered_bucket(train_ordered *o, const train_partition *buckets, int64_t i) {
  train_state *s = o->state;
  const bool shared = buckets->ranks > 1;
  const train_partition_piece mine = train_partition_piece_of(buckets, i);
  int64_t at, count;
  if (o->turns) return train_turns_bucket(o->turns, buckets, i);
  train_partition_bucket(buckets, i, &at, &count);
  ORR_TRY(end_groups(o, at, count));
  if (dp_of(o) == 1) {
    ORR_TRY(add_nodes(o, at, count));
    if (!shared) return ORR_OK;
    return kern_copy(s->k, &(kern_copy_args){.dst = s->own_grad + mine.place,
                                             .src = s->whole_grad + mine.at,
                                             .bytes = (size_t)mine.count * sizeof(float),
                                             .way = KERN_COPY_WITHIN});
  }
  for (int n = 0; n < o->most; n++) ORR_TRY(exchange(o, n, buckets, i));
  const train_part part = part_of(o, buckets, i, train_axes_rank(o->axes, DIST_AXIS_DP));
  float *piece = shared ? s->own_grad + mine.place : s->whole_grad + at;
  const int64_t first = shared ? at + part.first - mine.at : part.first;
  ORR_TRY(kern_tree_sum(s->k, &(kern_tree_sum_args){.type = KERN_F32,
                                                    .n = part.count,
                                                    .count = o->nodes,
                                                    .x = o->arrived,
                                                    .inner_stride = o->capacity,
                                                    .merges = o->merges_here,
                                                    .y = piece + first}));
  return train_ordered_spread(o->axes, shared ? DIST_AXIS_COPIES : DIST_AXIS_DP, piece,
                              shared ? mine.count : count, o->counts);
}
