#include "train/policy/figures.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/sort.h"

double train_figures_mean(const double *x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i];
  return n ? sum / (double)n : 0;
}

double train_figures_pearson(const double *x, const double *y, int64_t n) {
  const double mx = train_figures_mean(x, n), my = train_figures_mean(y, n);
  double xx = 0, yy = 0, xy = 0;
  for (int64_t i = 0; i < n; i++) {
    xx += (x[i] - mx) * (x[i] - mx);
    yy += (y[i] - my) * (y[i] - my);
    xy += (x[i] - mx) * (y[i] - my);
  }
  return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

// rank[i] (=) of x[i], counted from 1.
static void rank_of(const double *x, int64_t n, double *rank) {
  for (int64_t i = 0; i < n; i++) {
    int64_t below = 0, equal = 0;
    for (int64_t j = 0; j < n; j++) {
      below += x[j] < x[i];
      equal += x[j] == x[i];
    }
    rank[i] = (double)below + (double)(equal + 1) / 2;
  }
}

orr_code train_figures_spearman(const double *x, const double *y, int64_t n, double *out) {
  double *rank = orr_malloc((size_t)(2 * n) * sizeof *rank);
  ORR_CHECK(rank, ORR_ENOMEM, "ranks of %lld policies: out of memory", (long long)n);
  rank_of(x, n, rank);
  rank_of(y, n, rank + n);
  *out = train_figures_pearson(rank, rank + n, n);
  orr_free(rank);
  return ORR_OK;
}

static int sign_of(double v) {
  return (v > 0) - (v < 0);
}

double train_figures_kendall(const double *x, const double *y, int64_t n) {
  double agree = 0, in_x = 0, in_y = 0; // pairs: signed, and those that either side can tell apart
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) {
      const int a = sign_of(x[i] - x[j]), b = sign_of(y[i] - y[j]);
      agree += a * b;
      in_x += a != 0;
      in_y += b != 0;
    }
  return in_x > 0 && in_y > 0 ? agree / sqrt(in_x * in_y) : NAN;
}

double train_figures_mmrv(const double *truth, const double *model, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    double worst = 0;
    for (int64_t j = 0; j < n; j++)
      if ((model[i] < model[j]) != (truth[i] < truth[j]))
        worst = fmax(worst, fabs(truth[i] - truth[j]));
    sum += worst;
  }
  return n > 1 ? sum / (double)n : NAN;
}

double train_figures_ece(const double *confidence, const uint8_t *outcome, int64_t n, int bins) {
  double error = 0;
  for (int b = 0; b < bins; b++) {
    double sum = 0, hits = 0, count = 0;
    for (int64_t i = 0; i < n; i++) {
      int bin = (int)(confidence[i] * bins);
      if (bin >= bins) bin = bins - 1;
      if (bin != b) continue;
      sum += confidence[i];
      hits += outcome[i];
      count++;
    }
    error += fabs(sum - hits);
  }
  return n ? error / (double)n : 0;
}

static double balanced_at(const double *score, const uint8_t *is, int64_t n, double threshold) {
  double right[2] = {0}, count[2] = {0};
  for (int64_t i = 0; i < n; i++) {
    right[is[i]] += (score[i] >= threshold) == is[i];
    count[is[i]]++;
  }
  return (right[0] / count[0] + right[1] / count[1]) / 2;
}

orr_code train_figures_threshold(const double *score, const uint8_t *is, int64_t n,
                                 double *threshold, double *balanced) {
  double *sorted = orr_malloc((size_t)(2 * n) * sizeof *sorted), *best = sorted + n;
  int64_t count = 0;
  ORR_CHECK(sorted, ORR_ENOMEM, "threshold on %lld scores: out of memory", (long long)n);
  memcpy(sorted, score, (size_t)n * sizeof *sorted);
  orr_sort_f64(sorted, n);
  *balanced = 0;
  for (int64_t i = 1; i < n; i++) {
    const double at = (sorted[i - 1] + sorted[i]) / 2;
    if (!(sorted[i] > sorted[i - 1])) continue;
    const double good = balanced_at(score, is, n, at);
    if (good < *balanced - 1e-12) continue;
    if (good > *balanced + 1e-12) count = 0;
    *balanced = good;
    best[count++] = at;
  }
  *threshold = count ? best[count / 2] : sorted[n - 1];
  if (!count) *balanced = balanced_at(score, is, n, *threshold);
  orr_free(sorted);
  return ORR_OK;
}

// -- a table of trials ----------------------------------------------------------------------

orr_code train_figures_of(const double *truth, const double *model, int64_t P, int64_t N,
                          train_figures *out) {
  double *rate = orr_malloc((size_t)(2 * P) * sizeof *rate);
  ORR_CHECK(rate, ORR_ENOMEM, "figures of %lld policies: out of memory", (long long)P);
  for (int64_t i = 0; i < P; i++) {
    rate[i] = train_figures_mean(truth + i * N, N);
    rate[P + i] = train_figures_mean(model + i * N, N);
  }
  out->r = train_figures_pearson(rate, rate + P, P);
  out->mmrv = train_figures_mmrv(rate, rate + P, P);
  out->kendall = train_figures_kendall(rate, rate + P, P);
  const orr_code rc = train_figures_spearman(rate, rate + P, P, &out->spearman);
  orr_free(rate);
  return rc;
}

// Of `n` draws, those that are numbers.
static train_interval interval_of(double *x, int64_t n) {
  int64_t kept = 0;
  for (int64_t i = 0; i < n; i++)
    if (isfinite(x[i])) x[kept++] = x[i];
  if (!kept) return (train_interval){NAN, NAN};
  orr_sort_f64(x, kept);
  return (train_interval){x[(int64_t)(0.025 * (double)(kept - 1) + 0.5)],
                          x[(int64_t)(0.975 * (double)(kept - 1) + 0.5)]};
}

static double mean_at(const double *x, const int64_t *which, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[which[i]];
  return sum / (double)n;
}

orr_code train_figures_bootstrap(const double *truth, const double *model, int64_t P, int64_t N,
                                 int64_t draws, uint64_t seed, train_interval *truth_rate,
                                 train_interval *model_rate, train_interval *r,
                                 train_interval *mmrv) {
  const int64_t kinds = 2 * P + 2; // truth's rates, the model's, r, mmrv: [kinds,draws]
  double *x = orr_malloc((size_t)(kinds * draws + 2 * P) * sizeof *x);
  int64_t *which = orr_malloc((size_t)N * sizeof *which);
  if (!x || !which) {
    orr_free(which);
    orr_free(x);
    return ORR_FAIL(ORR_ENOMEM, "intervals of %lld policies: out of memory", (long long)P);
  }
  double *rate = x + kinds * draws;
  for (int64_t d = 0; d < draws; d++) {
    for (int64_t i = 0; i < N; i++)
      which[i] =
          (int64_t)orr_rng_below(seed, ORR_STREAM_BOOTSTRAP, (uint64_t)d, (uint64_t)i, (uint64_t)N);
    for (int64_t i = 0; i < P; i++) {
      x[i * draws + d] = rate[i] = mean_at(truth + i * N, which, N);
      x[(P + i) * draws + d] = rate[P + i] = mean_at(model + i * N, which, N);
    }
    x[2 * P * draws + d] = train_figures_pearson(rate, rate + P, P);
    x[(2 * P + 1) * draws + d] = train_figures_mmrv(rate, rate + P, P);
  }
  for (int64_t i = 0; i < P; i++) {
    truth_rate[i] = interval_of(x + i * draws, draws);
    model_rate[i] = interval_of(x + (P + i) * draws, draws);
  }
  *r = interval_of(x + 2 * P * draws, draws);
  *mmrv = interval_of(x + (2 * P + 1) * draws, draws);
  orr_free(which);
  orr_free(x);
  return ORR_OK;
}
