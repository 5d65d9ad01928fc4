#include "train/exam/interval.h"

#include <math.h>
#include <stdlib.h>

#include "base/auroc.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"

enum { PAIRS = 2, BELIEF_BINS = 10 };

// -- resampling -----------------------------------------------------------------------------

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void interval(double *outcome, int64_t n, train_exam_figure *out) {
  int64_t known = 0;
  for (int64_t i = 0; i < n; i++)
    if (isfinite(outcome[i])) outcome[known++] = outcome[i];
  if (known == 0) return;
  qsort(outcome, (size_t)known, sizeof *outcome, ascending);
  out->low = outcome[(int64_t)floor(0.025 * (double)(known - 1))];
  out->high = outcome[(int64_t)ceil(0.975 * (double)(known - 1))];
}

orr_code train_exam_figure_of(train_exam_statistic f, const void *data, int64_t n, uint64_t seed,
                              train_exam_figure *out) {
  *out = (train_exam_figure){NAN, NAN, NAN};
  if (n == 0) return ORR_OK;
  int64_t *pick = orr_malloc((size_t)n * sizeof *pick);
  double *outcome = orr_malloc(TRAIN_EXAM_RESAMPLES * sizeof *outcome);
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO(pick && outcome, free_both, ORR_ENOMEM, "exam: out of memory for an interval");
  for (int64_t i = 0; i < n; i++) pick[i] = i;
  out->value = f(data, pick, n);
  for (int64_t b = 0; b < TRAIN_EXAM_RESAMPLES; b++) {
    for (int64_t i = 0; i < n; i++)
      pick[i] =
          (int64_t)orr_rng_below(seed, ORR_STREAM_EVAL, (uint64_t)b, (uint64_t)i, (uint64_t)n);
    outcome[b] = f(data, pick, n);
  }
  if (isfinite(out->value)) interval(outcome, TRAIN_EXAM_RESAMPLES, out);
free_both:
  orr_free(outcome);
  orr_free(pick);
  return rc;
}

json_t *train_exam_figure_json(const train_exam_figure *f) {
  json_t *j = json_object();
  json_object_set_new(j, "value", orr_json_number(f->value));
  json_object_set_new(j, "low", orr_json_number(f->low));
  json_object_set_new(j, "high", orr_json_number(f->high));
  return j;
}

// -- statistics -----------------------------------------------------------------------------

double train_exam_mean(const void *column, const int64_t *pick, int64_t n) {
  const train_exam_column *c = column;
  double sum = 0;
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < c->width; k++) {
      const double v = c->v[pick[i] * c->width + k];
      if (isnan(v)) continue;
      sum += v;
      count++;
    }
  return count ? sum / (double)count : NAN;
}

double train_exam_ratio(const void *quotient, const int64_t *pick, int64_t n) {
  const train_exam_quotient *q = quotient;
  return train_exam_mean(&q->over, pick, n) / train_exam_mean(&q->under, pick, n);
}

// How much more the impossible ending of pair `which` of a group surprises.
static double difference(const double *nats, int64_t group, int which) {
  const double *g = nats + group * 4 + 2 * which;
  return g[1] - g[0];
}

double train_exam_accuracy(const void *data, const int64_t *pick, int64_t n) {
  double right = 0;
  for (int64_t i = 0; i < n; i++)
    for (int k = 0; k < PAIRS; k++) {
      const double d = difference(data, pick[i], k);
      right += d > 0 ? 1.0 : d == 0 ? 0.5 : 0.0;
    }
  return right / (double)(PAIRS * n);
}

double train_exam_relative(const void *data, const int64_t *pick, int64_t n) {
  double right = 0;
  for (int64_t i = 0; i < n; i++) {
    const double d = train_exam_group_odds((const double *)data + pick[i] * 4);
    right += d > 0 ? 1.0 : d == 0 ? 0.5 : 0.0;
  }
  return right / (double)n;
}

double train_exam_auroc(const void *data, const int64_t *pick, int64_t n) {
  const double *nats = data;
  orr_judged *e = orr_malloc((size_t)(4 * n) * sizeof *e);
  if (!e) return NAN;
  for (int64_t i = 0; i < n; i++)
    for (int k = 0; k < 4; k++) e[4 * i + k] = (orr_judged){nats[pick[i] * 4 + k], k % 2 == 1};
  const double area = orr_auroc(e, 4 * n);
  orr_free(e);
  return area;
}

double train_exam_ece(const void *odds, const int64_t *pick, int64_t n) {
  const train_exam_column *o = odds;
  double sure[BELIEF_BINS] = {0}, right[BELIEF_BINS] = {0}, error = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < o->width; k++) {
      // the belief in what is believed more, from one half on
      const double d = o->v[pick[i] * o->width + k], p = 1 / (1 + exp(-fabs(d)));
      int bin = (int)((p - 0.5) * 2 * BELIEF_BINS);
      if (bin >= BELIEF_BINS) bin = BELIEF_BINS - 1;
      sure[bin] += p;
      right[bin] += d > 0 ? 1.0 : d == 0 ? 0.5 : 0.0;
    }
  for (int i = 0; i < BELIEF_BINS; i++) error += fabs(sure[i] - right[i]);
  return error / (double)(o->width * n);
}

double train_exam_wrong_auroc(const void *data, const int64_t *pick, int64_t n) {
  const double *judged = data;
  orr_judged *e = orr_malloc((size_t)n * sizeof *e);
  if (!e) return NAN;
  for (int64_t i = 0; i < n; i++)
    e[i] = (orr_judged){judged[2 * pick[i]], judged[2 * pick[i] + 1] > 0.5};
  const double area = orr_auroc(e, n);
  orr_free(e);
  return area;
}

double train_exam_wrong_share(const void *data, const int64_t *pick, int64_t n) {
  const double *judged = data;
  double wrong = 0;
  for (int64_t i = 0; i < n; i++) wrong += judged[2 * pick[i] + 1];
  return wrong / (double)n;
}

double train_exam_wrong_ece(const void *chances, const int64_t *pick, int64_t n) {
  const double *c = chances;
  double said[BELIEF_BINS] = {0}, was[BELIEF_BINS] = {0}, error = 0;
  for (int64_t i = 0; i < n; i++) {
    const double p = c[2 * pick[i]];
    const int bin = p >= 1 ? BELIEF_BINS - 1 : (int)(p * BELIEF_BINS);
    said[bin] += p;
    was[bin] += c[2 * pick[i] + 1];
  }
  for (int i = 0; i < BELIEF_BINS; i++) error += fabs(said[i] - was[i]);
  return error / (double)n;
}
