// labels: quick
// Resizing: no false patterns, colours kept, areas exact, every size.
#include "tests/data/shards.h"

#include <math.h>

#include "data/pictures/resize.h"

static void resize(const uint8_t *from, int64_t h, int64_t w, uint8_t *to, int64_t oh, int64_t ow) {
  data_resizer *r = NULL;
  assert_int_equal(data_resizer_create(h, w, oh, ow, &r), ORR_OK);
  data_resizer_run(r, from, (size_t)w * 3, to, (size_t)ow * 3);
  data_resizer_destroy(r);
}

// Mean and largest distance from it.
static void spread(const uint8_t *p, int64_t n, double *mean, double *furthest) {
  *mean = *furthest = 0;
  for (int64_t i = 0; i < n; i++) *mean += p[i] / (double)n;
  for (int64_t i = 0; i < n; i++) *furthest = fmax(*furthest, fabs(p[i] - *mean));
}

// Detail finer than an output pixel is a false pattern when it shows: nearest neighbours turn the
// stripes into wide bands, from 0 to 255; measured here: 8 at most, where 9.9 stripes share a
// pixel.
static void test_fine_stripes_become_grey(void **state) {
  enum { H = 480, W = 633 };
  uint8_t *from = malloc(H * W * 3), to[64 * 64 * 3];
  for (int direction = 0; direction < 3; direction++) {
    for (int y = 0; y < H; y++) {
      for (int x = 0; x < W; x++) {
        int at = direction == 0 ? x : direction == 1 ? y : x + y;
        memset(from + 3 * (y * W + x), at % 2 ? 255 : 0, 3);
      }
    }
    double mean, furthest;
    resize(from, H, W, to, 64, 64);
    spread(to, sizeof to, &mean, &furthest);
    assert_true(fabs(mean - 127.5) < 1);
    if (furthest > 9) fail_msg("direction %d: %.1f from grey", direction, furthest);
  }
  free(from);
}

static void test_shrinking_averages_the_area(void **state) {
  enum { H = 6, W = 10, OH = 4, OW = 4 };
  uint8_t from[H * W * 3], to[OH * OW * 3];
  for (int i = 0; i < H * W * 3; i++) from[i] = (uint8_t)(i * 37 % 256);
  resize(from, H, W, to, OH, OW);
  for (int y = 0; y < OH; y++) {
    for (int x = 0; x < OW; x++) {
      for (int c = 0; c < 3; c++) {
        double sum = 0; // 1.5 x 2.5 pixels
        for (int j = 0; j < H; j++) {
          for (int i = 0; i < W; i++) {
            double dy = fmin(j + 1, (y + 1) * 1.5) - fmax(j, y * 1.5);
            double dx = fmin(i + 1, (x + 1) * 2.5) - fmax(i, x * 2.5);
            if (dx > 0 && dy > 0) sum += dx * dy * from[3 * (j * W + i) + c];
          }
        }
        // rounding to bytes, and weights of 14 bits: measured 0.505
        assert_true(fabs(to[3 * (y * OW + x) + c] - sum / 3.75) < 0.52);
      }
    }
  }
}

static void test_one_colour_stays_and_equal_size_copies(void **state) {
  uint8_t from[23 * 17 * 3], to[64 * 64 * 3];
  for (int v = 0; v < 256; v += 51) {
    memset(from, v, sizeof from);
    for (int64_t side = 1; side <= 64; side += 9) {
      resize(from, 23, 17, to, side, 65 - side);
      for (int64_t i = 0; i < side * (65 - side) * 3; i++) assert_int_equal(to[i], v);
    }
  }
  for (size_t i = 0; i < sizeof from; i++) from[i] = (uint8_t)(i * 89 % 256);
  resize(from, 23, 17, to, 23, 17);
  assert_memory_equal(from, to, sizeof from);
}

// A ramp stays one, without a jump of phase: pixels' centres keep their places.
static void test_ramps_keep_their_place(void **state) {
  uint8_t from[32 * 3], to[128 * 3];
  for (int x = 0; x < 32; x++) memset(from + 3 * x, 8 * x, 3);
  for (int64_t out = 8; out <= 128; out *= 2) {
    resize(from, 1, 32, to, 1, out);
    for (int64_t x = 0; x < out; x++) {
      double wanted = 8 * (((double)x + 0.5) * 32 / (double)out - 0.5);
      wanted = fmin(fmax(wanted, 0), 248);
      assert_true(fabs(to[3 * x] - wanted) <= 0.51); // rounding to bytes
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fine_stripes_become_grey),
      cmocka_unit_test(test_shrinking_averages_the_area),
      cmocka_unit_test(test_one_colour_stays_and_equal_size_copies),
      cmocka_unit_test(test_ramps_keep_their_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
