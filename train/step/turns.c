#include "train/step/turns.h"

#include "base/mem.h"
#include "train/model/constants.h"
#include "train/step/ordered.h"
#include "train/step/tree.h"

// A node that a pass makes: of rows [first, first + count) of what is summed.
typedef struct {
  int first, count;
  int place; // on the stack
} made_node;

struct train_turns {
  train_axes *axes;
  train_state *state;
  int64_t passes, pass; // of a step; the one under way
  int replicas, most;   // most: nodes that wait between two passes
  train_tree stack;     // of the passes before this one
  // Of this pass: rows of `arrived` are the nodes of the stack that grow, then the replicas'.
  made_node made[TRAIN_TREE_MOST];
  int count, kept;      // nodes made; those of the stack that stay as they are
  uint8_t *merges;      // [passes, most + replicas] sums after each row
  uint8_t *merges_here; // in device memory
  float *arrived;       // [most + replicas, capacity]
  int64_t capacity;     // elements of a part of a bucket
  int64_t *counts;      // [4, replicas] of an exchange
};

static bool is_last(const train_turns *t) {
  return t->pass + 1 == t->passes;
}

static int rows_of(const train_turns *t) {
  return t->most + t->replicas;
}

// The row of place i of the stack: the topmost one before the first replica's.
static int row_of(const train_turns *t, int i) {
  return t->most - t->stack.count + i;
}

// Pushes the nodes of pass `pass` on *tree; merges [replicas] (may be NULL) gets the sums after
// each. What of the stack no sum has reached: *kept.
static void push_pass(const train_turns *t, int64_t pass, train_tree *tree, int *kept,
                      uint8_t *merges) {
  *kept = tree->count;
  for (int r = 0; r < t->replicas; r++) {
    const int sums = train_tree_push(tree, (train_tree_node){pass * t->replicas + r, 1});
    if (merges) merges[r] = (uint8_t)sums;
    if (sums > 0 && tree->count - 1 < *kept) *kept = tree->count - 1;
  }
}

static orr_code list_passes(train_turns *t) {
  train_tree tree = {0};
  int kept;
  for (int64_t pass = 0; pass + 1 < t->passes; pass++) {
    push_pass(t, pass, &tree, &kept, NULL);
    if (tree.count > t->most) t->most = tree.count;
  }
  t->merges = orr_calloc((size_t)(t->passes * rows_of(t)), 1);
  t->counts = orr_calloc(4 * (size_t)t->replicas, sizeof *t->counts);
  ORR_CHECK(t->merges && t->counts, ORR_ENOMEM, "order of gradients: out of memory");
  tree.count = 0;
  for (int64_t pass = 0; pass < t->passes; pass++)
    push_pass(t, pass, &tree, &kept, t->merges + pass * rows_of(t) + t->most);
  return ORR_OK;
}

orr_code train_turns_create(train_axes *axes, train_state *state, int64_t passes,
                            train_turns **out) {
  train_turns *t = orr_calloc(1, sizeof *t);
  ORR_CHECK(t, ORR_ENOMEM, "order of gradients: out of memory");
  *t = (train_turns){.axes = axes,
                     .state = state,
                     .passes = passes,
                     .replicas = train_axes_size(axes, DIST_AXIS_REPLICA)};
  const orr_code rc = list_passes(t);
  if (rc != ORR_OK) {
    train_turns_destroy(t);
    return rc;
  }
  state->waiting = t->most > 0 ? t->most - 1 : 0; // the first one is the gradients' own
  *out = t;
  return ORR_OK;
}

void train_turns_destroy(train_turns *t) {
  if (!t) return;
  orr_free(t->merges);
  orr_free(t->counts);
  orr_free(t);
}

static train_part share_of(const train_turns *t, const train_partition *buckets, int64_t i,
                           int replica) {
  return train_partition_share(buckets, i, replica, t->replicas);
}

orr_code train_turns_place(train_turns *t, const train_partition *buckets, orr_arena *arena) {
  t->capacity = 0;
  for (int64_t i = 0; i < train_partition_buckets(buckets); i++) {
    const train_part own = share_of(t, buckets, i, train_axes_rank(t->axes, DIST_AXIS_REPLICA));
    if (own.count > t->capacity) t->capacity = own.count;
  }
  t->arrived = orr_arena_take(arena, (size_t)(rows_of(t) * t->capacity) * sizeof *t->arrived);
  return train_constants_place(t->state->k, arena, t->merges, (size_t)(t->passes * rows_of(t)),
                               (void **)&t->merges_here);
}

void train_turns_begin(train_turns *t) {
  train_tree after = t->stack;
  push_pass(t, t->pass, &after, &t->kept, NULL);
  t->count = 0;
  if (is_last(t)) { // all becomes one
    t->kept = 0;
    t->made[t->count++] = (made_node){.first = row_of(t, 0), .count = rows_of(t) - row_of(t, 0)};
    return;
  }
  // The first node made begins with what it takes from the stack; those after it are of this pass.
  for (int i = t->kept, row = row_of(t, t->kept); i < after.count; i++) {
    const int64_t end = after.node[i].first + after.node[i].size - t->pass * t->replicas;
    const int until = t->most + (int)end;
    t->made[t->count++] = (made_node){.first = row, .count = until - row, .place = i};
    row = until;
  }
}

// This rank's part of a bucket: where it lies in the bucket, and in what the rank keeps.
typedef struct {
  train_part part;
  int64_t place;
} own_part;

static float *waiting_at(const train_turns *t, int i, const own_part *own) {
  const int64_t elements = train_partition_elements(&t->state->shard);
  float *array = i == 0 ? t->state->own_grad : t->state->waiting_grad + (i - 1) * elements;
  return array + own->place;
}

static float *row_at(const train_turns *t, int row) {
  return t->arrived + row * t->capacity;
}

static orr_code exchange(train_turns *t, const train_partition *buckets, int64_t i, int64_t at,
                         const own_part *own) {
  int64_t *send = t->counts, *send_at = send + t->replicas, *recv = send_at + t->replicas,
          *recv_at = recv + t->replicas;
  for (int r = 0; r < t->replicas; r++) {
    const train_part part = share_of(t, buckets, i, r);
    send[r] = part.count;
    send_at[r] = part.first;
    recv[r] = own->part.count;
    recv_at[r] = (t->most + r) * t->capacity;
  }
  return train_axes_all_to_all(t->axes, DIST_AXIS_REPLICA, train_gradient(&t->state->weights, at),
                               send, send_at, t->arrived, recv, recv_at, DIST_F32);
}

static orr_code make_nodes(train_turns *t, const own_part *own) {
  kern *k = t->state->k;
  if (own->part.count == 0) return ORR_OK;
  for (int i = t->kept; i < t->stack.count; i++)
    ORR_TRY(kern_copy(k, &(kern_copy_args){.dst = row_at(t, row_of(t, i)),
                                           .src = waiting_at(t, i, own),
                                           .bytes = (size_t)own->part.count * sizeof(float),
                                           .way = KERN_COPY_WITHIN}));
  for (int i = 0; i < t->count; i++) {
    const made_node *x = &t->made[i];
    ORR_TRY(kern_tree_sum(
        k, &(kern_tree_sum_args){.type = KERN_F32,
                                 .n = own->part.count,
                                 .count = x->count,
                                 .x = row_at(t, x->first),
                                 .inner_stride = t->capacity,
                                 .merges = t->merges_here + t->pass * rows_of(t) + x->first,
                                 .y = waiting_at(t, x->place, own)}));
  }
  return ORR_OK;
}

static void end_pass(train_turns *t) {
  int kept;
  if (!is_last(t)) {
    push_pass(t, t->pass++, &t->stack, &kept, NULL);
    return;
  }
  t->stack.count = 0;
  t->pass = 0;
}

orr_code train_turns_bucket(train_turns *t, const train_partition *buckets, int64_t i) {
  const train_partition_piece mine = train_partition_piece_of(buckets, i);
  const bool last = is_last(t);
  own_part own = {.part = share_of(t, buckets, i, train_axes_rank(t->axes, DIST_AXIS_REPLICA))};
  int64_t at, count;
  train_partition_bucket(buckets, i, &at, &count);
  own.place = mine.place + at + own.part.first - mine.at;
  ORR_TRY(exchange(t, buckets, i, at, &own));
  ORR_TRY(make_nodes(t, &own));
  if (i == 0) end_pass(t); // buckets come from the end
  if (!last) return ORR_OK;
  return train_ordered_spread(t->axes, DIST_AXIS_COPIES, t->state->own_grad + mine.place,
                              mine.count, t->counts);
}
