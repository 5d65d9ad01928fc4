#include "train/exam/paper.h"

#include <string.h>

#include "base/mem.h"

// Clips in memory; a pixel changed as `orrery eval` has it; first frames that foretell, likewise.
enum { AT_ONCE = 8, CHANGED_AT = 24, FIRST = 4 };

train_exam_wish train_exam_paper_wish(const train_exam_paper *p, train_exam_kind kind) {
  const int64_t groups = kind == TRAIN_EXAM_changes ? p->changes
                         : kind == TRAIN_EXAM_long  ? p->longs
                         : kind == TRAIN_EXAM_pairs ? p->groups
                                                    : p->rolled;
  return (train_exam_wish){.root = p->o->root,
                           .concept = p->concept,
                           .range = p->range,
                           .kind = kind,
                           .groups = groups,
                           .height = p->o->height,
                           .width = p->o->width,
                           .seed = p->o->seed,
                           .branch = p->o->branch,
                           .processes = p->o->processes};
}

bool train_exam_paper_asks(const train_exam_paper *p, train_exam_kind kind) {
  switch (kind) {
  case TRAIN_EXAM_changes:
    return p->changes > 0;
  case TRAIN_EXAM_long:
    return p->longs > 0;
  case TRAIN_EXAM_agree:
  case TRAIN_EXAM_flip:
    return p->link[0] && p->rolled > 0;
  default:
    return true;
  }
}

// -- memory ---------------------------------------------------------------------------------

// All numbers lie back to back from nats on.
static int64_t lay_out(train_exam_paper *p, double *base) {
  const int64_t films = p->rolled * 2 * TRAIN_EXAM_FILM_COUNT;
  int64_t at = 0;
  p->nats = base;
  at += p->groups * 4 * TRAIN_EXAM_MOST;
  for (int i = 0; i < TRAIN_EXAM_PREDICTORS; i++, at += films) p->film[i] = base + at;
  for (int i = 0; i < TRAIN_EXAM_LINKS && p->concept == DATA_PHYSICS_CONCEPT_collision; i++) {
    p->link[i] = base + at;
    at += p->rolled * 2;
  }
  p->effect = base + at;
  at += p->changes * TRAIN_EXAM_EFFECTS;
  p->wrong = base + at;
  return at + p->longs * 2;
}

static int64_t count_numbers(const train_exam_paper *p) {
  train_exam_paper laid = *p;
  double none[1];
  return lay_out(&laid, none);
}

orr_code train_exam_paper_create(const train_exam_options *o, data_physics_concept concept,
                                 data_physics_range range, train_exam_paper *p) {
  *p = (train_exam_paper){.o = o,
                          .concept = concept,
                          .range = range,
                          .groups = (o->pairs + 1) / 2,
                          .rolled = (o->rollouts + 1) / 2,
                          .changes = o->changes,
                          .longs = o->longs};
  if (p->rolled > p->groups) p->rolled = p->groups;
  p->numbers = count_numbers(p);
  double *base = orr_calloc((size_t)p->numbers, sizeof *base);
  ORR_CHECK(base, ORR_ENOMEM, "exam: out of memory for its answers");
  lay_out(p, base);
  return ORR_OK;
}

void train_exam_paper_release(train_exam_paper *p) {
  orr_free(p->nats);
  *p = (train_exam_paper){0};
}

// -- answers --------------------------------------------------------------------------------

// Which groups are this rank's, and room for films of AT_ONCE clips.
typedef struct {
  int64_t rank, ranks;
  const train_examinee *predictor[TRAIN_EXAM_PREDICTORS];
  uint8_t *film;
} desk;

static const uint8_t *film_of(const desk *d, const train_exam_set *s, int64_t i, int64_t t) {
  return d->film + (i * s->T + t) * s->height * s->width * 3;
}

static orr_code ask_surprise(train_exam_paper *p, const desk *d, const train_exam_set *s) {
  const train_examinee *e = d->predictor[TRAIN_EXAM_OWN];
  for (int64_t g = d->rank; g < p->groups;) {
    train_exam_clip clip[AT_ONCE];
    int64_t group[AT_ONCE], n = 0;
    double nats[AT_ONCE * TRAIN_EXAM_MOST];
    for (; g < p->groups && n < AT_ONCE; g += d->ranks)
      for (int i = 0; i < 4; i++, n++) {
        clip[n] = (train_exam_clip){.set = s, .episode = 4 * g + i, .given = s->event + 1};
        group[n] = 4 * g + i;
      }
    ORR_TRY(e->surprise(e->ctx, clip, n, nats));
    for (int64_t i = 0; i < n; i++)
      memcpy(p->nats + group[i] * TRAIN_EXAM_MOST, nats + i * TRAIN_EXAM_MOST,
             TRAIN_EXAM_MOST * sizeof *nats);
  }
  return ORR_OK;
}

// Films of the possible endings of all groups of this rank by one predictor:
// figures[rolled,2,count].
static orr_code ask_films(const desk *d, const train_exam_set *s, const train_examinee *e,
                          int64_t rolled, double *figures) {
  const int64_t count = TRAIN_EXAM_FILM_COUNT;
  for (int64_t g = d->rank; g < rolled;) {
    train_exam_clip clip[AT_ONCE];
    int64_t group[AT_ONCE], n = 0;
    for (; g < rolled && n < AT_ONCE; g += d->ranks)
      for (int i = 0; i < 2; i++, n++) {
        clip[n] = train_exam_possible(s, g, i);
        group[n] = 2 * g + i;
      }
    ORR_TRY(e->predict(e->ctx, clip, n, d->film, NULL));
    for (int64_t i = 0; i < n; i++)
      train_exam_film_figures(s, clip[i].episode, clip[i].given, film_of(d, s, i, 0),
                              figures + group[i] * count);
  }
  return ORR_OK;
}

static orr_code ask_link(train_exam_paper *p, const desk *d, const train_exam_set *s, int which) {
  const int64_t n = p->rolled * 2;
  double *all = orr_calloc((size_t)(n * TRAIN_EXAM_FILM_COUNT), sizeof *all);
  ORR_CHECK(all, ORR_ENOMEM, "exam: out of memory");
  const orr_code rc = ask_films(d, s, d->predictor[TRAIN_EXAM_OWN], p->rolled, all);
  for (int64_t i = 0; i < n; i++)
    p->link[which][i] = all[i * TRAIN_EXAM_FILM_COUNT + TRAIN_EXAM_FILM_position_error];
  orr_free(all);
  return rc;
}

static orr_code ask_effect(train_exam_paper *p, const desk *d, const train_exam_set *s) {
  const train_examinee *e = d->predictor[TRAIN_EXAM_OWN];
  for (int64_t g = d->rank; g < p->changes; g += d->ranks) {
    train_measure_effect sums = {0};
    train_exam_clip clip[2];
    for (int i = 0; i < 2; i++) {
      const int64_t episode = 2 * g + i;
      const int64_t event = (int64_t)train_exam_state(s, episode, 0)[DATA_PHYSICS_IS_EVENT];
      clip[i] = (train_exam_clip){.set = s, .episode = episode, .given = event + 1};
    }
    ORR_TRY(e->predict(e->ctx, clip, 2, d->film, NULL));
    for (int64_t t = clip[0].given; t < s->T; t++)
      train_measure_effect_add(film_of(d, s, 0, t), film_of(d, s, 1, t),
                               train_exam_frame(s, 2 * g, t), train_exam_frame(s, 2 * g + 1, t),
                               s->height * s->width, CHANGED_AT, &sums);
    int64_t whole[TRAIN_EXAM_EFFECTS];
    memcpy(whole, &sums, sizeof whole);
    for (int i = 0; i < TRAIN_EXAM_EFFECTS; i++)
      p->effect[g * TRAIN_EXAM_EFFECTS + i] = (double)whole[i]; // below 2^53
  }
  return ORR_OK;
}

// How unsure the examinee is at its own first frames, and whether it is wrong at the last.
static orr_code ask_wrong(train_exam_paper *p, const desk *d, const train_exam_set *s) {
  const train_examinee *e = d->predictor[TRAIN_EXAM_OWN];
  for (int64_t g = d->rank; g < p->longs;) {
    train_exam_clip clip[AT_ONCE];
    double nats[AT_ONCE * TRAIN_EXAM_MOST];
    int64_t n = 0;
    for (; g < p->longs && n < AT_ONCE; g += d->ranks)
      clip[n++] = (train_exam_clip){.set = s, .episode = g, .given = s->event + 1};
    ORR_TRY(e->predict(e->ctx, clip, n, d->film, nats));
    for (int64_t i = 0; i < n; i++) {
      double *out = p->wrong + 2 * clip[i].episode;
      for (int64_t t = 0; t < FIRST; t++)
        out[0] += nats[i * TRAIN_EXAM_MOST + clip[i].given + t] / FIRST;
      out[1] =
          train_exam_film_wrong(s, clip[i].episode, clip[i].given, film_of(d, s, i, 0), s->T - 1);
    }
  }
  return ORR_OK;
}

static orr_code ask_kind(train_exam_paper *p, const desk *d, train_exam_kind kind) {
  const train_exam_wish w = train_exam_paper_wish(p, kind);
  train_exam_set s;
  orr_code rc = ORR_OK;
  ORR_TRY(train_exam_set_load(&w, &s));
  if (kind == TRAIN_EXAM_changes) rc = ask_effect(p, d, &s);
  if (kind == TRAIN_EXAM_long) rc = ask_wrong(p, d, &s);
  if (kind == TRAIN_EXAM_agree || kind == TRAIN_EXAM_flip)
    rc = ask_link(p, d, &s, kind == TRAIN_EXAM_flip);
  if (kind == TRAIN_EXAM_pairs) {
    rc = ask_surprise(p, d, &s);
    for (int i = 0; i < TRAIN_EXAM_PREDICTORS && rc == ORR_OK; i++)
      rc = ask_films(d, &s, d->predictor[i], p->rolled, p->film[i]);
  }
  train_exam_set_release(&s);
  return rc;
}

static orr_code ask_all(train_exam_paper *p, const desk *d) {
  for (int kind = 0; kind < TRAIN_EXAM_KIND_COUNT; kind++)
    if (train_exam_paper_asks(p, (train_exam_kind)kind))
      ORR_TRY(ask_kind(p, d, (train_exam_kind)kind));
  return ORR_OK;
}

orr_code train_exam_paper_write(train_exam_paper *p, dist_comm *all, const train_examinee *e) {
  train_examinee still, straight;
  ORR_TRY(train_examinee_copy(&still));
  ORR_TRY(train_examinee_linear(&straight));
  desk d = {.rank = all ? dist_comm_rank(all) : 0,
            .ranks = all ? dist_comm_size(all) : 1,
            .predictor = {e, &still, &straight},
            .film =
                orr_malloc((size_t)(AT_ONCE * TRAIN_EXAM_MOST * p->o->height * p->o->width * 3))};
  const orr_code rc =
      d.film ? ask_all(p, &d) : ORR_FAIL(ORR_ENOMEM, "exam: out of memory for its films");
  orr_free(d.film);
  if (!all) return rc;
  ORR_TRY(dist_agree(all, rc, "sit the exam"));
  // every number is one rank's, and zero on all others: no sum is rounded
  return dist_all_reduce(all, p->nats, p->numbers, DIST_F64, DIST_SUM);
}
