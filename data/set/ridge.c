#include "data/set/ridge.h"

#include <inttypes.h>
#include <stdbool.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

#define SHRINK                                                                                     \
  0.1 // added to the variances of x, which are 1: what is told by few examples counts less

// Sums over the examples of each group, and of all of them.
typedef struct {
  int64_t P, Q;
  double *xx, *xy;               // [P,P], [P,Q] of all groups but one
  double **group_xx, **group_xy; // of each group
  double *factor;                // [P,P]: Cholesky's
  double *rule;                  // [P,Q]
} sums;

static void standardize(float *v, int64_t n, int64_t width) {
  for (int64_t i = 0; i < width; i++) {
    double mean = 0, square = 0;
    for (int64_t t = 0; t < n; t++) mean += (double)v[t * width + i] / (double)n;
    for (int64_t t = 0; t < n; t++)
      square += ((double)v[t * width + i] - mean) * ((double)v[t * width + i] - mean) / (double)n;
    double scale = square > 1e-12 ? 1 / sqrt(square) : 0;
    for (int64_t t = 0; t < n; t++)
      v[t * width + i] = (float)(((double)v[t * width + i] - mean) * scale);
  }
}

static void add_example(sums *s, int group, const float *x, const float *y) {
  double *xx = s->group_xx[group], *xy = s->group_xy[group];
  for (int64_t i = 0; i < s->P; i++) {
    const double xi = (double)x[i];
    if (xi == 0) continue;
    for (int64_t j = 0; j <= i; j++) xx[i * s->P + j] += xi * (double)x[j];
    for (int64_t q = 0; q < s->Q; q++) xy[i * s->Q + q] += xi * (double)y[q];
  }
}

// The lower factor of xx, whose diagonal is above 0.
static void factorize(sums *s) {
  const int64_t P = s->P;
  for (int64_t i = 0; i < P; i++) {
    for (int64_t j = 0; j <= i; j++) {
      double sum = s->xx[i * P + j];
      for (int64_t k = 0; k < j; k++) sum -= s->factor[i * P + k] * s->factor[j * P + k];
      s->factor[i * P + j] = i == j ? sqrt(fmax(sum, 1e-9)) : sum / s->factor[j * P + j];
    }
  }
}

// rule = xx^-1 xy, all columns at once.
static void solve(sums *s) {
  const int64_t P = s->P, Q = s->Q;
  memcpy(s->rule, s->xy, (size_t)(P * Q) * sizeof *s->rule);
  for (int64_t i = 0; i < P; i++) {
    double *row = s->rule + i * Q;
    for (int64_t k = 0; k < i; k++)
      for (int64_t q = 0; q < Q; q++) row[q] -= s->factor[i * P + k] * s->rule[k * Q + q];
    for (int64_t q = 0; q < Q; q++) row[q] /= s->factor[i * P + i];
  }
  for (int64_t i = P - 1; i >= 0; i--) {
    double *row = s->rule + i * Q;
    for (int64_t k = i + 1; k < P; k++)
      for (int64_t q = 0; q < Q; q++) row[q] -= s->factor[k * P + i] * s->rule[k * Q + q];
    for (int64_t q = 0; q < Q; q++) row[q] /= s->factor[i * P + i];
  }
}

// Makes the rule from all groups but one.
static void make_rule(sums *s, int without, int groups, int64_t n) {
  memset(s->xx, 0, (size_t)(s->P * s->P) * sizeof *s->xx);
  memset(s->xy, 0, (size_t)(s->P * s->Q) * sizeof *s->xy);
  for (int g = 0; g < groups; g++) {
    for (int64_t i = 0; g != without && i < s->P * s->P; i++) s->xx[i] += s->group_xx[g][i];
    for (int64_t i = 0; g != without && i < s->P * s->Q; i++) s->xy[i] += s->group_xy[g][i];
  }
  for (int64_t i = 0; i < s->P; i++) s->xx[i * s->P + i] += SHRINK * (double)n;
  factorize(s);
  solve(s);
}

// The examples from `first` on, `count` of one group, against the rule.
static void judge(const sums *s, const float *x, const float *y, int64_t first, int64_t count,
                  double *predicted, double *out) {
  const int64_t P = s->P, Q = s->Q;
  for (int64_t q = 0; q < Q; q++) out[q] = 0;
  for (int64_t t = first; t < first + count; t++) {
    for (int64_t q = 0; q < Q; q++) predicted[q] = 0;
    for (int64_t i = 0; i < P; i++) {
      const double xi = (double)x[t * P + i];
      for (int64_t q = 0; q < Q; q++) predicted[q] += xi * s->rule[i * Q + q];
    }
    for (int64_t q = 0; q < Q; q++) {
      const double value = (double)y[t * Q + q], left = value - predicted[q];
      out[q] += (value * value - left * left) / (double)count;
    }
  }
}

static void release(sums *s, int groups) {
  for (int g = 0; g < groups; g++) {
    if (s->group_xx) orr_free(s->group_xx[g]);
    if (s->group_xy) orr_free(s->group_xy[g]);
  }
  orr_free(s->group_xx);
  orr_free(s->group_xy);
  orr_free(s->xx);
  orr_free(s->xy);
  orr_free(s->factor);
  orr_free(s->rule);
}

static bool allocate(sums *s, int groups) {
  const size_t square = (size_t)(s->P * s->P), wide = (size_t)(s->P * s->Q);
  s->xx = orr_calloc(square, sizeof *s->xx);
  s->xy = orr_calloc(wide, sizeof *s->xy);
  s->factor = orr_calloc(square, sizeof *s->factor);
  s->rule = orr_calloc(wide, sizeof *s->rule);
  s->group_xx = orr_calloc((size_t)groups, sizeof *s->group_xx);
  s->group_xy = orr_calloc((size_t)groups, sizeof *s->group_xy);
  bool good = s->xx && s->xy && s->factor && s->rule && s->group_xx && s->group_xy;
  for (int g = 0; good && g < groups; g++) {
    s->group_xx[g] = orr_calloc(square, sizeof **s->group_xx);
    s->group_xy[g] = orr_calloc(wide, sizeof **s->group_xy);
    good = s->group_xx[g] && s->group_xy[g];
  }
  return good;
}

orr_code data_ridge_explain(float *x, float *y, const int *group, int64_t n, int64_t P, int64_t Q,
                            int groups, double *out) {
  sums s = {.P = P, .Q = Q};
  orr_code rc = ORR_OK;
  double *predicted = orr_malloc((size_t)Q * sizeof *predicted);
  ORR_CHECK_GOTO(allocate(&s, groups) && predicted, done, ORR_ENOMEM,
                 "out of memory to compare %" PRId64 " actions with pictures", n);
  standardize(x, n, P);
  standardize(y, n, Q);
  for (int64_t t = 0; t < n; t++) add_example(&s, group[t], x + t * P, y + t * Q);
  for (int64_t first = 0, count; first < n; first += count) {
    const int g = group[first];
    for (count = 1; first + count < n && group[first + count] == g; count++) continue;
    make_rule(&s, g, groups, n);
    judge(&s, x, y, first, count, predicted, out + (int64_t)g * Q);
  }
done:
  orr_free(predicted);
  release(&s, groups);
  return rc;
}
