#include "data/clips/quota.h"

#include <math.h>
#include <stdbool.h>

#include "base/mem.h"

#define DENOMINATOR_MAX (1 << 20)
#define PERIOD_MAX      (1 << 24) // a jump of that length takes less than a second

typedef struct {
  uint64_t share;        // samples in a period
  uint64_t given;        // in this period so far
  uint64_t release, due; // the next sample's first and last step (from 1) in the period
} quota_set;

struct data_quota {
  int n;
  uint64_t period;
  bool ready;
  uint64_t cycle, step; // steps done in which period
  quota_set sets[];
};

static data_quota *quota_alloc(int n) {
  data_quota *q = orr_calloc(1, sizeof *q + (size_t)n * sizeof q->sets[0]);
  if (q) q->n = n;
  return q;
}

void data_quota_destroy(data_quota *q) {
  orr_free(q);
}

// The smallest denominator that makes all shares whole numbers; 0 when there is none.
static uint64_t common_denominator(const double *weights, int n, double sum) {
  for (uint64_t p = 1; p <= DENOMINATOR_MAX; p++) {
    int i = 0;
    for (; i < n; i++) {
      double share = weights[i] / sum * (double)p;
      if (fabs(share - round(share)) > 1e-9) break;
    }
    if (i == n) return p;
  }
  return 0;
}

// Rounds the shares to whole numbers with the sum p, at least 1 for a weight above 0. What rounding
// leaves over goes to the largest share, which feels it least.
static void set_shares(data_quota *q, const double *weights, double sum, uint64_t p) {
  int largest = 0;
  uint64_t others = 0;
  for (int i = 1; i < q->n; i++) {
    if (weights[i] > weights[largest]) largest = i;
  }
  for (int i = 0; i < q->n; i++) {
    double share = round(weights[i] / sum * (double)p);
    q->sets[i].share = weights[i] > 0 && share < 1 ? 1 : (uint64_t)share;
    if (i != largest) others += q->sets[i].share;
  }
  q->sets[largest].share = p - others;
  q->period = p;
}

orr_code data_quota_create(const double *weights, int n, data_quota **out) {
  double sum = 0;
  for (int i = 0; i < n; i++) {
    ORR_CHECK(isfinite(weights[i]) && weights[i] >= 0, ORR_EINVAL,
              "weight %d of the mixture is %g, wanted 0 or more", i, weights[i]);
    sum += weights[i];
  }
  ORR_CHECK(sum > 0 && isfinite(sum), ORR_EINVAL,
            "the weights of the mixture add up to %g; give one data set a weight above 0", sum);
  data_quota *q = quota_alloc(n);
  ORR_CHECK(q, ORR_ENOMEM, "mixture: out of memory for %d data sets", n);
  uint64_t p = common_denominator(weights, n, sum);
  set_shares(q, weights, sum, p ? p : DENOMINATOR_MAX);
  *out = q;
  return ORR_OK;
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

orr_code data_quota_create_counts(const uint64_t *counts, int n, data_quota **out) {
  uint64_t divisor = 0, sum = 0;
  for (int i = 0; i < n; i++) {
    divisor = common_divisor(counts[i], divisor);
    sum += counts[i];
  }
  ORR_CHECK(sum > 0, ORR_EINVAL, "mixture: its data sets have no clip");
  data_quota *q = quota_alloc(n);
  double *weights = orr_malloc((size_t)n * sizeof *weights);
  if (!q || !weights) {
    orr_free(weights);
    orr_free(q);
    return ORR_FAIL(ORR_ENOMEM, "mixture: out of memory for %d data sets", n);
  }
  bool exact = sum / divisor <= PERIOD_MAX;
  for (int i = 0; i < n; i++) weights[i] = (double)counts[i];
  if (!exact) set_shares(q, weights, (double)sum, DENOMINATOR_MAX);
  for (int i = 0; exact && i < n; i++) q->sets[i].share = counts[i] / divisor;
  if (exact) q->period = sum / divisor;
  orr_free(weights);
  *out = q;
  return ORR_OK;
}

// Sample k (from 0) of a set may come at step s once k < s * share / period and must have come by
// the first s with k + 1 <= s * share / period.
static void set_window(const data_quota *q, quota_set *s) {
  s->release = s->given * q->period / s->share + 1;
  s->due = ((s->given + 1) * q->period + s->share - 1) / s->share;
}

static void begin_period(data_quota *q, uint64_t cycle) {
  q->cycle = cycle;
  q->step = 0;
  q->ready = true;
  for (int i = 0; i < q->n; i++) {
    q->sets[i].given = 0;
    if (q->sets[i].share) set_window(q, &q->sets[i]);
  }
}

// Does one step; returns the set that gives the sample.
static int advance(data_quota *q) {
  int best = -1;
  q->step++;
  for (int i = 0; i < q->n; i++) {
    const quota_set *s = &q->sets[i];
    if (s->share == 0 || s->release > q->step) continue;
    if (best < 0 || s->due < q->sets[best].due) best = i;
  }
  q->sets[best].given++;
  set_window(q, &q->sets[best]);
  return best;
}

void data_quota_at(data_quota *q, uint64_t g, int *set, uint64_t *index) {
  uint64_t cycle = g / q->period, step = g % q->period;
  if (!q->ready || q->cycle != cycle || q->step > step) begin_period(q, cycle);
  int last = 0;
  while (q->step <= step) last = advance(q);
  *set = last;
  *index = cycle * q->sets[last].share + q->sets[last].given - 1;
}
