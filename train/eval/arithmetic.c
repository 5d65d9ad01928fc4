// See the header. Per-byte sums are integers: exact, and equal in any order.
#include "train/eval/arithmetic.h"

#include <math.h>
#include <stdlib.h>

double train_measure_mean_of(const train_measure_mean *m) {
  return m->count ? m->sum / (double)m->count : 0;
}

double train_measure_mse(const uint8_t *a, const uint8_t *b, int64_t values) {
  int64_t sum = 0;
  for (int64_t i = 0; i < values; i++) {
    int d = a[i] - b[i];
    sum += d * d;
  }
  return (double)sum / ((double)values * 255.0 * 255.0);
}

double train_measure_psnr(double mse) {
  double least = pow(10, -TRAIN_MEASURE_PSNR_MOST / 10);
  return mse <= least ? TRAIN_MEASURE_PSNR_MOST : -10 * log10(mse);
}

void train_measure_mean_add(train_measure_mean *m, double value) {
  m->sum += value;
  m->count++;
}

void train_measure_psnr_add(const uint8_t *real, const uint8_t *predicted, int64_t clips,
                            int64_t horizon, int64_t values, train_measure_mean *mean) {
  for (int64_t b = 0; b < clips; b++)
    for (int64_t k = 0; k < horizon; k++) {
      int64_t at = (b * horizon + k) * values;
      train_measure_mean_add(
          &mean[k], train_measure_psnr(train_measure_mse(real + at, predicted + at, values)));
    }
}

int64_t train_measure_detail(const uint8_t *frame, int64_t height, int64_t width) {
  const int64_t row = width * 3;
  int64_t sum = 0;
  for (int64_t y = 0; y < height; y++) {
    const uint8_t *at = frame + y * row;
    for (int64_t i = 3; i < row; i++) sum += abs(at[i] - at[i - 3]);
    for (int64_t i = 0; y > 0 && i < row; i++) sum += abs(at[i] - at[i - row]);
  }
  return sum;
}

int64_t train_measure_codes_used(const int64_t *uses, int64_t codes) {
  int64_t used = 0;
  for (int64_t i = 0; i < codes; i++) used += uses[i] > 0;
  return used;
}

double train_measure_perplexity(const int64_t *uses, int64_t codes) {
  double total = 0, sum = 0; // of n log n
  for (int64_t i = 0; i < codes; i++) {
    if (uses[i] == 0) continue;
    total += (double)uses[i];
    sum += (double)uses[i] * log((double)uses[i]);
  }
  return total > 0 ? exp(log(total) - sum / total) : 0;
}

// A frame has some hundreds of codes: looking back for each is as quick as sorting them.
int64_t train_measure_distinct(const int32_t *codes, int64_t n) {
  int64_t distinct = 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t j = 0;
    while (codes[j] != codes[i]) j++;
    distinct += j == i;
  }
  return distinct;
}

double train_measure_slope(const double *y, int64_t n) {
  if (n < 2) return 0;
  double middle = (double)(n - 1) / 2, up = 0, square = 0;
  for (int64_t i = 0; i < n; i++) {
    double x = (double)i - middle;
    up += x * y[i];
    square += x * x;
  }
  return up / square;
}

void train_measure_series_add(double x, double y, train_measure_series *s) {
  const double dx = x - s->x, dy = y - s->y;
  s->n++;
  s->x += dx / s->n;
  s->y += dy / s->n;
  s->xx += dx * (x - s->x);
  s->yy += dy * (y - s->y);
  s->xy += dx * (y - s->y);
}

double train_measure_series_corr(const train_measure_series *s) {
  return s->xx > 0 && s->yy > 0 ? s->xy / sqrt(s->xx * s->yy) : NAN;
}

void train_measure_effect_add(const uint8_t *predicted_a, const uint8_t *predicted_b,
                              const uint8_t *simulated_a, const uint8_t *simulated_b,
                              int64_t pixels, int threshold, train_measure_effect *e) {
  for (int64_t p = 0; p < pixels; p++) {
    bool predicted = false, simulated = false;
    for (int64_t i = 3 * p; i < 3 * p + 3; i++) {
      int x = predicted_a[i] - predicted_b[i], y = simulated_a[i] - simulated_b[i];
      e->x += x;
      e->y += y;
      e->xx += x * x;
      e->yy += y * y;
      e->xy += x * y;
      predicted |= abs(x) > threshold;
      simulated |= abs(y) > threshold;
    }
    e->both += predicted && simulated;
    e->either += predicted || simulated;
  }
  e->n += 3 * pixels;
}

double train_measure_effect_corr(const train_measure_effect *e) {
  if (e->n == 0) return 0;
  double n = (double)e->n, mx = (double)e->x / n, my = (double)e->y / n;
  double vx = (double)e->xx / n - mx * mx, vy = (double)e->yy / n - my * my;
  if (vx <= 0 || vy <= 0) return 0;
  return ((double)e->xy / n - mx * my) / sqrt(vx * vy);
}

double train_measure_effect_iou(const train_measure_effect *e) {
  return e->either ? (double)e->both / (double)e->either : 1;
}

void train_measure_position_add(bool found, double x, double y, double true_x, double true_y,
                                double miss, train_measure_position *p) {
  train_measure_mean_add(&p->error, found ? hypot(x - true_x, y - true_y) : miss);
  p->missed += !found;
}
