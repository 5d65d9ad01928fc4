// Figures with intervals: a statistic of groups of episodes, and what it would have been had chance
// picked other groups of the same kind (bootstrap, Efron 1979: groups drawn again with replacement,
// 2.5 and 97.5 percent of the outcomes). Keyed by a seed, so the same everywhere. Local; thread
// safe.
#ifndef TRAIN_EXAM_INTERVAL_H
#define TRAIN_EXAM_INTERVAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum { TRAIN_EXAM_RESAMPLES = 1000 };

typedef struct {
  double value, low, high; // NaN: there is no such figure
} train_exam_figure;

// Of the groups pick[n] of `data`; one may come twice. NaN where it has no value.
typedef double (*train_exam_statistic)(const void *data, const int64_t *pick, int64_t n);

// Local. n groups. ORR_ENOMEM.
orr_code train_exam_figure_of(train_exam_statistic f, const void *data, int64_t n, uint64_t seed,
                              train_exam_figure *out);
// Local. {"value", "low", "high"}, null for what is no number; a new object.
json_t *train_exam_figure_json(const train_exam_figure *f);

// -- statistics -----------------------------------------------------------------------------

// Mean of v[groups,width] without what is NaN.
typedef struct {
  const double *v;
  int64_t width;
} train_exam_column;
// Local. NaN where there is none.
double train_exam_mean(const void *column, const int64_t *pick, int64_t n);

// Mean of `over` through mean of `under`, two columns of the same groups.
typedef struct {
  train_exam_column over, under;
} train_exam_quotient;
// Local.
double train_exam_ratio(const void *quotient, const int64_t *pick, int64_t n);

// Surprise of pairs: nats[groups,4] of a+a, a+b, b+b, b+a: even ones are possible.
// Local. How many pairs have the smaller surprise at the possible ending; equal ones count one
// half.
double train_exam_accuracy(const void *nats, const int64_t *pick, int64_t n);
// Local. Of how many groups the two possible films together surprise less than the two impossible
// ones (the relative error of Riochet et al. 2018): what an ending costs whatever it follows falls
// out, as each comes once as possible and once as impossible. Equal ones count one half.
double train_exam_relative(const void *nats, const int64_t *pick, int64_t n);
// Local. Chance that an impossible ending surprises more than a possible one, of whichever past.
double train_exam_auroc(const void *nats, const int64_t *pick, int64_t n);
// Log odds of a group: how much more the two impossible films surprise than the two possible ones.
static inline double train_exam_group_odds(const double g[4]) {
  return (g[1] + g[3]) - (g[0] + g[2]);
}
// Expected calibration error (Naeini et al. 2015; ten bins) of beliefs 1 / (1 + exp(-odds)) in what
// is so; a column of log odds. Local.
double train_exam_ece(const void *odds, const int64_t *pick, int64_t n);

// Rollouts that go wrong or not: judged[n,2], a figure and 1 for wrong, 0 for right.
// Local. Chance that one that goes wrong has the larger figure; NaN where all or none does.
double train_exam_wrong_auroc(const void *judged, const int64_t *pick, int64_t n);
// Local. How many go wrong.
double train_exam_wrong_share(const void *judged, const int64_t *pick, int64_t n);
// Local. Expected calibration error, in ten bins, of figures that are chances to go wrong.
double train_exam_wrong_ece(const void *chances, const int64_t *pick, int64_t n);

#endif
