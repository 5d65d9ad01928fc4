// Separable: first along the rows, then along the columns. Weights are integers that sum to WEIGHT
// exactly, so a picture of one colour keeps it.
#include "data/pictures/resize.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

#define WEIGHT_BITS 14
#define WEIGHT      (1 << WEIGHT_BITS)
#define MIDDLE_BITS 6 // of fraction, between the passes

// Output pixel i is the sum of weights[starts[i] - ...] times the input pixels firsts[i], ...
typedef struct {
  int64_t n;
  int64_t *firsts;  // [n]: first input pixel
  int64_t *starts;  // [n + 1]: where its weights begin
  int32_t *weights; // [starts[n]]
} axis;

struct data_resizer {
  int64_t height, width, out_height, out_width;
  axis x, y;
  uint16_t *middle; // [height,out_width,3], in units of 2^-MIDDLE_BITS
};

// Weight that input pixel j has in output pixel i, not normed. scale: input pixels an output pixel.
static double weigh(int64_t i, int64_t j, double scale) {
  if (scale >= 1) { // the overlap of [j,j+1) with what output pixel i covers
    double low = fmax((double)i * scale, (double)j);
    double high = fmin((double)(i + 1) * scale, (double)(j + 1));
    return fmax(high - low, 0);
  }
  double centre = ((double)i + 0.5) * scale - 0.5;
  return fmax(1 - fabs(centre - (double)j), 0);
}

// First and last input pixel that output pixel i may need.
static void reach(int64_t i, double scale, int64_t in, int64_t *first, int64_t *last) {
  double low = (double)i * scale, high = (double)(i + 1) * scale;
  if (scale < 1) low -= 1, high += 1;
  *first = (int64_t)fmax(floor(low), 0);
  *last = (int64_t)fmin(ceil(high), (double)in) - 1;
}

// Integer weights of one output pixel; what rounding leaves goes to the largest.
static void norm(int64_t i, int64_t first, int64_t n, double scale, int32_t *weights) {
  double sum = 0;
  int32_t left = WEIGHT;
  int64_t largest = 0;
  for (int64_t k = 0; k < n; k++) sum += weigh(i, first + k, scale);
  for (int64_t k = 0; k < n; k++) {
    weights[k] = (int32_t)lround(weigh(i, first + k, scale) / sum * WEIGHT);
    left -= weights[k];
    if (weights[k] > weights[largest]) largest = k;
  }
  weights[largest] += left;
}

static void axis_release(axis *a) {
  orr_free(a->weights);
  orr_free(a->starts);
  orr_free(a->firsts);
}

static orr_code axis_setup(axis *a, int64_t in, int64_t out) {
  double scale = (double)in / (double)out;
  size_t most = (size_t)ceil(scale) + 4; // weights of one output pixel
  a->n = out;
  a->firsts = orr_malloc((size_t)out * sizeof *a->firsts);
  a->starts = orr_malloc((size_t)(out + 1) * sizeof *a->starts);
  a->weights = orr_malloc((size_t)out * most * sizeof *a->weights);
  ORR_CHECK(a->firsts && a->starts && a->weights, ORR_ENOMEM,
            "out of memory: cannot resize from %" PRId64 " to %" PRId64 " pixels", in, out);
  a->starts[0] = 0;
  for (int64_t i = 0; i < out; i++) {
    int64_t last;
    reach(i, scale, in, &a->firsts[i], &last);
    norm(i, a->firsts[i], last - a->firsts[i] + 1, scale, a->weights + a->starts[i]);
    a->starts[i + 1] = a->starts[i] + last - a->firsts[i] + 1;
  }
  return ORR_OK;
}

orr_code data_resizer_create(int64_t height, int64_t width, int64_t out_height, int64_t out_width,
                             data_resizer **out) {
  orr_code rc = ORR_OK;
  data_resizer *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "out of memory: cannot resize pictures");
  r->height = height;
  r->width = width;
  r->out_height = out_height;
  r->out_width = out_width;
  ORR_TRY_GOTO(axis_setup(&r->x, width, out_width), fail);
  ORR_TRY_GOTO(axis_setup(&r->y, height, out_height), fail);
  r->middle = orr_malloc((size_t)(height * out_width * 3) * sizeof *r->middle);
  ORR_CHECK_GOTO(r->middle, fail, ORR_ENOMEM,
                 "out of memory: cannot resize pictures of %" PRId64 " x %" PRId64, height, width);
  *out = r;
  return ORR_OK;
fail:
  data_resizer_destroy(r);
  return rc;
}

void data_resizer_destroy(data_resizer *r) {
  if (!r) return;
  orr_free(r->middle);
  axis_release(&r->y);
  axis_release(&r->x);
  orr_free(r);
}

static void resize_row(const axis *a, const uint8_t *from, uint16_t *to) {
  const int32_t round = 1 << (WEIGHT_BITS - MIDDLE_BITS - 1);
  for (int64_t i = 0; i < a->n; i++) {
    const int32_t *w = a->weights + a->starts[i];
    const uint8_t *p = from + 3 * a->firsts[i];
    int64_t taps = a->starts[i + 1] - a->starts[i];
    int32_t red = round, green = round, blue = round;
    for (int64_t k = 0; k < taps; k++, p += 3) {
      red += w[k] * p[0];
      green += w[k] * p[1];
      blue += w[k] * p[2];
    }
    to[3 * i] = (uint16_t)(red >> (WEIGHT_BITS - MIDDLE_BITS));
    to[3 * i + 1] = (uint16_t)(green >> (WEIGHT_BITS - MIDDLE_BITS));
    to[3 * i + 2] = (uint16_t)(blue >> (WEIGHT_BITS - MIDDLE_BITS));
  }
}

static void resize_column(const data_resizer *r, int64_t i, uint8_t *to) {
  const axis *a = &r->y;
  const int64_t row = r->out_width * 3, taps = a->starts[i + 1] - a->starts[i];
  const int32_t *w = a->weights + a->starts[i];
  const uint16_t *p = r->middle + a->firsts[i] * row;
  for (int64_t x = 0; x < row; x++) {
    int32_t sum = 1 << (WEIGHT_BITS + MIDDLE_BITS - 1);
    for (int64_t k = 0; k < taps; k++) sum += w[k] * p[k * row + x];
    to[x] = (uint8_t)(sum >> (WEIGHT_BITS + MIDDLE_BITS));
  }
}

void data_resizer_run(data_resizer *r, const uint8_t *rgb, size_t row_bytes, uint8_t *out,
                      size_t out_row_bytes) {
  if (r->height == r->out_height && r->width == r->out_width) {
    for (int64_t y = 0; y < r->height; y++)
      memcpy(out + (size_t)y * out_row_bytes, rgb + (size_t)y * row_bytes, (size_t)r->width * 3);
    return;
  }
  for (int64_t y = 0; y < r->height; y++)
    resize_row(&r->x, rgb + (size_t)y * row_bytes, r->middle + y * r->out_width * 3);
  for (int64_t y = 0; y < r->out_height; y++) resize_column(r, y, out + (size_t)y * out_row_bytes);
}
