// See the header. The Gaussian is separable: five maps (x, y, xx, yy, xy) are filtered along rows,
// then along columns.
#include "train/eval/ssim.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

enum { SIDE = 11, MAPS = 5 };
static const double SIGMA = 1.5, C1 = (0.01 * 255) * (0.01 * 255), C2 = (0.03 * 255) * (0.03 * 255);

struct train_ssim {
  int64_t height, width;
  int64_t n, out; // side of the window; windows along a row
  double weight[SIDE];
  double *line[MAPS]; // [width] one row of a channel
  double *rows[MAPS]; // [height,out] filtered along rows
  double *sum[MAPS];  // [out] filtered along columns too
  double *room;
};

orr_code train_ssim_create(int64_t height, int64_t width, train_ssim **out) {
  const int64_t shorter = height < width ? height : width;
  train_ssim *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "structural similarity: out of memory");
  s->height = height;
  s->width = width;
  s->n = shorter < SIDE ? shorter - (shorter + 1) % 2 : SIDE;
  s->out = width - s->n + 1;
  double total = 0;
  for (int64_t i = 0; i < s->n; i++) {
    const double off = (double)(i - s->n / 2) / SIGMA;
    total += s->weight[i] = exp(-off * off / 2);
  }
  for (int64_t i = 0; i < s->n; i++) s->weight[i] /= total;
  const int64_t each = width + (height + 1) * s->out;
  s->room = orr_malloc((size_t)(MAPS * each) * sizeof *s->room);
  if (!s->room) {
    train_ssim_destroy(s);
    return ORR_FAIL(ORR_ENOMEM,
                    "structural similarity of frames of %" PRId64 " x %" PRId64 ": out of memory",
                    height, width);
  }
  for (int m = 0; m < MAPS; m++) {
    s->line[m] = s->room + m * each;
    s->sum[m] = s->line[m] + width;
    s->rows[m] = s->sum[m] + s->out;
  }
  *out = s;
  return ORR_OK;
}

void train_ssim_destroy(train_ssim *s) {
  if (!s) return;
  orr_free(s->room);
  orr_free(s);
}

// The five maps of a row of one channel.
static void fill_line(train_ssim *s, const uint8_t *a, const uint8_t *b) {
  for (int64_t i = 0; i < s->width; i++) {
    const double x = a[3 * i], y = b[3 * i];
    s->line[0][i] = x;
    s->line[1][i] = y;
    s->line[2][i] = x * x;
    s->line[3][i] = y * y;
    s->line[4][i] = x * y;
  }
}

// to [n] = sum over k of weight[k] * from[i + k*apart]
static void filter(const train_ssim *s, const double *restrict from, int64_t apart, int64_t n,
                   double *restrict to) {
  memset(to, 0, (size_t)n * sizeof *to);
  for (int64_t k = 0; k < s->n; k++) {
    const double w = s->weight[k];
    const double *restrict at = from + k * apart;
    for (int64_t i = 0; i < n; i++) to[i] += w * at[i];
  }
}

// The sum over the windows whose first row is y.
static double sum_row(train_ssim *s, int64_t y) {
  double sum = 0;
  for (int m = 0; m < MAPS; m++) filter(s, s->rows[m] + y * s->out, s->out, s->out, s->sum[m]);
  for (int64_t i = 0; i < s->out; i++) {
    const double mx = s->sum[0][i], my = s->sum[1][i];
    const double xx = s->sum[2][i] - mx * mx, yy = s->sum[3][i] - my * my,
                 xy = s->sum[4][i] - mx * my;
    sum += (2 * mx * my + C1) * (2 * xy + C2) / ((mx * mx + my * my + C1) * (xx + yy + C2));
  }
  return sum;
}

double train_ssim_of(train_ssim *s, const uint8_t *a, const uint8_t *b) {
  const int64_t windows = (s->height - s->n + 1) * s->out;
  double sum = 0;
  for (int channel = 0; channel < 3; channel++) {
    for (int64_t y = 0; y < s->height; y++) {
      const int64_t at = y * s->width * 3 + channel;
      fill_line(s, a + at, b + at);
      for (int m = 0; m < MAPS; m++) filter(s, s->line[m], 1, s->out, s->rows[m] + y * s->out);
    }
    for (int64_t y = 0; y + s->n <= s->height; y++) sum += sum_row(s, y);
  }
  return sum / (3.0 * (double)windows);
}
