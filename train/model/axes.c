#include "train/model/axes.h"

#include <inttypes.h>
#include <string.h>

#include "data/clips/turn.h"
#include "train/model/views.h"

train_part train_part_of(int64_t n, int parts, int i) {
  const int64_t small = n / parts, larger = n % parts;
  return (train_part){.first = i * small + (i < larger ? i : larger),
                      .count = small + (i < larger),
                      .capacity = small + (larger > 0)};
}

train_part train_part_heads(int64_t n, int parts, int i) {
  if (n >= parts) return train_part_of(n, parts, i);
  return (train_part){.first = i * n / parts, .count = 1, .capacity = 1};
}

const char *train_move_name(train_move m) {
  static const char *const names[TRAIN_MOVES] = {[TRAIN_ALL_REDUCE] = "all_reduce",
                                                 [TRAIN_REDUCE_SCATTER] = "reduce_scatter",
                                                 [TRAIN_ALL_GATHER] = "all_gather",
                                                 [TRAIN_ALL_TO_ALL] = "all_to_all",
                                                 [TRAIN_BROADCAST] = "broadcast"};
  return names[m];
}

void train_axes_init(train_axes *ax, const dist_grid *grid, const dist_world *world) {
  *ax = (train_axes){.grid = *grid, .planning = true};
  if (!world) return;
  memcpy(ax->comm, world->axis, sizeof ax->comm);
  memcpy(ax->host, world->axis, sizeof ax->host);
}

orr_code train_axes_use_device(train_axes *ax, kern *k, dist_world *world, const cfg *c) {
  ax->on_device = kern_stream(k) != NULL;
  if (!ax->on_device || !world || world->grid.ranks == 1) return ORR_OK;
  ORR_TRY(dist_world_split_device(world, &(dist_device){.stream = kern_stream(k),
                                                        .shared = c->dist.share_devices,
                                                        .nvls = c->dist.nvls}));
  memcpy(ax->comm, world->device, sizeof ax->comm);
  ax->world = world;
  return ORR_OK;
}

orr_code train_axes_await(train_axes *ax, kern *k, int mark) {
  if (ax->world) dist_device_wait_begin(ax->world);
  const orr_code rc = kern_await(k, mark);
  if (ax->world) dist_device_wait_end(ax->world);
  return rc;
}

orr_code train_axes_sync(train_axes *ax, kern *k) {
  if (ax->world) dist_device_wait_begin(ax->world);
  const orr_code rc = kern_sync(k);
  if (ax->world) dist_device_wait_end(ax->world);
  return rc;
}

orr_code train_axes_register(train_axes *ax, const orr_arena *a) {
  for (int i = 0; ax->on_device && i < DIST_AXES; i++)
    if (ax->comm[i]) ORR_TRY(dist_comm_register(ax->comm[i], a->base, a->capacity));
  return ORR_OK;
}

orr_code train_axes_commit(train_axes *ax) {
  ax->planning = false;
  memset(ax->moved, 0, sizeof ax->moved);
  for (int a = 0; a < DIST_AXES; a++)
    if (ax->stage[a] > 0) ORR_TRY(dist_comm_reserve(ax->comm[a], ax->stage[a]));
  return ORR_OK;
}

// Of either model.
static orr_code check_parts(const cfg *c, const dist_grid *g) {
  const cfg_blocks b = cfg_blocks_of(c);
  const int64_t G = b.kv_heads;
  ORR_CHECK(G % g->tp == 0 || g->tp % G == 0, ORR_ECONFIG,
            "dist.tp %d and %s.kv_heads %" PRId64
            ": one must divide the other, so that every rank has "
            "whole heads or ranks share one evenly",
            g->tp, b.section, G);
  ORR_CHECK(c->data.frames >= g->cp, ORR_ECONFIG,
            "dist.cp %d is above data.frames %" PRId64 ": a rank would have no frame", g->cp,
            c->data.frames);
  return ORR_OK;
}

static orr_code check_model(const cfg *c, const dist_grid *g) {
  const int64_t N = 1 + c->model.rows * c->model.cols + c->model.registers;
  ORR_CHECK(c->model.codes >= g->tp, ORR_ECONFIG,
            "dist.tp %d is above model.codes %" PRId64 ": a rank would have no code", g->tp,
            c->model.codes);
  ORR_CHECK(N >= g->cp, ORR_ECONFIG,
            "dist.cp %d is above the %" PRId64 " tokens of a frame: a rank would have none", g->cp,
            N);
  ORR_CHECK(!c->model.before || c->model.own_codes == 0.0 || g->cp == 1, ORR_ECONFIG,
            "model.own_codes %g with model.before and dist.cp %d: a frame's codes may be drawn on "
            "another rank than the frame after it lies on; set dist.cp 1, or one of the others off",
            c->model.own_codes, g->cp);
  return ORR_OK;
}

orr_code train_axes_check(const cfg *c, const dist_grid *g) {
  data_views views;
  ORR_TRY(train_views_of(c, &views));
  ORR_TRY(check_parts(c, g));
  return c->train.stage == CFG_STAGE_DYNAMICS ? check_model(c, g) : ORR_OK;
}

int train_axes_size(const train_axes *ax, dist_axis axis) {
  return ax ? dist_grid_line(&ax->grid, axis).size : 1;
}

int train_axes_rank(const train_axes *ax, dist_axis axis) {
  return ax ? dist_grid_line(&ax->grid, axis).place : 0;
}

int64_t train_axes_clip(const train_axes *ax, int64_t clips, int64_t i) {
  return data_clip_place(ax->grid.dp_i, ax->grid.dp, clips, ax->turn, i);
}

dist_axis train_axes_sharing(const train_axes *ax) {
  return ax && ax->grid.shard > 0 ? DIST_AXIS_SHARD : DIST_AXIS_REPLICA;
}

static const int64_t wire_bytes[] = {
    [DIST_F32] = 4, [DIST_BF16] = 2, [DIST_F64] = 8, [DIST_I64] = 8, [DIST_U8] = 1};

// Counts `elements`; true when the call must then be made. It may be started only: *r.
static bool begins(train_axes *ax, dist_axis axis, train_move move, int64_t elements, dist_dtype t,
                   dist_request *r) {
  const int64_t bytes = elements * wire_bytes[t];
  if (r) *r = (dist_request){NULL};
  if (train_axes_size(ax, axis) == 1) return false;
  ax->moved[axis][move].calls++;
  ax->moved[axis][move].bytes += bytes;
  if (ax->planning && ax->watch) ax->watch->moves(ax->watch->ctx, axis, move, (double)bytes, r);
  return !ax->planning;
}

static bool moves(train_axes *ax, dist_axis axis, train_move move, int64_t elements, dist_dtype t) {
  return begins(ax, axis, move, elements, t, NULL);
}

static void holds(train_axes *ax, dist_axis axis, dist_collective what, dist_dtype t,
                  int64_t count) {
  const size_t bytes = dist_staging_bytes(what, t, count, train_axes_size(ax, axis));
  if (ax->planning && !ax->on_device && bytes > ax->stage[axis]) ax->stage[axis] = bytes;
}

orr_code train_axes_all_reduce(train_axes *ax, dist_axis axis, void *buf, int64_t count,
                               dist_dtype t, dist_op op) {
  holds(ax, axis, DIST_ALL_REDUCE, t, count);
  if (!moves(ax, axis, TRAIN_ALL_REDUCE, count, t)) return ORR_OK;
  return dist_all_reduce(ax->comm[axis], buf, count, t, op);
}

orr_code train_axes_reduce_scatter(train_axes *ax, dist_axis axis, const void *send, void *recv,
                                   int64_t count, dist_dtype t) {
  holds(ax, axis, DIST_REDUCE_SCATTER, t, count);
  if (!moves(ax, axis, TRAIN_REDUCE_SCATTER, count * train_axes_size(ax, axis), t)) return ORR_OK;
  return dist_reduce_scatter(ax->comm[axis], send, recv, count, t, DIST_SUM);
}

orr_code train_axes_all_gather(train_axes *ax, dist_axis axis, const void *send, void *recv,
                               int64_t count, dist_dtype t) {
  if (!moves(ax, axis, TRAIN_ALL_GATHER, count * train_axes_size(ax, axis), t)) return ORR_OK;
  return dist_all_gather(ax->comm[axis], send, recv, count, t);
}

static int64_t sum_of(const train_axes *ax, dist_axis axis, const int64_t *counts) {
  int64_t sum = 0;
  for (int i = 0; i < train_axes_size(ax, axis); i++) sum += counts[i];
  return sum;
}

orr_code train_axes_all_to_all(train_axes *ax, dist_axis axis, const void *send,
                               const int64_t *send_counts, const int64_t *send_at, void *recv,
                               const int64_t *recv_counts, const int64_t *recv_at, dist_dtype t) {
  const int64_t sent = sum_of(ax, axis, send_counts);
  if (!moves(ax, axis, TRAIN_ALL_TO_ALL, sent, t)) return ORR_OK;
  return dist_all_to_all(ax->comm[axis], send, send_counts, send_at, recv, recv_counts, recv_at, t);
}

orr_code train_axes_broadcast(train_axes *ax, dist_axis axis, void *buf, int64_t count,
                              dist_dtype t, int root) {
  if (!moves(ax, axis, TRAIN_BROADCAST, count, t)) return ORR_OK;
  return dist_broadcast(ax->comm[axis], buf, count, t, root);
}

orr_code train_axes_host_sum(train_axes *ax, dist_axis axis, double *v, int64_t count) {
  if (!moves(ax, axis, TRAIN_ALL_REDUCE, count, DIST_F64)) return ORR_OK;
  return dist_all_reduce(ax->host[axis], v, count, DIST_F64, DIST_SUM);
}

orr_code train_axes_host_all_to_all(train_axes *ax, dist_axis axis, const void *send,
                                    const int64_t *send_bytes, const int64_t *send_at, void *recv,
                                    const int64_t *recv_bytes, const int64_t *recv_at) {
  if (!moves(ax, axis, TRAIN_ALL_TO_ALL, sum_of(ax, axis, send_bytes), DIST_U8)) return ORR_OK;
  return dist_all_to_all(ax->host[axis], send, send_bytes, send_at, recv, recv_bytes, recv_at,
                         DIST_U8);
}

orr_code train_axes_agree(train_axes *ax, orr_code mine, const char *what) {
  if (!moves(ax, DIST_AXIS_WORLD, TRAIN_ALL_REDUCE, 1, DIST_I64)) return mine;
  return dist_agree(ax->host[DIST_AXIS_WORLD], mine, what);
}

// As dist_gather_text goes about it: two agreements, everyone's size to everyone, the texts.
void train_axes_count_text(train_axes *ax, dist_axis axis, uint64_t bytes) {
  moves(ax, axis, TRAIN_ALL_REDUCE, 1, DIST_I64);
  moves(ax, axis, TRAIN_ALL_REDUCE, 1, DIST_I64);
  moves(ax, axis, TRAIN_ALL_GATHER, train_axes_size(ax, axis), DIST_I64);
  moves(ax, axis, TRAIN_ALL_TO_ALL, (int64_t)bytes, DIST_U8);
}

orr_code train_axes_gather_text(train_axes *ax, dist_axis axis, const char *text, int root,
                                char ***texts) {
  train_axes_count_text(ax, axis, strlen(text) + 1);
  return dist_gather_text(ax->host[axis], text, root, texts);
}

orr_code train_axes_all_reduce_start(train_axes *ax, dist_axis axis, void *buf, int64_t count,
                                     dist_dtype t, dist_request *r) {
  if (!begins(ax, axis, TRAIN_ALL_REDUCE, count, t, r)) return ORR_OK;
  return dist_all_reduce_start(ax->comm[axis], buf, count, t, DIST_SUM, r);
}

orr_code train_axes_reduce_scatter_start(train_axes *ax, dist_axis axis, const void *send,
                                         void *recv, int64_t count, dist_dtype t, dist_request *r) {
  if (!begins(ax, axis, TRAIN_REDUCE_SCATTER, count * train_axes_size(ax, axis), t, r))
    return ORR_OK;
  return dist_reduce_scatter_start(ax->comm[axis], send, recv, count, t, DIST_SUM, r);
}

orr_code train_axes_all_gather_start(train_axes *ax, dist_axis axis, const void *send, void *recv,
                                     int64_t count, dist_dtype t, dist_request *r) {
  if (!begins(ax, axis, TRAIN_ALL_GATHER, count * train_axes_size(ax, axis), t, r)) return ORR_OK;
  return dist_all_gather_start(ax->comm[axis], send, recv, count, t, r);
}

orr_code train_axes_broadcast_start(train_axes *ax, dist_axis axis, void *buf, int64_t count,
                                    dist_dtype t, int root, dist_request *r) {
  if (!begins(ax, axis, TRAIN_BROADCAST, count, t, r)) return ORR_OK;
  return dist_broadcast_start(ax->comm[axis], buf, count, t, root, r);
}

orr_code train_axes_wait(train_axes *ax, dist_axis axis, dist_request *r) {
  if (!ax->planning) return dist_wait(ax->comm[axis], r);
  if (ax->watch && train_axes_size(ax, axis) > 1) ax->watch->waits(ax->watch->ctx, axis, r);
  return ORR_OK;
}

orr_code train_axes_push(train_axes *ax, dist_axis axis, dist_request *requests, int64_t started,
                         int64_t *finished) {
  if (ax->planning) return ORR_OK;
  for (bool done = true; *finished < started; ++*finished) {
    ORR_TRY(dist_test(ax->comm[axis], &requests[*finished], &done));
    if (!done) break;
  }
  return ORR_OK;
}
