// The arithmetic of judging policies in a model, on plain arrays: no model, no files. Local; thread
// safe.
//
// P policies made the same N trials twice: for real (`truth`) and in a model (`model`).
#ifndef TRAIN_POLICY_FIGURES_H
#define TRAIN_POLICY_FIGURES_H

#include <stdint.h>

#include "base/status.h"

// The mean of x [n]; 0 of none.
double train_figures_mean(const double *x, int64_t n);
// Pearson's correlation of x and y [n]. NAN where either never varies.
double train_figures_pearson(const double *x, const double *y, int64_t n);
// Spearman's: Pearson's of the ranks, equal values sharing the middle of theirs. ORR_ENOMEM.
orr_code train_figures_spearman(const double *x, const double *y, int64_t n, double *out);
// Kendall's tau-b: pairs in the same order less pairs in the opposite one, over what ties leave.
double train_figures_kendall(const double *x, const double *y, int64_t n);
// Mean maximum rank violation (Li et al. 2024, SIMPLER): for each policy the largest true
// difference to another one whose order the model has wrong; the mean over policies. 0: no order is
// wrong; NAN of fewer than two.
double train_figures_mmrv(const double *truth, const double *model, int64_t n);
// Expected calibration error (Guo et al. 2017): confidences [n] in [0,1] in `bins` bins of equal
// width, |mean confidence - share of outcomes that are 1| weighted by how many each holds.
double train_figures_ece(const double *confidence, const uint8_t *outcome, int64_t n, int bins);

// The threshold on scores [n] at or above which `is` is said, that has the highest mean of the
// shares of 1s and of 0s told rightly (*balanced): the middle between the two scores it lies
// between, of equally good ones the middle one. Both kinds have to be there. ORR_ENOMEM.
orr_code train_figures_threshold(const double *score, const uint8_t *is, int64_t n,
                                 double *threshold, double *balanced);

typedef struct {
  double low, high;
} train_interval;

// What a table of trials says: success rates [P] and how they go together.
typedef struct {
  double r, mmrv, spearman, kendall;
} train_figures;

// truth, model [P,N]: 0..1 each. *out (=) of their means. ORR_ENOMEM.
orr_code train_figures_of(const double *truth, const double *model, int64_t P, int64_t N,
                          train_figures *out);
// Percentile bootstrap (Efron 1979), 95 %: `draws` tables of N trials drawn with replacement, the
// same ones for all policies and both worlds, since they share their chances. Draws without a
// figure are left out of it. truth_rate, model_rate [P] (=). Seeded.
orr_code train_figures_bootstrap(const double *truth, const double *model, int64_t P, int64_t N,
                                 int64_t draws, uint64_t seed, train_interval *truth_rate,
                                 train_interval *model_rate, train_interval *r,
                                 train_interval *mmrv);

#endif
