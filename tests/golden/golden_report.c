#include "tests/golden/golden_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

// Bars by precision; infinity = only printed. In bf16 every value between two ops is rounded to 8
// bits, so single logits and gradients say little; the loss is a mean over all of them.
typedef struct {
  double loss, logits, gradient;
  bool indices; // must be equal
} bars;
static const bars BARS[] = {
    [KERN_F32] = {.loss = 1e-5, .logits = 1e-5, .gradient = 1e-4, .indices = true},
    [KERN_BF16] = {.loss = 1e-2, .logits = INFINITY, .gradient = INFINITY, .indices = false},
};

static void print_line(const char *name, double error, double bar) {
  // NaN is never within a bar
  printf("  %-40s %10.2e", name, error);
  if (isinf(bar))
    printf("  (no bar)\n");
  else
    printf("  bar %.0e  %s\n", bar, error <= bar ? "ok" : "BEYOND");
}

// Largest |got - want| over the largest |want|; NaN when any value is NaN.
static double largest_error(const float *got, const float *want, int64_t n, double floor) {
  double difference = 0, magnitude = floor;
  for (int64_t i = 0; i < n; i++) {
    double d = fabs((double)got[i] - (double)want[i]);
    if (isnan(d)) return NAN;
    difference = fmax(difference, d);
    magnitude = fmax(magnitude, fabs((double)want[i]));
  }
  return magnitude > 0 ? difference / magnitude : difference;
}

static void judge(golden_report *r, const char *name, double error, double bar) {
  if (!(error <= bar)) r->beyond++;
  print_line(name, error, bar);
}

void golden_report_loss(golden_report *r, const char *name, double got, double want) {
  judge(r, name, fabs(got - want) / fabs(want), BARS[r->precision].loss);
}

void golden_report_logits(golden_report *r, const char *name, const float *got, const float *want,
                          int64_t n) {
  judge(r, name, largest_error(got, want, n, 0), BARS[r->precision].logits);
}

void golden_report_indices(golden_report *r, const char *name, const int32_t *got,
                           const int32_t *want, int64_t n) {
  int64_t differing = 0;
  for (int64_t i = 0; i < n; i++) differing += got[i] != want[i];
  bool must = BARS[r->precision].indices;
  if (must && differing) r->beyond++;
  printf("  %-40s %" PRId64 " of %" PRId64 " differ%s\n", name, differing, n,
         !must       ? "  (no bar)"
         : differing ? "  bar 0  BEYOND"
                     : "  bar 0  ok");
}

void golden_report_gradient(golden_report *r, const char *name, const float *got, const float *want,
                            int64_t n, double floor) {
  double error = largest_error(got, want, n, floor);
  r->bar = BARS[r->precision].gradient;
  bool beyond = !(error <= r->bar);
  if (beyond) r->beyond++;
  if (beyond || r->all) print_line(name, error, r->bar);
  if (r->gradients++ == 0 || isnan(error) || error > r->worst) {
    r->worst = error;
    snprintf(r->worst_name, sizeof r->worst_name, "%s", name);
  }
}

void golden_report_gradients(golden_report *r, const char *name) {
  char line[256];
  snprintf(line, sizeof line, "%s, worst of %d", name, r->gradients);
  print_line(line, r->worst, r->bar);
  printf("    (%s)\n", r->worst_name);
  r->gradients = 0;
}
