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

// Elements [from, to) of table p, without unused capacity.
static kern_digits part_of(const train_param *p, int64_t from, int64_t to) {
  const int64_t used = p->at + p->have * p->inner, end = to < used ? to : used;
  kern_digits of = {.n = end > from ? end - from : 0,
                    .first = p->first * p->inner + from - p->at,
                    .D = p->shape[1],
                    .digits = p->levels.n};
  for (int i = 0; i < p->levels.n; i++) of.level[i] = p->levels.level[i];
  return of;
}

static orr_code add_up(train_state *s, const train_param *p, const train_partition_piece *x,
                       int64_t from, int64_t to, void *sums) {
  const int64_t own = x->place + from - x->at;
  return kern_digit_sums(
      s->k, &(kern_digit_sums_args){
                .of = part_of(p, from, to), .m = s->m + own, .v = s->v + own, .sums = sums});
}

static orr_code move(train_state *s, const train_param *p, const train_partition_piece *x,
                     int64_t from, int64_t to, void *step) {
  return kern_digit_apply(
      s->k, &(kern_digit_apply_args){.of = part_of(p, from, to),
                                     .step = step,
                                     .w = train_state_master_of(s, x) + (from - x->at)});
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
    ORR_TRY(train_state_each_piece(d->s, p, add_up, d->sums + 2 * at));
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
    ORR_TRY(train_state_each_piece(d->s, p, move, d->steps + at));
    at += n;
  }
  return ORR_OK;
}
