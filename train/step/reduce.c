#include "train/step/reduce.h"

#include <inttypes.h>

#include "base/mem.h"

struct train_reduce {
  train_axes *axes;
  train_state *state;
  train_ordered *ordered; // borrowed; NULL without run.exact
  dist_axis axis;         // that buckets are reduced over
  bool overlap;
  uint64_t *local;          // see train_reduce_fingerprint
  train_partition buckets;  // where they are cut; also without sharded states
  int64_t started;          // buckets started in this micro-batch, counted from the end
  int64_t finished, landed; // of these: over; where they belong
  dist_request *requests;   // [buckets], by order of start
  int untouched;            // parameters [0, untouched) have not been summed over tp yet
  int64_t capacity;         // elements of `shared`
  float *shared;            // gradients on their way over tp
  // Where gradients are shared out:
  int64_t micros, micro;               // of a step; the one at hand
  bool last;                           // of the step
  int segment;                         // whose gradients are made now
  float *arriving[TRAIN_WINDOW_SLOTS]; // of a later micro-batch: a segment's parts to be added
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

// Whether gradients are there segment by segment.
static bool windowed(const train_reduce *r) {
  return r->state->zero >= 2;
}

static int64_t total_of(const train_reduce *r) {
  return r->state->params.total;
}

orr_code train_reduce_create(train_axes *axes, train_state *state, int64_t bucket_bytes,
                             int64_t micros, train_ordered *ordered, train_reduce **out) {
  train_reduce *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "gradient buckets: out of memory");
  *r = (train_reduce){.axes = axes,
                      .state = state,
                      .ordered = ordered,
                      .overlap = true,
                      .untouched = state->params.count,
                      .micros = micros};
  r->buckets = state->shard;
  // All replicas have the same; without gradients of their own, in buckets as with one rank.
  r->axis = state->shard.ranks > 1 ? train_axes_sharing(axes) : DIST_AXIS_REPLICA;
  if (!scatters(r) && !windowed(r)) r->axis = DIST_AXIS_REPLICA;
  if (!scatters(r) && !windowed(r))
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

// The buckets of segment i of the flat layout.
static void buckets_of(const train_reduce *r, int i, int64_t *first, int64_t *end) {
  const int64_t *segment = r->state->params.segment + i;
  *first = train_partition_find(&r->buckets, segment[0]);
  *end = segment[1] == total_of(r) ? train_partition_buckets(&r->buckets)
                                   : train_partition_find(&r->buckets, segment[1]);
}

// Elements of segment i that this rank keeps.
static int64_t kept_of(const train_reduce *r, int i) {
  int64_t first, end, n = 0;
  buckets_of(r, i, &first, &end);
  for (int64_t b = first; b < end; b++) n += train_partition_piece_of(&r->buckets, b).count;
  return n;
}

orr_code train_reduce_place(train_reduce *r, orr_arena *arena) {
  int64_t most[TRAIN_WINDOW_SLOTS] = {0};
  if (r->capacity) r->shared = orr_arena_take(arena, (size_t)r->capacity * sizeof *r->shared);
  if (r->ordered) return train_ordered_place(r->ordered, &r->buckets, arena);
  if (!windowed(r) || r->micros == 1 || r->state->shard.whole) return ORR_OK;
  for (int i = 0; i < r->state->params.segments; i++) {
    const int64_t n = kept_of(r, i);
    if (n > most[i % TRAIN_WINDOW_SLOTS]) most[i % TRAIN_WINDOW_SLOTS] = n;
  }
  for (int i = 0; i < TRAIN_WINDOW_SLOTS; i++)
    r->arriving[i] = orr_arena_take(arena, (size_t)most[i] * sizeof **r->arriving);
  return ORR_OK;
}

// Copies this rank's elements of a parameter's gradient to their places in the whole, or back.
static orr_code copy_shared(const train_reduce *r, const train_param *p, float *whole, bool back) {
  float *own = train_gradient(&r->state->weights, p->at), *here = whole + p->first * p->inner;
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

// Where this rank's part of bucket i arrives.
static float *arrival(const train_reduce *r, int64_t i, const train_partition_piece *mine) {
  if (!windowed(r) || r->micro == 0) return r->state->own_grad + mine->place;
  const int segment = train_params_segment_of(&r->state->params, mine->at);
  int64_t first, end;
  buckets_of(r, segment, &first, &end);
  return r->arriving[segment % TRAIN_WINDOW_SLOTS] +
         (mine->place - train_partition_piece_of(&r->buckets, first).place);
}

static orr_code start_bucket(train_reduce *r, int64_t i, dist_request *request) {
  int64_t at, count;
  train_partition_bucket(&r->buckets, i, &at, &count);
  float *grad = train_gradient(&r->state->weights, at);
  if (r->local)
    ORR_TRY(kern_fingerprint(r->state->k,
                             &(kern_fingerprint_args){.n = count,
                                                      .x = grad,
                                                      .first = at,
                                                      .sum = r->local,
                                                      .accumulate = r->started + r->micro > 0}));
  if (r->ordered) {
    *request = (dist_request){NULL};
    return train_ordered_bucket(r->ordered, &r->buckets, i);
  }
  if (!scatters(r))
    return train_axes_all_reduce_start(r->axes, r->axis, grad, count, DIST_F32, request);
  const train_partition_piece mine = train_partition_piece_of(&r->buckets, i);
  return train_axes_reduce_scatter_start(r->axes, r->axis, grad, arrival(r, i, &mine), mine.count,
                                         DIST_F32, request);
}

// Bucket i is reduced: what this rank keeps of it, to where that is.
static orr_code land(train_reduce *r, int64_t i) {
  const train_partition_piece mine = train_partition_piece_of(&r->buckets, i);
  float *own = r->state->own_grad + mine.place;
  if (r->ordered || (!scatters(r) && !windowed(r))) return ORR_OK;
  if (windowed(r) && mine.count > 0 && (r->micro > 0 || !scatters(r)))
    ORR_TRY(kern_axpby(r->state->k,
                       &(kern_axpby_args){.type = KERN_F32,
                                          .n = mine.count,
                                          .a = 1.0f,
                                          .b = r->micro > 0 ? 1.0f : 0.0f,
                                          .x = scatters(r)
                                                   ? arrival(r, i, &mine)
                                                   : train_gradient(&r->state->weights, mine.at),
                                          .y = own}));
  if (!r->last || mine.count == 0) return ORR_OK;
  return train_axes_all_reduce(r->axes, DIST_AXIS_COPIES, own, mine.count, DIST_F32, DIST_SUM);
}

// Waits for the first `n` buckets that were started.
static orr_code await(train_reduce *r, int64_t n) {
  const int64_t buckets = train_partition_buckets(&r->buckets);
  for (; r->landed < n; r->landed++) {
    ORR_TRY(train_axes_wait(r->axes, r->axis, &r->requests[r->landed]));
    ORR_TRY(land(r, buckets - 1 - r->landed));
  }
  if (r->finished < r->landed) r->finished = r->landed;
  return ORR_OK;
}

static bool alone(const train_reduce *r) {
  return train_axes_size(r->axes, DIST_AXIS_REPLICA) == 1;
}

// Starts the buckets at and after `first`, whose sums over tp are made.
static orr_code start_final(train_reduce *r, int64_t first) {
  const int64_t n = train_partition_buckets(&r->buckets);
  if (alone(r) && !r->ordered) return ORR_OK;
  for (; r->started < n; r->started++) {
    int64_t at, count;
    train_partition_bucket(&r->buckets, n - 1 - r->started, &at, &count);
    if (at < first) break;
    ORR_TRY(start_bucket(r, n - 1 - r->started, &r->requests[r->started]));
  }
  if (r->ordered) return ORR_OK; // nothing is under way
  return train_axes_push(r->axes, r->axis, r->requests, r->started, &r->finished);
}

// Before the gradients of segment i are made.
static orr_code open_segment(train_reduce *r, int i) {
  const train_state *s = r->state;
  r->segment = i;
  return train_products_begin((train_products *)&s->products, &s->weights, s->params.segment[i],
                              s->params.segment[i + 1]);
}

// A segment's gradients are final: they leave, and the next one's take the place of those before
// them.
static orr_code close_segment(train_reduce *r) {
  const int64_t before = r->started;
  ORR_TRY(start_final(r, r->state->params.segment[r->segment]));
  ORR_TRY(await(r, r->overlap ? before : r->started));
  return r->segment > 0 ? open_segment(r, r->segment - 1) : ORR_OK;
}

orr_code train_reduce_begin(train_reduce *r, int64_t micro, bool last) {
  train_state *s = r->state;
  r->micro = micro;
  r->last = last;
  if (r->ordered) train_ordered_begin(r->ordered);
  if (windowed(r)) return open_segment(r, s->params.segments - 1);
  if (!r->ordered && micro > 0) return ORR_OK;
  return train_products_begin(&s->products, &s->weights, 0, s->params.total);
}

bool train_reduce_wants(const train_reduce *r) {
  return r->last || windowed(r);
}

orr_code train_reduce_ready(void *reduce, int64_t first) {
  train_reduce *r = reduce;
  ORR_TRY(sum_shared(r, first));
  if (windowed(r)) return close_segment(r);
  return r->overlap ? start_final(r, first) : ORR_OK;
}

orr_code train_reduce_finish(train_reduce *r) {
  if (!windowed(r)) ORR_TRY(sum_shared(r, 0));
  ORR_TRY(start_final(r, 0));
  ORR_TRY(await(r, r->started));
  r->started = r->finished = r->landed = 0;
  r->untouched = r->state->params.count;
  return ORR_OK;
}
