#include "train/step/fetch.h"

#include <inttypes.h>

#include "base/mem.h"

// What takes turns in one half of the window.
typedef struct {
  int segment;             // that is there or on its way; -1 = none
  int64_t started, waited; // its collectives
  dist_request *requests;  // [most]
} slot;

struct train_fetch {
  train_axes *axes;
  train_state *state;
  dist_axis axis;
  bool overlap;
  slot slots[TRAIN_WINDOW_SLOTS];
};

static void buckets_of(const train_state *s, int segment, int64_t *first, int64_t *end) {
  const int64_t stop = s->params.segment[segment + 1];
  *first = train_partition_find(&s->shard, s->params.segment[segment]);
  *end = stop == s->params.total ? train_partition_buckets(&s->shard)
                                 : train_partition_find(&s->shard, stop);
}

// Buckets of the segment that has most of them.
static int64_t most_buckets(const train_state *s) {
  int64_t most = 0, first, end;
  for (int i = 0; i < s->params.segments; i++) {
    buckets_of(s, i, &first, &end);
    if (end - first > most) most = end - first;
  }
  return most;
}

static orr_code wait_for(train_fetch *f, slot *x) {
  for (; x->waited < x->started; x->waited++)
    ORR_TRY(train_axes_wait(f->axes, f->axis, &x->requests[x->waited]));
  return ORR_OK;
}

// Bucket i of the owner's copy, or this rank's part of everyone's, to its place in the window.
static orr_code start_bucket(train_fetch *f, int64_t i, dist_request *r) {
  const train_state *s = f->state;
  const train_partition_piece mine = train_partition_piece_of(&s->shard, i);
  const bool bf16 = s->own_work != NULL;
  const dist_dtype type = bf16 ? DIST_BF16 : DIST_F32;
  const void *own = bf16 ? (const void *)(s->own_work + mine.place) : s->own_master + mine.place;
  int64_t at, count;
  train_partition_bucket(&s->shard, i, &at, &count);
  void *to = train_window_at(&s->operand_window, at);
  if (!s->shard.whole)
    return train_axes_all_gather_start(f->axes, f->axis, own, to, mine.count, type, r);
  if (mine.count > 0)
    ORR_TRY(kern_copy(s->k, &(kern_copy_args){.dst = to,
                                              .src = own,
                                              .bytes = (size_t)count * s->operand_window.element,
                                              .way = KERN_COPY_WITHIN}));
  return train_axes_broadcast_start(f->axes, f->axis, to, count, type,
                                    train_partition_owner(&s->shard, i), r);
}

static orr_code start(train_fetch *f, int segment) {
  slot *x = &f->slots[segment % TRAIN_WINDOW_SLOTS];
  int64_t first, end;
  if (x->segment == segment) return ORR_OK;
  ORR_TRY(wait_for(f, x)); // what was on its way here and nobody asked for
  *x = (slot){.segment = segment, .requests = x->requests};
  buckets_of(f->state, segment, &first, &end);
  for (int64_t i = first; i < end; i++, x->started++)
    ORR_TRY(start_bucket(f, i, &x->requests[x->started]));
  return ORR_OK;
}

static orr_code push(train_fetch *f, slot *x) {
  return train_axes_push(f->axes, f->axis, x->requests, x->started, &x->waited);
}

static orr_code need(void *fetch, int64_t at, int64_t next) {
  train_fetch *f = fetch;
  const train_params *p = &f->state->params;
  const int segment = train_params_segment_of(p, at),
            after = next < 0 ? segment : train_params_segment_of(p, next);
  slot *x = &f->slots[segment % TRAIN_WINDOW_SLOTS];
  ORR_TRY(start(f, segment));
  ORR_TRY(wait_for(f, x));
  if (!f->overlap || (after - segment) % TRAIN_WINDOW_SLOTS == 0) return ORR_OK;
  ORR_TRY(start(f, after));
  return push(f, &f->slots[after % TRAIN_WINDOW_SLOTS]);
}

orr_code train_fetch_create(train_axes *axes, train_state *state, train_fetch **out) {
  const int64_t n = state->zero == 3 ? most_buckets(state) : 0;
  train_fetch *f = orr_calloc(1, sizeof *f);
  dist_request *requests = orr_calloc((size_t)(TRAIN_WINDOW_SLOTS * n) + 1, sizeof *requests);
  if (!f || !requests) {
    orr_free(requests);
    orr_free(f);
    return ORR_FAIL(ORR_ENOMEM, "gather of %" PRId64 " buckets of weights: out of memory", n);
  }
  *f = (train_fetch){
      .axes = axes, .state = state, .axis = train_axes_sharing(axes), .overlap = true};
  for (int i = 0; i < TRAIN_WINDOW_SLOTS; i++)
    f->slots[i] = (slot){.segment = -1, .requests = requests + i * n};
  if (state->zero == 3) {
    state->weights.need = need;
    state->weights.need_ctx = f;
  }
  *out = f;
  return ORR_OK;
}

void train_fetch_destroy(train_fetch *f) {
  if (!f) return;
  orr_free(f->slots[0].requests);
  orr_free(f);
}

void train_fetch_overlap(train_fetch *f, bool overlap) {
  f->overlap = overlap;
}

orr_code train_fetch_forget(train_fetch *f) {
  for (int i = 0; i < TRAIN_WINDOW_SLOTS; i++) {
    ORR_TRY(wait_for(f, &f->slots[i]));
    f->slots[i].segment = -1;
  }
  return ORR_OK;
}
