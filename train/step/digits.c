#include "train/step/digits.h"

#include "base/mem.h"
#include "train/step/state.h"

struct train_digits {
  train_state *s;
  const cfg *c;
  train_axes *axes;
  int64_t elements; // of the arrays over digits of all tables
  double *sums;     // [tables][2,rows,D]
  float *steps;     // [tables][rows,D]
};

static bool is_table(const train_param *p) {
  return p->init == TRAIN_INIT_CODES;
}

static int64_t elements_of(const train_param *p) {
  int64_t rows = 0;
  for (int i = 0; i < p->levels.n; i++) rows += p->levels.level[i];
  return rows * p->shape[1];
}

orr_code train_digits_create(train_state *s, const cfg *c, train_axes *axes, train_digits **out) {
  int64_t elements = 0;
  *out = NULL;
  for (int i = 0; i < s->params.count; i++)
    if (is_table(&s->params.list[i])) elements += elements_of(&s->params.list[i]);
  if (elements == 0) return ORR_OK;
  train_digits *d = orr_calloc(1, sizeof *d);
  ORR_CHECK(d, ORR_ENOMEM, "digits of codes: out of memory");
  *d = (train_digits){.s = s, .c = c, .axes = axes, .elements = elements};
  *out = d;
  return ORR_OK;
}

void train_digits_destroy(train_digits *d) {
  orr_free(d);
}

void train_digits_place(train_digits *d, orr_arena *arena) {
  d->sums = orr_arena_take(arena, 2 * (size_t)d->elements * sizeof *d->sums);
  d->steps = orr_arena_take(arena, (size_t)d->elements * sizeof *d->steps);
}

// The part [from, to) of table p that lies in piece x of this rank, without unused capacity.
typedef struct {
  kern_digits of;
  int64_t own; // its first element among this rank's moments
  float *w;
} table_part;

static table_part part_of(const train_digits *d, const train_param *p,
                          const train_partition_piece *x) {
  const int64_t used = p->at + p->have * p->inner, stop = x->at + x->count,
                from = x->at > p->at ? x->at : p->at, to = stop < used ? stop : used;
  table_part t = {.of = {.n = to > from ? to - from : 0,
                         .first = p->first * p->inner + from - p->at,
                         .D = p->shape[1],
                         .digits = p->levels.n},
                  .own = x->place + from - x->at,
                  .w = train_state_master_of(d->s, x) + (from - x->at)};
  for (int i = 0; i < p->levels.n; i++) t.of.level[i] = p->levels.level[i];
  return t;
}

// Pieces of table p on this rank: buckets [first, end) of the shard.
static void buckets_of(const train_digits *d, const train_param *p, int64_t *first, int64_t *end) {
  *first = train_partition_find(&d->s->shard, p->at);
  *end = 1 + train_partition_find(&d->s->shard, p->at + p->count - 1);
}

static orr_code add_up(train_digits *d, const train_param *p, double *sums) {
  int64_t i, end;
  for (buckets_of(d, p, &i, &end); i < end; i++) {
    const train_partition_piece x = train_partition_piece_of(&d->s->shard, i);
    const table_part t = part_of(d, p, &x);
    if (t.of.n > 0)
      ORR_TRY(kern_digit_sums(
          d->s->k, &(kern_digit_sums_args){
                       .of = t.of, .m = d->s->m + t.own, .v = d->s->v + t.own, .sums = sums}));
  }
  return ORR_OK;
}

static orr_code move(train_digits *d, const train_param *p, const float *step) {
  int64_t i, end;
  for (buckets_of(d, p, &i, &end); i < end; i++) {
    const train_partition_piece x = train_partition_piece_of(&d->s->shard, i);
    const table_part t = part_of(d, p, &x);
    if (t.of.n > 0)
      ORR_TRY(
          kern_digit_apply(d->s->k, &(kern_digit_apply_args){.of = t.of, .step = step, .w = t.w}));
  }
  return ORR_OK;
}

// Of what every rank has of the tables, the sums of all.
static orr_code add_over_ranks(train_digits *d) {
  ORR_TRY(
      train_axes_all_reduce(d->axes, DIST_AXIS_TP, d->sums, 2 * d->elements, DIST_F64, DIST_SUM));
  if (d->s->shard.ranks <= 1) return ORR_OK;
  return train_axes_all_reduce(d->axes, train_axes_sharing(d->axes), d->sums, 2 * d->elements,
                               DIST_F64, DIST_SUM);
}

orr_code train_digits_update(train_digits *d, const kern_adamw_rates *rates,
                             const kern_clip_result *verdict) {
  if (!d) return ORR_OK;
  const train_params *params = &d->s->params;
  int64_t at = 0;
  ORR_TRY(
      kern_fill(d->s->k, &(kern_fill_args){.x = d->sums,
                                           .bytes = 2 * (size_t)d->elements * sizeof *d->sums}));
  for (int i = 0; i < params->count; i++) {
    const train_param *p = &params->list[i];
    if (!is_table(p)) continue;
    ORR_TRY(add_up(d, p, d->sums + 2 * at));
    at += elements_of(p);
  }
  ORR_TRY(add_over_ranks(d));
  at = 0;
  for (int i = 0; i < params->count; i++) {
    const train_param *p = &params->list[i];
    if (!is_table(p)) continue;
    const int64_t n = elements_of(p);
    ORR_TRY(
        kern_digit_steps(d->s->k, &(kern_digit_steps_args){.n = n,
                                                           .sums = d->sums + 2 * at,
                                                           .share = (float)d->c->optim.digit_share,
                                                           .eps = (float)d->c->optim.eps,
                                                           .rates = rates,
                                                           .verdict = verdict,
                                                           .step = d->steps + at}));
    ORR_TRY(move(d, p, d->steps + at));
    at += n;
  }
  return ORR_OK;
}
