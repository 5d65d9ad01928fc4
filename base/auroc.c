#include "base/auroc.h"

#include <math.h>
#include <stdlib.h>

static int by_score(const void *a, const void *b) {
  const orr_judged *x = a, *y = b;
  return x->score < y->score ? -1 : x->score > y->score;
}

double orr_auroc(orr_judged *all, int64_t n) {
  double ranks = 0; // of those that are; equals have their mean
  int64_t are = 0;
  qsort(all, (size_t)n, sizeof *all, by_score);
  for (int64_t i = 0, end; i < n; i = end) {
    for (end = i; end < n && all[end].score == all[i].score; end++) {
    }
    for (int64_t k = i; k < end; k++) {
      ranks += all[k].is ? 0.5 * (double)(i + end + 1) : 0;
      are += all[k].is;
    }
  }
  if (are == 0 || are == n) return NAN;
  const double m = (double)are;
  return (ranks - 0.5 * m * (m + 1)) / (m * (double)(n - are));
}
