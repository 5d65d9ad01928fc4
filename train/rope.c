#include "train/rope.h"

#include <math.h>

#include "base/mem.h"

static orr_code rope_take(train_rope *r, int64_t positions, int64_t half) {
  size_t n = (size_t)(positions * half);
  r->cos_ = orr_malloc_aligned(2 * n * sizeof(float), 64);
  ORR_CHECK(r->cos_, ORR_ENOMEM, "rotary table of %lld x %lld: out of memory", (long long)positions,
            (long long)half);
  r->sin_ = r->cos_ + n;
  r->positions = positions;
  r->half = half;
  return ORR_OK;
}

void train_rope_release(train_rope *r) {
  orr_free(r->cos_);
  *r = (train_rope){0};
}

void train_rope_time_row(double t, int64_t K, float *cos_, float *sin_) {
  for (int64_t j = 0; j < K / 2; j++) {
    double angle = t * pow(TRAIN_ROPE_TIME_BASE, -(double)j / (double)(K / 2));
    cos_[j] = (float)cos(angle);
    sin_[j] = (float)sin(angle);
  }
}

orr_code train_rope_time(train_rope *r, int64_t first, int64_t T, int64_t K) {
  ORR_TRY(rope_take(r, T, K / 2));
  for (int64_t t = 0; t < T; t++)
    train_rope_time_row((double)(first + t), K, r->cos_ + t * (K / 2), r->sin_ + t * (K / 2));
  return ORR_OK;
}

orr_code train_rope_space(train_rope *r, int64_t before, int64_t rows, int64_t cols, int64_t after,
                          int64_t K) {
  const int64_t half = K / 2, quarter = K / 4, n = before + rows * cols + after;
  ORR_TRY(rope_take(r, n, half));
  for (int64_t i = 0; i < n; i++) {
    int64_t s = i - before;
    bool turned = s >= 0 && s < rows * cols;
    for (int64_t j = 0; j < half; j++) {
      double at = turned ? (double)(j < quarter ? s / cols : s % cols) : 0.0;
      double angle = at * pow(TRAIN_ROPE_SPACE_BASE, -(double)(j % quarter) / (double)quarter);
      r->cos_[i * half + j] = (float)cos(angle);
      r->sin_[i * half + j] = (float)sin(angle);
    }
  }
  return ORR_OK;
}
