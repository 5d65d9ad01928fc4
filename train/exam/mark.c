// From predicted films to figures.
#include "base/mem.h"
#include "train/exam/interval.h"
#include "train/exam/paper.h"

// What is being filled in.
typedef struct {
  uint64_t seed;
  json_t *out;
  orr_code rc;
} sheet;

static void put(sheet *s, const char *name, train_exam_statistic f, const void *data, int64_t n) {
  train_exam_figure v;
  if (s->rc == ORR_OK) s->rc = train_exam_figure_of(f, data, n, s->seed, &v);
  if (s->rc == ORR_OK) json_object_set_new(s->out, name, train_exam_figure_json(&v));
}

// One figure of the films of one predictor, as a column of two a group. The caller frees column.v.
static orr_code column_of(const train_exam_paper *p, int predictor, int figure,
                          train_exam_column *out) {
  const int64_t n = p->rolled * 2;
  double *v = orr_malloc((size_t)(n + 1) * sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "exam: out of memory");
  for (int64_t i = 0; i < n; i++) v[i] = p->film[predictor][i * TRAIN_EXAM_FILM_COUNT + figure];
  *out = (train_exam_column){v, 2};
  return ORR_OK;
}

static const struct row {
  const char *name;
  int predictor, figure;
} rows[] = {
    {"position_error", TRAIN_EXAM_OWN, TRAIN_EXAM_FILM_position_error},
    {"persistence_position_error", TRAIN_EXAM_STILL, TRAIN_EXAM_FILM_position_error},
    {"linear_position_error", TRAIN_EXAM_STRAIGHT, TRAIN_EXAM_FILM_position_error},
    {"velocity_error", TRAIN_EXAM_OWN, TRAIN_EXAM_FILM_velocity_error},
    {"persistence_velocity_error", TRAIN_EXAM_STILL, TRAIN_EXAM_FILM_velocity_error},
    {"linear_velocity_error", TRAIN_EXAM_STRAIGHT, TRAIN_EXAM_FILM_velocity_error},
    {"permanence", TRAIN_EXAM_OWN, TRAIN_EXAM_FILM_permanence},
    {"number", TRAIN_EXAM_OWN, TRAIN_EXAM_FILM_number},
    {"momentum_error", TRAIN_EXAM_OWN, TRAIN_EXAM_FILM_momentum_error},
};

static void put_film(sheet *s, const train_exam_paper *p, const struct row *r) {
  train_exam_column c = {0};
  if (s->rc == ORR_OK) s->rc = column_of(p, r->predictor, r->figure, &c);
  put(s, r->name, train_exam_mean, &c, p->rolled);
  orr_free((double *)(uintptr_t)c.v);
}

orr_code train_exam_paper_mark(const train_exam_paper *p, json_t *out) {
  sheet s = {.seed = p->o->seed, .out = out};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) put_film(&s, p, &rows[i]);
  const train_exam_quotient flipped = {{p->link[1], 2}, {p->link[0], 2}};
  put(&s, "confounder_ratio", train_exam_ratio, &flipped, p->link[0] ? p->rolled : 0);
  return s.rc;
}
