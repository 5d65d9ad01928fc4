#include "base/sort.h"

#include <stdlib.h>

static int by_f64(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int by_i64(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

void orr_sort_f64(double *v, int64_t n) {
  qsort(v, (size_t)n, sizeof *v, by_f64);
}

void orr_sort_i64(int64_t *v, int64_t n) {
  qsort(v, (size_t)n, sizeof *v, by_i64);
}

double orr_median_f64(double *v, int64_t n) {
  orr_sort_f64(v, n);
  return v[n / 2];
}
