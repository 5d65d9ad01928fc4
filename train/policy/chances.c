#include "train/policy/chances.h"

#include <math.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/sort.h"
#include "train/policy/figures.h"

static double variance_of(const double *a, const double *b, int64_t n) {
  double mean = 0, sum = 0;
  for (int64_t i = 0; i < n; i++) mean += (a[i] - (b ? b[i] : 0)) / (double)n;
  for (int64_t i = 0; i < n; i++) {
    const double d = a[i] - (b ? b[i] : 0) - mean;
    sum += d * d;
  }
  return sum / (double)n;
}

// Whether no third policy lies between the two.
static int are_neighbours(const double *outcome, int64_t P, int64_t N, int64_t i, int64_t j) {
  const double a = train_figures_mean(outcome + i * N, N),
               b = train_figures_mean(outcome + j * N, N);
  for (int64_t k = 0; k < P; k++) {
    const double c = train_figures_mean(outcome + k * N, N);
    if (k != i && k != j && ((a < c && c < b) || (b < c && c < a))) return 0;
  }
  return 1;
}

double train_chances_spared(const double *a, const double *b, int64_t N) {
  const double apart = variance_of(a, NULL, N) + variance_of(b, NULL, N);
  const double together = variance_of(a, b, N);
  return apart > 0 ? (together > 0 ? apart / together : INFINITY) : NAN;
}

double train_chances_most(double a, double b) {
  const double apart = a * (1 - a) + b * (1 - b), d = fabs(a - b);
  return apart > 0 ? (d > 0 ? apart / (d * (1 - d)) : INFINITY) : NAN;
}

static int is_asked(const double *outcome, int64_t P, int64_t N, int64_t i, int64_t j,
                    train_chances_pairs which) {
  if (which == TRAIN_CHANCES_NEIGHBOURS) return are_neighbours(outcome, P, N, i, j);
  const double d =
      fabs(train_figures_mean(outcome + i * N, N) - train_figures_mean(outcome + j * N, N));
  return which == TRAIN_CHANCES_ALL || d <= TRAIN_CHANCES_CLOSE_BY + 1e-9;
}

static double median_of(double *x, int64_t n) {
  if (!n) return NAN;
  orr_sort_f64(x, n);
  return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

orr_code train_chances_of(const double *outcome, int64_t P, int64_t N, train_chances_pairs which,
                          train_chances *out) {
  double apart = 0, together = 0;
  double *factor = orr_malloc((size_t)(P * P + 1) * sizeof *factor), *most = factor + P * P / 2;
  ORR_CHECK(factor, ORR_ENOMEM, "figures of %lld policies: out of memory", (long long)P);
  *out = (train_chances){0};
  for (int64_t i = 0; i < P; i++)
    for (int64_t j = 0; j < i; j++) {
      const double *a = outcome + i * N, *b = outcome + j * N;
      const double its = train_chances_spared(a, b, N);
      if (isnan(its) || !is_asked(outcome, P, N, i, j, which)) continue;
      apart += variance_of(a, NULL, N) + variance_of(b, NULL, N);
      together += variance_of(a, b, N);
      factor[out->pairs] = its;
      most[out->pairs++] = train_chances_most(train_figures_mean(a, N), train_figures_mean(b, N));
    }
  out->pooled = together > 0 ? apart / together : NAN;
  out->median = median_of(factor, out->pairs);
  out->most = median_of(most, out->pairs);
  orr_free(factor);
  return ORR_OK;
}

// -- in words ---------------------------------------------------------------------------------

static orr_code put_common(const double *outcome, int64_t P, int64_t N, json_t *out) {
  static const char *const names[] = {"all", "neighbours", "close"};
  for (int k = 0; k < 3; k++) {
    train_chances c;
    ORR_TRY(train_chances_of(outcome, P, N, (train_chances_pairs)k, &c));
    json_object_set_new(out, names[k],
                        json_pack("{s:o, s:o, s:o, s:I}", "pooled", orr_json_number(c.pooled),
                                  "median", orr_json_number(c.median), "median_of_most",
                                  orr_json_number(c.most), "pairs", (json_int_t)c.pairs));
  }
  return ORR_OK;
}

// A row a pair: its policies by their numbers, what it spares for real and in the model.
static json_t *pairs_of(const double *truth, const double *model, int64_t P, int64_t N) {
  json_t *list = json_array();
  for (int64_t i = 0; i < P; i++)
    for (int64_t j = 0; j < i; j++)
      json_array_append_new(
          list, json_pack("[I, I, o, o]", (json_int_t)j, (json_int_t)i,
                          orr_json_number(train_chances_spared(truth + i * N, truth + j * N, N)),
                          orr_json_number(train_chances_spared(model + i * N, model + j * N, N))));
  return list;
}

orr_code train_chances_tell(const double *truth, const double *model, const double *progress,
                            int64_t P, int64_t N, json_t **out) {
  json_t *real = json_object(), *dreamt = json_object(), *came = json_object();
  *out = json_pack("{s:o, s:o, s:o, s:o}", "simulator", real, "model", dreamt, "model_progress",
                   came, "pairs", pairs_of(truth, model, P, N));
  ORR_CHECK(*out, ORR_ENOMEM, "policy evaluation: out of memory");
  orr_code rc = put_common(truth, P, N, real);
  if (rc == ORR_OK) rc = put_common(model, P, N, dreamt);
  if (rc == ORR_OK) rc = put_common(progress, P, N, came);
  if (rc != ORR_OK) json_decref(*out);
  return rc;
}
