// The distances between a golden file and what was computed here, and their bars.
#ifndef TESTS_GOLDEN_GOLDEN_REPORT_H
#define TESTS_GOLDEN_GOLDEN_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/kern.h"

typedef struct {
  kern_dtype precision; // chooses the bars
  bool all;             // also print every gradient, not only the worst one
  int beyond;           // distances beyond their bar so far
  // the worst gradient since golden_report_gradients
  char worst_name[160];
  double worst, bar;
  int gradients;
} golden_report;

// Relative error of a loss.
void golden_report_loss(golden_report *r, const char *name, double got, double want);
// Largest difference, relative to the largest magnitude in `want`.
void golden_report_logits(golden_report *r, const char *name, const float *got, const float *want,
                          int64_t n);
// How many code indices differ.
void golden_report_indices(golden_report *r, const char *name, const int32_t *got,
                           const int32_t *want, int64_t n);
// One gradient: as logits, and relative to `floor` at least, for a gradient that is zero
// throughout.
void golden_report_gradient(golden_report *r, const char *name, const float *got, const float *want,
                            int64_t n, double floor);
// Prints the worst gradient since the last call and starts anew.
void golden_report_gradients(golden_report *r, const char *name);

#endif
