// From answers to figures, in the order of exam.json.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/exam/interval.h"
#include "train/exam/paper.h"

// What is being filled in.
typedef struct {
  const train_exam_paper *p;
  json_t *out;
  orr_code rc;
} sheet;

static void put(sheet *s, const char *name, train_exam_statistic f, const void *data, int64_t n) {
  train_exam_figure v;
  if (s->rc == ORR_OK) s->rc = train_exam_figure_of(f, data, n, s->p->o->seed, &v);
  if (s->rc == ORR_OK) json_object_set_new(s->out, name, train_exam_figure_json(&v));
}

// One figure of the films of one predictor, as a column of two a group. The caller frees column.v.
static orr_code column_of(const train_exam_paper *p, int predictor, int figure,
                          train_exam_column *out) {
  const int64_t n = p->rolled * 2;
  double *v = orr_malloc((size_t)n * sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "exam: out of memory");
  for (int64_t i = 0; i < n; i++) v[i] = p->film[predictor][i * TRAIN_EXAM_FILM_COUNT + figure];
  *out = (train_exam_column){v, 2};
  return ORR_OK;
}

static void put_film(sheet *s, const char *name, int predictor, int figure) {
  train_exam_column c = {0};
  if (s->rc == ORR_OK) s->rc = column_of(s->p, predictor, figure, &c);
  put(s, name, train_exam_mean, &c, s->p->rolled);
  orr_free((double *)(uintptr_t)c.v);
}

static void put_places(sheet *s) {
  static const struct {
    const char *name;
    int predictor, figure;
  } rows[] = {
      {"position_error", TRAIN_EXAM_OWN, TRAIN_EXAM_FILM_position_error},
      {"persistence_position_error", TRAIN_EXAM_STILL, TRAIN_EXAM_FILM_position_error},
      {"linear_position_error", TRAIN_EXAM_STRAIGHT, TRAIN_EXAM_FILM_position_error},
      {"velocity_error", TRAIN_EXAM_OWN, TRAIN_EXAM_FILM_velocity_error},
      {"persistence_velocity_error", TRAIN_EXAM_STILL, TRAIN_EXAM_FILM_velocity_error},
      {"linear_velocity_error", TRAIN_EXAM_STRAIGHT, TRAIN_EXAM_FILM_velocity_error},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    put_film(s, rows[i].name, rows[i].predictor, rows[i].figure);
}

// Beliefs whose scale the other half of the groups has set: nobody marks his own.
static void put_calibration(sheet *s) {
  const train_exam_paper *p = s->p;
  double *scaled = orr_malloc((size_t)(4 * p->groups) * sizeof *scaled);
  if (!scaled) {
    s->rc = ORR_FAIL(ORR_ENOMEM, "exam: out of memory");
    return;
  }
  for (int half = 0; half < 2; half++) {
    const double scale = train_exam_scale(p->nats, p->groups, 1 - half);
    for (int64_t g = half; g < p->groups; g += 2)
      for (int i = 0; i < 4; i++) scaled[4 * g + i] = p->nats[4 * g + i] / scale;
  }
  put(s, "ece", train_exam_ece, &(train_exam_belief){p->nats, 1}, p->groups);
  put(s, "ece_scaled", train_exam_ece, &(train_exam_belief){scaled, 1}, p->groups);
  orr_free(scaled);
}

// -- effects --------------------------------------------------------------------------------

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

orr_code train_exam_paper_mark(const train_exam_paper *p, json_t **out) {
  sheet s = {.p = p, .out = json_object()};
  ORR_CHECK(s.out, ORR_ENOMEM, "exam: out of memory");
  put_places(&s);
  put(&s, "surprise_accuracy", train_exam_accuracy, p->nats, p->groups);
  put(&s, "surprise_auroc", train_exam_auroc, p->nats, p->groups);
  if (s.rc == ORR_OK) put_calibration(&s);
  put(&s, "effect_corr", effect_corr, p->effect, p->changes);
  put(&s, "effect_iou", effect_iou, p->effect, p->changes);
  put_film(&s, "permanence", TRAIN_EXAM_OWN, TRAIN_EXAM_FILM_permanence);
  put_film(&s, "number", TRAIN_EXAM_OWN, TRAIN_EXAM_FILM_number);
  const train_exam_quotient flipped = {{p->link[1], 2}, {p->link[0], 2}};
  put(&s, "confounder_ratio", train_exam_ratio, &flipped, p->link[0] ? p->rolled : 0);
  put_film(&s, "momentum_error", TRAIN_EXAM_OWN, TRAIN_EXAM_FILM_momentum_error);
  if (s.rc != ORR_OK) {
    json_decref(s.out);
    return s.rc;
  }
  *out = s.out;
  return ORR_OK;
}
