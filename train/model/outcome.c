#include "train/model/outcome.h"

#include <math.h>
#include <stdbool.h>

typedef struct {
  const char *name;
  int64_t bins;
  double low, high; // of the bins, evenly spaced
  bool symlog;      // the bins are those of sign(v) log(1 + |v|)
} kind;

static const kind kinds[TRAIN_OUTCOMES] = {
    [TRAIN_REWARD] = {"reward", TRAIN_OUTCOME_MOST_BINS, -10.0, 10.0, true},
    [TRAIN_DONE] = {"done", 2, 0.0, 1.0, false},
    [TRAIN_PROGRESS] = {"progress", 21, 0.0, 1.0, false}};

const char *train_outcome_name(train_outcome o) {
  return kinds[o].name;
}

int64_t train_outcome_bins(train_outcome o) {
  return kinds[o].bins;
}

train_two_hot train_outcome_target(train_outcome o, float value) {
  const kind *k = &kinds[o];
  if (isnan(value)) return (train_two_hot){.bin = {-1, -1}};
  const double v = k->symlog ? copysign(log1p(fabs((double)value)), (double)value) : (double)value,
               last = (double)(k->bins - 1),
               at = fmin(fmax((v - k->low) / (k->high - k->low) * last, 0.0), last);
  const int32_t below = (int32_t)fmin(floor(at), last);
  const float above = (float)(at - (double)below);
  return (train_two_hot){.bin = {below, above > 0.0f ? below + 1 : -1},
                         .share = {1.0f - above, above}};
}

// *sum (=) that of exp(logit - largest).
static double largest_of(const float *logits, int64_t n, double *sum) {
  double largest = -INFINITY;
  *sum = 0.0;
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, (double)logits[i]);
  for (int64_t i = 0; i < n; i++) *sum += exp((double)logits[i] - largest);
  return largest;
}

double train_outcome_mean(train_outcome o, const float *logits) {
  const kind *k = &kinds[o];
  double sum, mean = 0.0;
  const double largest = largest_of(logits, k->bins, &sum);
  for (int64_t i = 0; i < k->bins; i++)
    mean += exp((double)logits[i] - largest) / sum *
            (k->low + (k->high - k->low) * (double)i / (double)(k->bins - 1));
  return k->symlog ? copysign(expm1(fabs(mean)), mean) : mean;
}

double train_outcome_loss(train_outcome o, const float *logits, float value) {
  const train_two_hot t = train_outcome_target(o, value);
  double sum, loss = 0.0;
  const double largest = largest_of(logits, kinds[o].bins, &sum), lse = largest + log(sum);
  for (int i = 0; i < 2; i++)
    if (t.bin[i] >= 0) loss += (double)t.share[i] * (lse - (double)logits[t.bin[i]]);
  return loss;
}
