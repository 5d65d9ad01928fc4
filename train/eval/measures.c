// See the header. Per-byte sums are integers: exact, and equal in any order.
#include "train/eval/measures.h"

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

static void add(train_measure_mean *m, double value) {
  m->sum += value;
  m->count++;
}

void train_measure_psnr_add(const uint8_t *real, const uint8_t *predicted, int64_t clips,
                            int64_t horizon, int64_t values, train_measure_mean *mean) {
  for (int64_t b = 0; b < clips; b++)
    for (int64_t k = 0; k < horizon; k++) {
      int64_t at = (b * horizon + k) * values;
      add(&mean[k], train_measure_psnr(train_measure_mse(real + at, predicted + at, values)));
    }
}

void train_measure_persistence_add(const uint8_t *real, const uint8_t *still, int64_t clips,
                                   int64_t horizon, int64_t values, train_measure_mean *mean) {
  for (int64_t b = 0; b < clips; b++)
    for (int64_t k = 0; k < horizon; k++) {
      const uint8_t *frame = real + (b * horizon + k) * values;
      add(&mean[k], train_measure_psnr(train_measure_mse(frame, still + b * values, values)));
    }
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
  add(&p->error, found ? hypot(x - true_x, y - true_y) : miss);
  p->missed += !found;
}
