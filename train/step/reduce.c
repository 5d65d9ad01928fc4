#include "train/step/reduce.h"

#include <inttypes.h>

#include "base/mem.h"

struct train_reduce {
  train_axes *axes;
  train_state *state;
  train_ordered *ordered; // borrowed; NULL without run.exact
  bool overlap;
  uint64_t *local;         // see train_reduce_fingerprint
  train_partition buckets; // where they are cut; also without sharded states
  int64_t started;         // buckets started in this step, counted from the end
  int64_t finished;
  dist_request *requests; // [buckets], by order of start
  int untouched;          // parameters [0, untouched) have not been summed over tp in this step
  int64_t capacity;       // elements of `shared`
  float *shared;          // gradients on their way over tp
};

// What is exchanged at once over tp: small ones together, a large one alone.
#define SHARED_AT_ONCE 65536

static bool is_partial(const train_reduce *r, const train_param *p) {
  return p->grad_partial && p->count > 0 && train_axes_size(r->axes, DIST_AXIS_TP) > 1;
}

// Whether each replica gets its equal part of a bucket alone.
static bool scatters(const train_reduce *r) {
  return r->state->shard.ranks > 1 && !r->state->shard.whole;
}

orr_code train_reduce_create(train_axes *axes, train_state *state, int64_t bucket_bytes,
                             train_ordered *ordered, train_reduce **out) {
  train_reduce *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "gradient buckets: out of memory");
  *r = (train_reduce){.axes = axes,
                      .state = state,
                      .ordered = ordered,
                      .overlap = true,
                      .untouched = state->params.count};
  r->buckets = state->shard;
  if (!scatters(r))
    r->buckets = (train_partition){
        .ranks = 1, .total = state->params.total, .bucket = bucket_bytes / (int64_t)sizeof(float)};
  for (int i = 0; i < state->params.count; i++) {
    const train_param *p = &state->params.list[i];
    if (!is_partial(r, p)) continue;
    if (r->capacity < SHARED_AT_ONCE) r->capacity = SHARED_AT_ONCE;
    if (r->capacity < train_param_whole(p)) r->capacity = train_param_whole(p);
  }
  const int64_t n = train_partition_buckets(&r->buckets);
  r->requests = orr_calloc((size_t)n, sizeof *r->requests);
  if (!r->requests) {
    orr_free(r);
    return ORR_FAIL(ORR_ENOMEM, "%" PRId64 " gradient buckets: out of memory", n);
  }
  *out = r;
  return ORR_OK;
}

void train_reduce_destroy(train_reduce *r) {
  if (!r) return;
  orr_free(r->requests);
  orr_free(r);
}

void train_reduce_overlap(train_reduce *r, bool overlap) {
  r->overlap = overlap;
}

void train_reduce_fingerprint(train_reduce *r, uint64_t *local) {
  r->local = local;
}

orr_code train_reduce_place(train_reduce *r, orr_arena *arena) {
  if (r->capacity) r->shared = orr_arena_take(arena, (size_t)r->capacity * sizeof *r->shared);
  return r->ordered ? train_ordered_place(r->ordered, &r->buckets, arena) : ORR_OK;
}

// Copies this rank's elements of a parameter's gradient to their places in the whole, or back.
static orr_code copy_shared(const train_reduce *r, const train_param *p, float *whole, bool back) {
  float *own = r->state->weights.grad + p->at, *here = whole + p->first * p->inner;
  const size_t one = sizeof *own, own_pitch = (size_t)(p->capacity * p->inner) * one,
               whole_pitch = (size_t)(p->shape[p->dim] * p->inner) * one;
  if (!back)
    ORR_TRY(kern_fill(r->state->k,
                      &(kern_fill_args){.x = whole, .bytes = (size_t)train_param_whole(p) * one}));
  return kern_copy_rows(r->state->k,
                        &(kern_copy_rows_args){.dst = back ? own : here,
                                               .src = back ? here : own,
                                               .dst_pitch = back ? own_pitch : whole_pitch,
                                               .src_pitch = back ? whole_pitch : own_pitch,
                                               .width = (size_t)(p->have * p->inner) * one,
                                               .rows = p->outer,
                                               .way = KERN_COPY_WITHIN});
}

// Parameters [first, end), whose partial ones fit into the buffer together.
static orr_code sum_group(train_reduce *r, int first, int end) {
  const train_param *list = r->state->params.list;
  int64_t n = 0;
  for (int i = first; i < end; i++) {
    if (!is_partial(r, &list[i])) continue;
    ORR_TRY(copy_shared(r, &list[i], r->shared + n, false));
    n += train_param_whole(&list[i]);
  }
  if (n == 0) return ORR_OK;
  ORR_TRY(train_axes_all_reduce(r->axes, DIST_AXIS_TP, r->shared, n, DIST_F32, DIST_SUM));
  n = 0;
  for (int i = first; i < end; i++) {
    if (!is_partial(r, &list[i])) continue;
    ORR_TRY(copy_shared(r, &list[i], r->shared + n, true));
    n += train_param_whole(&list[i]);
  }
  return ORR_OK;
}

// Sums the shared gradients at and after element `first` over tp.
static orr_code sum_shared(train_reduce *r, int64_t first) {
  const train_param *list = r->state->params.list;
  int64_t n = 0;
  int end = r->untouched;
  for (; r->untouched > 0 && list[r->untouched - 1].at >= first; r->untouched--) {
    const train_param *p = &list[r->untouched - 1];
    if (!is_partial(r, p)) continue;
    if (n + train_param_whole(p) > r->capacity) {
      ORR_TRY(sum_group(r, r->untouched, end));
      end = r->untouched;
      n = 0;
    }
    n += train_param_whole(p);
  }
  return sum_group(r, r->untouched, end);
}

static orr_code start_bucket(train_reduce *r, int64_t i, dist_request *request) {
  float *grad = r->state->weights.grad;
  int64_t at, count;
  train_partition_bucket(&r->buckets, i, &at, &count);
  if (r->local)
    ORR_TRY(kern_fingerprint(r->state->k, &(kern_fingerprint_args){.n = count,
                                                                   .x = grad + at,
                                                                   .first = at,
                                                                   .sum = r->local,
                                                                   .accumulate = r->started > 0}));
  if (r->ordered) {
    const train_partition_piece mine = train_partition_piece_of(&r->buckets, i);
    *request = (dist_request){NULL};
    return train_ordered_bucket(r->ordered, at, count, scatters(r) ? &mine : NULL,
                                r->state->own_grad + mine.place);
  }
  if (!scatters(r))
    return train_axes_all_reduce_start(r->axes, DIST_AXIS_REPLICA, grad + at, count, DIST_F32,
                                       request);
  const train_partition_piece mine = train_partition_piece_of(&r->buckets, i);
  return train_axes_reduce_scatter_start(r->axes, DIST_AXIS_REPLICA, grad + at,
                                         r->state->own_grad + mine.place, mine.count, DIST_F32,
                                         request);
}

// Starts the buckets at and after `first`, whose sums over tp are made.
static orr_code start_final(train_reduce *r, int64_t first) {
  const int64_t n = train_partition_buckets(&r->buckets);
  if (train_axes_size(r->axes, DIST_AXIS_REPLICA) == 1 && !r->ordered) return ORR_OK;
  for (; r->started < n; r->started++) {
    const int64_t i = n - 1 - r->started;
    if (i * r->buckets.bucket < first) break;
    ORR_TRY(start_bucket(r, i, &r->requests[r->started]));
  }
  if (r->ordered) return ORR_OK; // nothing is under way
  return train_axes_push(r->axes, DIST_AXIS_REPLICA, r->requests, r->started, &r->finished);
}

orr_code train_reduce_ready(void *reduce, int64_t first) {
  train_reduce *r = reduce;
  ORR_TRY(sum_shared(r, first));
  return r->overlap ? start_final(r, first) : ORR_OK;
}

orr_code train_reduce_finish(train_reduce *r) {
  ORR_TRY(sum_shared(r, 0));
  ORR_TRY(start_final(r, 0));
  for (; r->finished < r->started; r->finished++)
    ORR_TRY(dist_wait(r->axes->comm[DIST_AXIS_REPLICA], &r->requests[r->finished]));
  r->started = r->finished = 0;
  r->untouched = r->state->params.count;
  return ORR_OK;
}
