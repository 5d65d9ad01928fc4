#include "train/exam/answers.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/exam/interval.h"

// -- together -------------------------------------------------------------------------------

static orr_code grow(double **v, int64_t width, int64_t had, int64_t more) {
  double *larger = orr_realloc(*v, (size_t)(width * (had + more) + 1) * sizeof **v);
  ORR_CHECK(larger, ORR_ENOMEM, "exam: out of memory for its answers");
  *v = larger;
  return ORR_OK;
}

static void add_groups(train_exam_answers *a, const train_exam_paper *p) {
  const train_exam_calibration *c = p->o->calibration;
  const double pair = c ? c->pair[p->concept] : 0, group = c ? c->group[p->concept] : 0;
  for (int64_t i = 0; i < p->groups; i++, a->groups++) {
    double *nats = a->nats + 4 * a->groups;
    for (int k = 0; k < 4; k++) {
      nats[k] = 0;
      for (int t = 0; t < TRAIN_EXAM_MOST; t++)
        nats[k] += p->nats[(4 * i + k) * TRAIN_EXAM_MOST + t];
    }
    for (int k = 0; k < 2; k++) {
      a->pair[2 * a->groups + k] = nats[2 * k + 1] - nats[2 * k];
      a->pair_scaled[2 * a->groups + k] = (nats[2 * k + 1] - nats[2 * k]) / (pair > 0 ? pair : 1);
    }
    a->group[a->groups] = train_exam_group_odds(nats);
    a->group_scaled[a->groups] = a->group[a->groups] / (group > 0 ? group : 1);
  }
}

static void add_longs(train_exam_answers *a, const train_exam_paper *p) {
  const train_exam_calibration *c = p->o->calibration;
  for (int64_t i = 0; i < p->longs; i++) {
    const double *from = p->wrong + 2 * i;
    double *to = a->chance + 2 * (a->longs + i);
    memcpy(a->wrong + 2 * (a->longs + i), from, 2 * sizeof *from);
    to[0] = c ? 1 / (1 + exp(-(c->at + c->slope * from[0]))) : 0;
    to[1] = from[1];
  }
  a->longs += p->longs;
}

orr_code train_exam_answers_add(train_exam_answers *a, const train_exam_paper *p) {
  ORR_TRY(grow(&a->nats, 4, a->groups, p->groups));
  ORR_TRY(grow(&a->pair, 2, a->groups, p->groups));
  ORR_TRY(grow(&a->group, 1, a->groups, p->groups));
  ORR_TRY(grow(&a->pair_scaled, 2, a->groups, p->groups));
  ORR_TRY(grow(&a->group_scaled, 1, a->groups, p->groups));
  ORR_TRY(grow(&a->wrong, 2, a->longs, p->longs));
  ORR_TRY(grow(&a->chance, 2, a->longs, p->longs));
  ORR_TRY(grow(&a->effect, TRAIN_EXAM_EFFECTS, a->changes, p->changes));
  add_groups(a, p);
  add_longs(a, p);
  memcpy(a->effect + a->changes * TRAIN_EXAM_EFFECTS, p->effect,
         (size_t)(p->changes * TRAIN_EXAM_EFFECTS) * sizeof *p->effect);
  a->changes += p->changes;
  a->calibrated = p->o->calibration != NULL;
  return ORR_OK;
}

void train_exam_answers_release(train_exam_answers *a) {
  orr_free(a->effect);
  orr_free(a->chance);
  orr_free(a->wrong);
  orr_free(a->group_scaled);
  orr_free(a->pair_scaled);
  orr_free(a->group);
  orr_free(a->pair);
  orr_free(a->nats);
  *a = (train_exam_answers){0};
}

// -- figures --------------------------------------------------------------------------------

static train_measure_effect sum_effects(const double *all, const int64_t *pick, int64_t n) {
  int64_t sums[TRAIN_EXAM_EFFECTS] = {0};
  train_measure_effect e;
  for (int64_t i = 0; i < n; i++)
    for (int k = 0; k < TRAIN_EXAM_EFFECTS; k++)
      sums[k] += (int64_t)all[pick[i] * TRAIN_EXAM_EFFECTS + k];
  memcpy(&e, sums, sizeof e);
  return e;
}

static double effect_corr(const void *data, const int64_t *pick, int64_t n) {
  const train_measure_effect e = sum_effects(data, pick, n);
  return train_measure_effect_corr(&e);
}

static double effect_iou(const void *data, const int64_t *pick, int64_t n) {
  const train_measure_effect e = sum_effects(data, pick, n);
  return train_measure_effect_iou(&e);
}

orr_code train_exam_answers_mark(const train_exam_answers *a, uint64_t seed, json_t *out) {
  const int64_t scaled = a->calibrated ? a->groups : 0, chances = a->calibrated ? a->longs : 0;
  const train_exam_column pair = {a->pair, 2}, pair_scaled = {a->pair_scaled, 2},
                          group_scaled = {a->group_scaled, 1};
  const struct {
    const char *name;
    train_exam_statistic f;
    const void *data;
    int64_t n;
  } rows[] = {
      {"surprise_accuracy", train_exam_accuracy, a->nats, a->groups},
      {"surprise_relative", train_exam_relative, a->nats, a->groups},
      {"surprise_auroc", train_exam_auroc, a->nats, a->groups},
      {"ece", train_exam_ece, &pair, a->groups},
      {"ece_scaled", train_exam_ece, &pair_scaled, scaled},
      {"relative_ece", train_exam_ece, &group_scaled, scaled},
      {"effect_corr", effect_corr, a->effect, a->changes},
      {"effect_iou", effect_iou, a->effect, a->changes},
      {"wrong_at_16", train_exam_wrong_share, a->wrong, a->longs},
      {"foresight_auroc", train_exam_wrong_auroc, a->wrong, a->longs},
      {"foresight_ece", train_exam_wrong_ece, a->chance, chances},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    train_exam_figure v;
    ORR_TRY(train_exam_figure_of(rows[i].f, rows[i].data, rows[i].n, seed, &v));
    json_object_set_new(out, rows[i].name, train_exam_figure_json(&v));
  }
  return ORR_OK;
}
