// labels: quick
// Structural similarity: the value that scikit-image has, cases known by hand, and windows summed
// in the plainest way.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "tests/base/assert.h"
#include "train/eval/ssim.h"

enum { H = 20, W = 27 };
static const double C1 = 2.55 * 2.55, C2 = 7.65 * 7.65;

static double ssim(const uint8_t *a, const uint8_t *b, int64_t height, int64_t width) {
  train_ssim *s = NULL;
  assert_ok(train_ssim_create(height, width, &s));
  const double v = train_ssim_of(s, a, b);
  assert_true(train_ssim_of(s, a, b) == v); // nothing stays from the call before
  train_ssim_destroy(s);
  return v;
}

static void patterns(uint8_t a[H][W][3], uint8_t b[H][W][3]) {
  for (int y = 0; y < H; y++)
    for (int x = 0; x < W; x++)
      for (int c = 0; c < 3; c++) {
        const int v = (7 * y + 13 * x + 31 * c + 3 * x * y) % 251;
        a[y][x][c] = (uint8_t)v;
        b[y][x][c] = (uint8_t)(v / 2 + x * 5 % 40);
      }
}

static void test_it_has_the_value_of_scikit_image(void **state) {
  uint8_t a[H][W][3], b[H][W][3];
  patterns(a, b);
  // structural_similarity of skimage 0.26.0, with Gaussian weights of sigma 1.5, a range of 255 and
  // population covariance, over channels; float64 there too
  assert_true(fabs(ssim(a[0][0], b[0][0], H, W) - 0.7170132955278561) < 1e-12);
}

static void test_equal_frames_have_1_and_order_does_not_matter(void **state) {
  uint8_t a[H][W][3], b[H][W][3];
  patterns(a, b);
  assert_true(fabs(ssim(a[0][0], a[0][0], H, W) - 1) < 1e-12);
  assert_true(fabs(ssim(a[0][0], b[0][0], H, W) - ssim(b[0][0], a[0][0], H, W)) < 1e-12);
}

static void test_plain_frames_differ_in_brightness_alone(void **state) {
  uint8_t a[H][W][3], b[H][W][3];
  memset(a, 100, sizeof a);
  memset(b, 150, sizeof b);
  const double known = (2.0 * 100 * 150 + C1) / (100.0 * 100 + 150.0 * 150 + C1);
  assert_true(fabs(ssim(a[0][0], b[0][0], H, W) - known) < 1e-9); // E[x^2] - E[x]^2 of 22500: 1e-11
}

// One window, summed as the equation says, in every channel.
static double by_hand(const uint8_t *a, const uint8_t *b, int n) {
  double total = 0, sum = 0;
  for (int c = 0; c < 3; c++) {
    double w = 0, mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int pass = 0; pass < 2; pass++)
      for (int i = 0; i < n * n; i++) {
        const double dy = i / n - n / 2, dx = i % n - n / 2;
        const double g = exp(-(dx * dx + dy * dy) / (2 * 1.5 * 1.5)), x = a[3 * i + c],
                     y = b[3 * i + c];
        if (pass == 0) {
          w += g, mx += g * x, my += g * y;
          continue;
        }
        xx += g * (x - mx / w) * (x - mx / w);
        yy += g * (y - my / w) * (y - my / w);
        xy += g * (x - mx / w) * (y - my / w);
      }
    total = w, mx /= w, my /= w;
    sum += (2 * mx * my + C1) * (2 * xy / total + C2) /
           ((mx * mx + my * my + C1) * (xx / total + yy / total + C2));
  }
  return sum / 3;
}

static void test_a_frame_of_one_window_and_smaller_ones(void **state) {
  uint8_t a[11 * 11 * 3], b[11 * 11 * 3];
  for (int n = 11; n >= 1; n -= 2) {
    for (int i = 0; i < n * n * 3; i++) {
      a[i] = (uint8_t)(i * 37 % 256);
      b[i] = (uint8_t)(i * 41 % 199);
    }
    assert_true(fabs(ssim(a, b, n, n) - by_hand(a, b, n)) < 1e-9);
  }
  assert_true(isfinite(ssim(a, b, 4, 9)) && isfinite(ssim(a, b, 9, 4)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_it_has_the_value_of_scikit_image),
      cmocka_unit_test(test_equal_frames_have_1_and_order_does_not_matter),
      cmocka_unit_test(test_plain_frames_differ_in_brightness_alone),
      cmocka_unit_test(test_a_frame_of_one_window_and_smaller_ones),
  };
  return cmocka_run_group_tests_name("train/eval/ssim", tests, NULL, NULL);
}
