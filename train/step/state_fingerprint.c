// Fingerprints of what a rank updates: as it lies here, or, with run.exact, by the place of every
// element in the whole model, each counted by one rank.
#include "train/step/state.h"

static int64_t gradient_elements(const train_state *s) {
  return train_state_shares_gradients(s) ? train_partition_elements(&s->shard) : s->params.total;
}

// What is taken: gradients, or master weights.
typedef struct {
  train_state *s;
  bool weights;
  uint64_t *sum;
} taking;

static const float *array_of(const taking *t, const train_partition_piece *x) {
  return t->weights ? train_state_master_of(t->s, x) : train_state_gradients_of(t->s, x);
}

// Elements [from, to) of parameter p, which lie in piece x; the parameter begins at place `base`.
static orr_code take_part(const taking *t, const train_param *p, const train_partition_piece *x,
                          int64_t from, int64_t to, int64_t base) {
  const int64_t used = p->have * p->inner, local = from - p->at;
  kern_fingerprint_args a = {.n = to - from,
                             .x = array_of(t, x) + (from - x->at),
                             .first = base + p->first * p->inner,
                             .sum = t->sum,
                             .accumulate = true};
  if (p->outer == 1) { // unused capacity lies at the end
    if (to > p->at + used) a.n = p->at + used - from;
    a.first += local;
  } else {
    a.width = used;
    a.pitch = p->shape[p->dim] * p->inner;
    a.offset = local;
  }
  if (a.n <= 0) return ORR_OK;
  ORR_CHECK(p->outer == 1 || p->have == p->capacity, ORR_EINVAL,
            "%s: a fingerprint by places of a part with unused capacity", p->name);
  return kern_fingerprint(t->s->k, &a);
}

static orr_code take_param(const taking *t, const train_param *p, int64_t base) {
  const train_partition *shard = &t->s->shard;
  for (int64_t i = train_partition_find(shard, p->at); i < train_partition_buckets(shard); i++) {
    const train_partition_piece x = train_partition_piece_of(shard, i);
    const int64_t end = p->at + p->count, from = x.at > p->at ? x.at : p->at,
                  to = x.at + x.count < end ? x.at + x.count : end;
    int64_t at, count;
    train_partition_bucket(shard, i, &at, &count);
    if (at >= end) break;
    if (from < to) ORR_TRY(take_part(t, p, &x, from, to, base));
  }
  return ORR_OK;
}

static orr_code take_by_places(const taking *t) {
  train_state *s = t->s;
  int64_t base = 0;
  ORR_TRY(kern_fill(s->k, &(kern_fill_args){.x = t->sum, .bytes = sizeof *t->sum}));
  if (!s->first) return ORR_OK; // another replica has the same
  for (int i = 0; i < s->params.count; base += train_param_whole(&s->params.list[i++]))
    if (!s->params.list[i].counted_elsewhere) ORR_TRY(take_param(t, &s->params.list[i], base));
  return ORR_OK;
}

orr_code train_state_fingerprint_gradients(train_state *s, uint64_t *sum) {
  if (s->exact) return take_by_places(&(taking){.s = s, .sum = sum});
  return kern_fingerprint(
      s->k, &(kern_fingerprint_args){.n = gradient_elements(s), .x = s->own_grad, .sum = sum});
}

orr_code train_state_fingerprint_weights(train_state *s, uint64_t *sum) {
  if (s->exact) return take_by_places(&(taking){.s = s, .weights = true, .sum = sum});
  for (int64_t i = 0; i < train_partition_buckets(&s->shard); i++) {
    const train_partition_piece x = train_partition_piece_of(&s->shard, i);
    ORR_TRY(kern_fingerprint(s->k, &(kern_fingerprint_args){.n = x.count,
                                                            .x = train_state_master_of(s, &x),
                                                            .first = x.at,
                                                            .sum = sum,
                                                            .accumulate = i > 0}));
  }
  return ORR_OK;
}
