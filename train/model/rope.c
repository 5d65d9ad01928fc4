#include "train/model/rope.h"

#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "train/model/constants.h"

static orr_code rope_take(train_rope *r, int64_t positions, int64_t half) {
  *r = (train_rope){.positions = positions, .half = half};
  r->host = orr_malloc(2 * (size_t)(positions * half) * sizeof *r->host);
  ORR_CHECK(r->host, ORR_ENOMEM, "rotary table of %" PRId64 " x %" PRId64 ": out of memory",
            positions, half);
  return ORR_OK;
}

void train_rope_release(train_rope *r) {
  orr_free(r->host);
  *r = (train_rope){0};
}

orr_code train_rope_place(train_rope *r, kern *k, orr_arena *arena) {
  const int64_t n = r->positions * r->half;
  const size_t bytes = (size_t)n * sizeof *r->host;
  ORR_TRY(train_constants_place(k, arena, r->host, bytes, (void **)&r->cos_));
  return train_constants_place(k, arena, r->host + n, bytes, (void **)&r->sin_);
}

// The tables while they are worked out.
static float *cosines(const train_rope *r) {
  return r->host;
}
static float *sines(const train_rope *r) {
  return r->host + r->positions * r->half;
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
    train_rope_time_row((double)(first + t), K, cosines(r) + t * (K / 2), sines(r) + t * (K / 2));
  return ORR_OK;
}

orr_code train_rope_space(train_rope *r, int64_t before, int64_t rows, int64_t cols, int64_t after,
                          int64_t K, const data_views *views) {
  const int64_t half = K / 2, quarter = K / 4, n = before + rows * cols + after;
  ORR_TRY(rope_take(r, n, half));
  for (int64_t i = 0; i < n; i++) {
    int64_t s = i - before;
    bool turned = s >= 0 && s < rows * cols;
    const train_view_place p = train_views_place(views, cols, turned ? s : 0);
    for (int64_t j = 0; j < half; j++) {
      double at = turned ? (double)(j < quarter ? p.row : p.col) : 0.0;
      double angle = at * pow(TRAIN_ROPE_SPACE_BASE, -(double)(j % quarter) / (double)quarter);
      cosines(r)[i * half + j] = (float)cos(angle);
      sines(r)[i * half + j] = (float)sin(angle);
    }
  }
  return ORR_OK;
}
