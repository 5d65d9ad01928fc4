// labels: quick
// The measures of an evaluation on frames whose answers are known beforehand.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "data/sim/tabletop.h"
#include "train/eval/arithmetic.h"
#include "train/eval/measure.h"

enum { PIXELS = 400, VALUES = 3 * PIXELS };

// Doubles of a few operations each: 1e-12 is far above their rounding, far below any mistake.
#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-12)

static void test_psnr_of_a_constant_offset_is_20_log10(void **state) {
  uint8_t a[VALUES], b[VALUES];
  memset(a, 100, sizeof a);
  memset(b, 151, sizeof b); // 51 / 255 = 0.2
  NEAR(train_measure_mse(a, b, VALUES), 0.04);
  NEAR(train_measure_psnr(train_measure_mse(a, b, VALUES)), -20 * log10(0.2));
  NEAR(train_measure_psnr(train_measure_mse(b, a, VALUES)), -20 * log10(0.2));
}

static void test_psnr_of_equal_frames_is_the_rounding_of_u8(void **state) {
  uint8_t a[VALUES];
  memset(a, 9, sizeof a);
  NEAR(train_measure_psnr(train_measure_mse(a, a, VALUES)), TRAIN_MEASURE_PSNR_MOST);
  double rounding = 1.0 / 12 / 255 / 255;
  assert_true(fabs(-10 * log10(rounding) - TRAIN_MEASURE_PSNR_MOST) < 0.05); // one digit was kept
  // One step of one byte in a small frame is above the rounding, in a large one below.
  assert_true(train_measure_psnr(1.0 / 3 / 255 / 255) < TRAIN_MEASURE_PSNR_MOST);
  NEAR(train_measure_psnr(1.0 / 30000 / 255 / 255), TRAIN_MEASURE_PSNR_MOST);
}

static void test_psnr_at_a_horizon_is_the_mean_over_clips(void **state) {
  enum { CLIPS = 2, HORIZON = 3 };
  uint8_t real[CLIPS][HORIZON][VALUES], predicted[CLIPS][HORIZON][VALUES];
  memset(real, 0, sizeof real);
  for (int b = 0; b < CLIPS; b++)
    for (int k = 0; k < HORIZON; k++) memset(predicted[b][k], (b + 1) * (k + 1), VALUES);
  train_measure_mean mean[HORIZON] = {0};
  train_measure_psnr_add(real[0][0], predicted[0][0], CLIPS, HORIZON, VALUES, mean);
  for (int k = 0; k < HORIZON; k++) {
    double off = k + 1;
    NEAR(train_measure_mean_of(&mean[k]), (-20 * log10(off / 255) - 20 * log10(2 * off / 255)) / 2);
    assert_int_equal(mean[k].count, CLIPS);
  }
  NEAR(train_measure_mean_of(&(train_measure_mean){0}), 0);
}

static void test_detail_adds_up_the_steps_between_neighbours(void **state) {
  uint8_t flat[4][5][3], edge[4][5][3], blurred[4][5][3];
  memset(flat, 80, sizeof flat);
  memcpy(edge, flat, sizeof edge);
  for (int y = 0; y < 4; y++) edge[y][3][1] = 90; // a line of one channel, with two sides
  assert_int_equal(train_measure_detail(flat[0][0], 4, 5), 0);
  assert_int_equal(train_measure_detail(edge[0][0], 4, 5), 4 * 2 * 10);
  memcpy(blurred, flat, sizeof blurred);
  for (int y = 0; y < 4; y++) // the same light over three pixels
    for (int x = 2; x < 5; x++) blurred[y][x][1] = 80 + 10 / 3;
  assert_int_equal(train_measure_detail(blurred[0][0], 4, 5), 4 * 3);
  memcpy(edge, flat, sizeof edge);
  memset(edge[2], 75, sizeof edge[2]); // a row of all channels
  assert_int_equal(train_measure_detail(edge[0][0], 4, 5), 2 * 15 * 5);
}

static void test_perplexity_is_how_many_codes_used_alike_tell_as_much(void **state) {
  const int64_t even[5] = {7, 0, 7, 7, 0}, one[2] = {0, 9}, none[3] = {0}, halves[3] = {2, 1, 1};
  NEAR(train_measure_perplexity(even, 5), 3);
  NEAR(train_measure_perplexity(one, 2), 1);
  NEAR(train_measure_perplexity(none, 3), 0);
  NEAR(train_measure_perplexity(halves, 3), exp2(1.5)); // entropy of 1/2, 1/4, 1/4: 1.5 bits
  assert_int_equal(train_measure_codes_used(even, 5), 3);
  assert_int_equal(train_measure_codes_used(none, 3), 0);
}

static void test_distinct_counts_every_code_once(void **state) {
  const int32_t codes[] = {7, 3, 7, 7, 0, 3, 9};
  assert_int_equal(train_measure_distinct(codes, 7), 4);
  assert_int_equal(train_measure_distinct(codes, 1), 1);
  assert_int_equal(train_measure_distinct(codes, 0), 0);
}

static void test_slope_of_a_line_is_its_slope(void **state) {
  double y[12];
  for (int i = 0; i < 12; i++) y[i] = 31 - 0.25 * i;
  NEAR(train_measure_slope(y, 12), -0.25);
  y[0] += 1; // of an outlier: its distance from the middle over the sum of squared distances
  NEAR(train_measure_slope(y, 12), -0.25 - 5.5 / 143);
  NEAR(train_measure_slope(y, 1), 0);
}

static void noise(uint8_t *out, int64_t n, uint64_t sample) {
  for (int64_t i = 0; i < n; i++)
    out[i] = (uint8_t)orr_rng_below(3, ORR_STREAM_TEST, sample, (uint64_t)i, 100);
}

static void test_effect_corr_follows_the_difference_alone(void **state) {
  uint8_t a[VALUES], b[VALUES], pa[VALUES], pb[VALUES];
  noise(a, VALUES, 1);
  noise(b, VALUES, 2);
  for (int i = 0; i < VALUES; i++) { // half the effect, over another background
    pa[i] = (uint8_t)(60 + (a[i] / 2) + 40);
    pb[i] = (uint8_t)(60 + (a[i] / 2) + 40 - (a[i] - b[i]) / 2);
  }
  train_measure_effect same = {0}, half = {0}, swapped = {0}, none = {0}, other = {0};
  train_measure_effect_add(a, b, a, b, PIXELS, 10, &same);
  train_measure_effect_add(pa, pb, a, b, PIXELS, 10, &half);
  train_measure_effect_add(b, a, a, b, PIXELS, 10, &swapped);
  train_measure_effect_add(a, a, a, b, PIXELS, 10, &none);
  NEAR(train_measure_effect_corr(&same), 1);
  // Halves are cut to whole numbers: an error of 0.25 steps rms in differences of 20.
  assert_true(train_measure_effect_corr(&half) > 1 - 4e-4); // measured 1 - 1.0e-4
  NEAR(train_measure_effect_corr(&swapped), -1);
  NEAR(train_measure_effect_corr(&none), 0);
  NEAR(train_measure_effect_corr(&(train_measure_effect){0}), 0);
  noise(pa, VALUES, 3);
  noise(pb, VALUES, 4);
  train_measure_effect_add(pa, pb, a, b, PIXELS, 10, &other);
  assert_true(fabs(train_measure_effect_corr(&other)) < 4 / sqrt(VALUES)); // 4 sigma of chance
}

static void test_effect_corr_matches_a_sum_by_hand(void **state) {
  const uint8_t pa[6] = {10, 20, 30, 5, 5, 5}, pb[6] = {0, 0, 0, 5, 6, 7};
  const uint8_t sa[6] = {7, 0, 30, 9, 9, 9}, sb[6] = {0, 2, 0, 9, 9, 0};
  double x[6], y[6], mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
  for (int i = 0; i < 6; i++) {
    mx += (x[i] = pa[i] - pb[i]) / 6;
    my += (y[i] = sa[i] - sb[i]) / 6;
  }
  for (int i = 0; i < 6; i++) {
    xx += (x[i] - mx) * (x[i] - mx);
    yy += (y[i] - my) * (y[i] - my);
    xy += (x[i] - mx) * (y[i] - my);
  }
  train_measure_effect whole = {0}, parts = {0};
  train_measure_effect_add(pa, pb, sa, sb, 2, 8, &whole);
  NEAR(train_measure_effect_corr(&whole), xy / sqrt(xx * yy));
  train_measure_effect_add(pa + 3, pb + 3, sa + 3, sb + 3, 1, 8, &parts);
  train_measure_effect_add(pa, pb, sa, sb, 1, 8, &parts);
  assert_memory_equal(&whole, &parts, sizeof whole);
  NEAR(train_measure_effect_iou(&whole), 0.5); // pixel 0 in both, pixel 1 (9 > 8) in one
}

static void test_changed_iou_counts_pixels_not_channels(void **state) {
  uint8_t base[PIXELS][3], real[PIXELS][3], predicted[PIXELS][3];
  memset(base, 50, sizeof base);
  memcpy(real, base, sizeof base);
  memcpy(predicted, base, sizeof base);
  for (int p = 100; p < 200; p++) real[p][p % 3] = 90;         // one channel is enough
  for (int p = 150; p < 250; p++) memset(predicted[p], 10, 3); // either direction
  for (int p = 300; p < 400; p++) predicted[p][0] = 50 + 20;   // the threshold itself is no change
  train_measure_effect e = {0};
  train_measure_effect_add(predicted[0], base[0], real[0], base[0], PIXELS, 20, &e);
  assert_int_equal(e.both, 50);
  assert_int_equal(e.either, 150);
  NEAR(train_measure_effect_iou(&e), 1.0 / 3);
  NEAR(train_measure_effect_iou(&(train_measure_effect){0}), 1);
}

static void test_position_error_charges_lost_objects(void **state) {
  train_measure_position p = {0};
  train_measure_position_add(true, 0.3, 0.4, 0, 0, 1, &p);
  train_measure_position_add(true, -0.5, 0.2, -0.5, 0.2, 1, &p);
  NEAR(train_measure_mean_of(&p.error), 0.25);
  train_measure_position_add(false, NAN, NAN, 0, 0, 1, &p);
  NEAR(train_measure_mean_of(&p.error), 0.5);
  assert_int_equal(p.missed, 1);
}

enum { SIDE = 64, FRAME = SIDE * SIDE * 3 };

// A grey table on which the first `shown` objects are squares of their colours.
static void draw(uint8_t *rgb, int shown) {
#define COLOUR(name, r, g, b, ...) {r, g, b},
  static const uint8_t colours[][3] = {DATA_TABLETOP_OBJECT_ROWS(COLOUR)};
  memset(rgb, 128, FRAME);
  for (int o = 0; o < shown; o++)
    for (int y = 8; y < 16; y++)
      for (int x = 0; x < 8; x++) memcpy(rgb + 3 * (y * SIDE + 12 * o + x), colours[o], 3);
}

static void test_objects_are_kept_where_as_many_are_found_as_there_were(void **state) {
  enum { CLIPS = 4 };
  static uint8_t frames[CLIPS * 2 * FRAME], predicted[CLIPS * FRAME];
  static float places[CLIPS * 2 * DATA_TABLETOP_STATE];
  static const int real[CLIPS] = {4, 4, 3, 4}, told[CLIPS] = {4, 3, 3, 0};
  for (int i = 0; i < CLIPS; i++) {
    draw(frames + (i * 2 + 1) * FRAME, real[i]);
    draw(predicted + i * FRAME, told[i]);
  }
  train_eval_set s = {.E = CLIPS,
                      .T = 2,
                      .prompt = 1,
                      .Q = DATA_TABLETOP_STATE,
                      .height = SIDE,
                      .width = SIDE,
                      .frames = frames,
                      .state = places};
  const train_films f = {.set = &s, .horizon = 1, .bytes = FRAME, .predicted = predicted};
  json_t *out = json_object();
  assert_int_equal(train_measure_objects.take(&f, out), ORR_OK);
  NEAR(json_real_value(json_array_get(json_object_get(out, "objects_kept"), 0)), 0.5);
  assert_int_equal(json_integer_value(json_object_get(out, "objects_missed")), 0 + 1 + 1 + 4);
  json_decref(out);
}

// Clips 0 and 2 end far from the truth, which stays as it was given; they surprised most at first,
// clip 3 only later.
static void test_foresight_looks_at_the_first_frames_and_at_the_sixteenth(void **state) {
  enum { CLIPS = 4, H = 16, T = H + 1, BYTES = 12 };
  static uint8_t frames[CLIPS * T * BYTES], predicted[CLIPS * H * BYTES], given[CLIPS * BYTES];
  double nats[CLIPS * H] = {0};
  for (int i = 0; i < CLIPS; i++) {
    frames[(i * T + T - 1) * BYTES] = 10; // what comes; holding the prompt misses it by 10
    predicted[(i * H + H - 1) * BYTES] = i % 2 ? 10 : 90;
    for (int k = 0; k < 4; k++) nats[i * H + k] = i % 2 ? 0.1 : 0.2 + i;
  }
  nats[3 * H + 5] = 100;
  train_eval_set s = {.E = CLIPS, .T = T, .prompt = 1, .height = 2, .width = 2, .frames = frames};
  const train_films f = {.set = &s,
                         .horizon = H,
                         .bytes = BYTES,
                         .predicted = predicted,
                         .given = given,
                         .nats = nats};
  json_t *out = json_object();
  assert_null(train_measure_foresight.lacks(&s));
  assert_int_equal(train_measure_foresight.take(&f, out), ORR_OK);
  NEAR(json_number_value(json_object_get(out, "foresight_auroc")), 1.0);
  NEAR(json_number_value(json_object_get(out, "wrong_at_16")), 0.5);
  s.T = H;
  assert_non_null(train_measure_foresight.lacks(&s));
  json_decref(out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_psnr_of_a_constant_offset_is_20_log10),
      cmocka_unit_test(test_psnr_of_equal_frames_is_the_rounding_of_u8),
      cmocka_unit_test(test_psnr_at_a_horizon_is_the_mean_over_clips),
      cmocka_unit_test(test_detail_adds_up_the_steps_between_neighbours),
      cmocka_unit_test(test_perplexity_is_how_many_codes_used_alike_tell_as_much),
      cmocka_unit_test(test_distinct_counts_every_code_once),
      cmocka_unit_test(test_slope_of_a_line_is_its_slope),
      cmocka_unit_test(test_effect_corr_follows_the_difference_alone),
      cmocka_unit_test(test_effect_corr_matches_a_sum_by_hand),
      cmocka_unit_test(test_changed_iou_counts_pixels_not_channels),
      cmocka_unit_test(test_position_error_charges_lost_objects),
      cmocka_unit_test(test_objects_are_kept_where_as_many_are_found_as_there_were),
      cmocka_unit_test(test_foresight_looks_at_the_first_frames_and_at_the_sixteenth),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
