// What common chances spare: two policies that make the same trials, from the same starts with the
// same random numbers, differ by what they do alone, so that fewer trials tell the one from the
// other. On plain arrays of outcomes; local, thread safe.
#ifndef TRAIN_POLICY_CHANCES_H
#define TRAIN_POLICY_CHANCES_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

// By how many times fewer trials a difference between two policies needs for the same interval when
// both make the same trials with the same chances: (Var a + Var b) / Var (a - b), a and b the
// outcomes [N] of a pair. INFINITY where both fail and succeed in the same trials, NAN where
// neither ever varies.
double train_chances_spared(const double *a, const double *b, int64_t N);
// The most that any two policies of such success rates can spare, for outcomes are 0 or 1: where
// the better one succeeds in all trials of the other's, Var (a - b) = d (1 - d), d their
// difference.
double train_chances_most(double a, double b);

// The same of many pairs, those of NAN left out: variances summed over pairs, medians of pairs.
typedef struct {
  double pooled, median;
  double most; // median of the most that is possible
  int64_t pairs;
} train_chances;

typedef enum {
  TRAIN_CHANCES_ALL,
  TRAIN_CHANCES_NEIGHBOURS, // by their means: no third policy lies between the two
  TRAIN_CHANCES_CLOSE,      // means at most TRAIN_CHANCES_CLOSE_BY apart
} train_chances_pairs;
#define TRAIN_CHANCES_CLOSE_BY 0.1

// outcome [P,N]. ORR_ENOMEM.
orr_code train_chances_of(const double *outcome, int64_t P, int64_t N, train_chances_pairs which,
                          train_chances *out);

// Local. `common_chances` of policy.json: outcomes for real and in a model [P,N], and how far they
// came in the model. *out is a new object.
orr_code train_chances_tell(const double *truth, const double *model, const double *progress,
                            int64_t P, int64_t N, json_t **out);

#endif
