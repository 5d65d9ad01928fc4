#include "train/eval/flow.h"

#include <math.h>

typedef struct {
  const uint8_t *before, *after;
  int64_t height, width;
} pair;

// Mean squared difference of what both frames show, where at most a quarter is left out of view.
static double difference(const pair *p, double right, double down, double nearer) {
  const double my = 0.5 * (double)(p->height - 1), mx = 0.5 * (double)(p->width - 1);
  double sum = 0, count = 0;
  for (int64_t y = p->height / 8; y < p->height - p->height / 8; y += 3) {
    const int64_t from_y = (int64_t)lround(my + ((double)y - my - down) / (1 + nearer));
    if (from_y < 0 || from_y >= p->height) continue;
    for (int64_t x = 1; x < p->width - 1; x++) {
      const double at = mx + ((double)x - mx - right) / (1 + nearer);
      const int64_t left = (int64_t)floor(at);
      if (left < 0 || left + 1 >= p->width) continue;
      const double share = at - (double)left;
      const uint8_t *a = p->before + 3 * (from_y * p->width + left);
      const uint8_t *b = p->after + 3 * (y * p->width + x);
      for (int c = 0; c < 3; c++) {
        const double d = a[c] + share * (a[c + 3] - a[c]) - b[c];
        sum += d * d;
      }
      count++;
    }
  }
  return count > 0 ? sum / count : INFINITY;
}

static void try_one(const pair *p, train_flow f, double *least, train_flow *best) {
  const double d = difference(p, f.right, f.down, f.nearer);
  if (d >= *least) return;
  *least = d;
  *best = f;
}

train_flow train_flow_between(const uint8_t *before, const uint8_t *after, int64_t height,
                              int64_t width) {
  const pair p = {before, after, height, width};
  const int most_right = (int)(width / 5), most_down = (int)(height / 16);
  train_flow best = {0}, coarse;
  double least = INFINITY;
  try_one(&p, best, &least, &best); // nothing moved, where nothing tells
  for (int nearer = -2; nearer <= 2; nearer++)
    for (int right = -most_right; right <= most_right; right += 2)
      for (int down = -most_down; down <= most_down; down += 2)
        try_one(&p, (train_flow){right, down, 0.04 * nearer}, &least, &best);
  coarse = best;
  for (int nearer = -3; nearer <= 3; nearer++)
    for (int right = -3; right <= 3; right++)
      for (int down = -1; down <= 1; down++)
        try_one(&p,
                (train_flow){coarse.right + 0.5 * right, coarse.down + down,
                             coarse.nearer + 0.01 * nearer},
                &least, &best);
  return best;
}
