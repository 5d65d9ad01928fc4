// labels: quick
// Philox4x32-10 against Random123's published vectors, and the distributions made of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/rng.h"

#define DRAWS 100000

static void assert_draw(orr_u32x4 r, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  assert_int_equal(r.v[0], a);
  assert_int_equal(r.v[1], b);
  assert_int_equal(r.v[2], c);
  assert_int_equal(r.v[3], d);
}

// kat_vectors of Random123: counter words, key words, result.
static void test_draws_equal_the_published_vectors(void **state) {
  assert_draw(orr_rng_draw(0, 0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  assert_draw(orr_rng_draw(0xffffffff, 0xffffffff, UINT64_MAX, UINT64_MAX), 0x408f276d, 0x41c83b0e,
              0xa20bc7c6, 0x6d5451fd);
  assert_draw(orr_rng_draw(0xa4093822, 0x299f31d0, 0x85a308d3243f6a88, 0x0370734413198a2e),
              0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
}

static void test_seed_stream_sample_and_position_each_change_the_draw(void **state) {
  uint32_t base = orr_rng_draw(1, 2, 3, 4).v[0];
  assert_int_not_equal(base, orr_rng_draw(2, 2, 3, 4).v[0]);
  assert_int_not_equal(base, orr_rng_draw(1, 3, 3, 4).v[0]);
  assert_int_not_equal(base, orr_rng_draw(1, 2, 4, 4).v[0]);
  assert_int_not_equal(base, orr_rng_draw(1, 2, 3, 5).v[0]);
  assert_int_not_equal(base, orr_rng_draw(1 + (UINT64_C(1) << 32), 2, 3, 4).v[0]);
  assert_int_not_equal(base, orr_rng_draw(1, 2, 3 + (UINT64_C(1) << 32), 4).v[0]);
  assert_int_not_equal(base, orr_rng_draw(1, 2, 3, 4 + (UINT64_C(1) << 32)).v[0]);
}

// Standard errors of mean and variance over 1e5 draws; the draws are fixed, so the test is too.
static void test_normal_has_mean_0_and_variance_1(void **state) {
  double sum = 0, squares = 0;
  for (uint64_t i = 0; i < DRAWS; i++) {
    double x = orr_rng_normal(1, ORR_STREAM_TEST, 0, i);
    assert_true(isfinite(x));
    sum += x;
    squares += x * x;
  }
  assert_true(fabs(sum / DRAWS) < 4 * 0.0032);         // 4 standard errors, 1/sqrt(n)
  assert_true(fabs(squares / DRAWS - 1) < 4 * 0.0045); // sqrt(2/n)
}

static void test_uniform_fills_its_ten_bins_evenly_and_stays_below_one(void **state) {
  int bins[10] = {0};
  for (uint64_t i = 0; i < DRAWS; i++) {
    double u = orr_rng_uniform(2, ORR_STREAM_TEST, i, 0);
    assert_true(u >= 0 && u < 1);
    bins[(int)(u * 10)]++;
  }
  for (int b = 0; b < 10; b++) {
    assert_in_range(bins[b], DRAWS / 10 - 400, DRAWS / 10 + 400); // 4 standard errors of 95
  }
}

static void test_below_reaches_every_number_and_none_beyond(void **state) {
  int seen[7] = {0};
  for (uint64_t i = 0; i < 7000; i++) {
    uint64_t v = orr_rng_below(3, ORR_STREAM_TEST, 0, i, 7);
    assert_in_range(v, 0, 6);
    seen[v]++;
  }
  for (int v = 0; v < 7; v++) assert_in_range(seen[v], 880, 1120); // 4 standard errors of 29
  assert_int_equal(orr_rng_below(3, ORR_STREAM_TEST, 0, 0, 1), 0);
  for (uint64_t i = 0; i < 100; i++) { // a large n uses all 64 bits
    assert_true(orr_rng_below(3, ORR_STREAM_TEST, 1, i, UINT64_MAX) < UINT64_MAX);
  }
}

static void test_unit_maps_the_ends_into_the_half_open_interval(void **state) {
  assert_true(orr_u32_to_unit(0) == 0.0);
  assert_true(orr_u32_to_unit(UINT32_MAX) < 1.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_draws_equal_the_published_vectors),
      cmocka_unit_test(test_seed_stream_sample_and_position_each_change_the_draw),
      cmocka_unit_test(test_normal_has_mean_0_and_variance_1),
      cmocka_unit_test(test_uniform_fills_its_ten_bins_evenly_and_stays_below_one),
      cmocka_unit_test(test_below_reaches_every_number_and_none_beyond),
      cmocka_unit_test(test_unit_maps_the_ends_into_the_half_open_interval),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
