// labels: quick
// What the guard against bad steps accepts, and that its window survives a checkpoint.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "train/run/guard.h"

static cfg *make_cfg(double z, int64_t window, int64_t rewind_after) {
  cfg *c = NULL;
  assert_int_equal(cfg_create(&c), ORR_OK);
  c->guard.z = z;
  c->guard.window = window;
  c->guard.rewind_after = rewind_after;
  return c;
}

static train_guard make(double z, int64_t window, int64_t rewind_after) {
  train_guard g;
  cfg *c = make_cfg(z, window, rewind_after);
  assert_int_equal(train_guard_init(&g, c), ORR_OK);
  cfg_destroy(c);
  return g;
}

// Loss 2 +- 0.1, norm e^(0 +- 0.5).
static void feed(train_guard *g, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const double side = i % 2 ? 1.0 : -1.0;
    train_guard_note(g, true, i, 2.0 + 0.1 * side, exp(0.5 * side));
  }
}

static void test_limits_are_z_deviations_above_the_mean(void **state) {
  train_guard g = make(4.0, 16, 0);
  feed(&g, 16);
  const train_guard_limits l = train_guard_limits_of(&g);
  assert_true(fabs(l.loss - 2.4) < 1e-12);
  assert_true(fabs(l.norm - exp(2.0)) < 1e-9);
  assert_null(train_guard_reason(&l, 2.39, exp(1.99)));
  assert_string_equal(train_guard_reason(&l, 2.41, 1.0), "the loss is a spike");
  assert_string_equal(train_guard_reason(&l, 2.0, exp(2.01)), "the gradient norm is a spike");
  assert_null(train_guard_reason(&l, -50.0, 1e-9)); // far below is good news
  train_guard_release(&g);
}

static void test_until_the_window_is_full_only_what_is_not_finite_is_bad(void **state) {
  train_guard g = make(4.0, 16, 0);
  feed(&g, 15);
  const train_guard_limits l = train_guard_limits_of(&g);
  assert_null(train_guard_reason(&l, 1e30, 1e30));
  assert_string_equal(train_guard_reason(&l, NAN, 1.0), "the loss is not finite");
  assert_string_equal(train_guard_reason(&l, 1.0, INFINITY), "the gradient norm is not finite");
  train_guard_release(&g);
}

static void test_the_window_forgets_what_is_old(void **state) {
  train_guard g = make(4.0, 16, 0);
  for (int i = 0; i < 16; i++) train_guard_note(&g, true, i, 100.0 + 10.0 * (i % 2), 1.0);
  feed(&g, 16);
  assert_true(fabs(train_guard_limits_of(&g).loss - 2.4) < 1e-12);
  train_guard_release(&g);
}

static void test_skipped_steps_do_not_move_the_limits(void **state) {
  train_guard g = make(4.0, 16, 3);
  feed(&g, 16);
  for (int i = 0; i < 3; i++) {
    assert_false(train_guard_lost(&g));
    train_guard_note(&g, false, 100 + i, 1e9, 1e9);
  }
  assert_true(train_guard_lost(&g));
  assert_true(fabs(train_guard_limits_of(&g).loss - 2.4) < 1e-12);
  train_guard_note(&g, true, 103, 2.0, 1.0);
  assert_false(train_guard_lost(&g));
  train_guard_release(&g);
}

// A window of 32 with loss 2 +- 0.1 and norm e^(0 +- 0.5), and three steps refused.
static train_guard doubting(double loss, double norm) {
  train_guard g = make(4.0, 32, 0);
  int64_t batch;
  train_guard_limits was;
  feed(&g, 32);
  for (int i = 0; i < 3; i++) {
    assert_false(train_guard_doubts(&g, &batch, &was));
    train_guard_note(&g, false, 32 + i, loss, norm);
  }
  assert_true(train_guard_doubts(&g, &batch, &was));
  assert_int_equal(batch, 28); // the oldest of four
  assert_true(was.loss == 1.9 && fabs(was.norm - exp(-0.5)) < 1e-12);
  return g;
}

static void test_a_batch_as_good_as_before_leaves_the_limits_as_they_are(void **state) {
  train_guard g = doubting(5.0, 1.0);
  int64_t batch;
  train_guard_limits was;
  assert_false(train_guard_tried(&g, 2.19, exp(0.99))); // half of z
  assert_true(fabs(train_guard_limits_of(&g).loss - 2.4) < 1e-12);
  assert_false(train_guard_doubts(&g, &batch, &was));
  for (int i = 0; i < 3; i++) train_guard_note(&g, false, 35 + i, 5.0, 1.0);
  assert_true(train_guard_doubts(&g, &batch, &was));
  assert_int_equal(batch, 29); // another one
  train_guard_release(&g);
}

static void test_a_batch_that_became_bad_opens_the_limits_until_the_steps_are_back(void **state) {
  for (int by_norm = 0; by_norm < 2; by_norm++) {
    train_guard g = doubting(5.0, 1.0);
    if (by_norm)
      assert_true(train_guard_tried(&g, 2.0, exp(1.01)));
    else
      assert_true(train_guard_tried(&g, 2.21, 1.0));
    train_guard_limits l = train_guard_limits_of(&g);
    assert_true(fabs(l.loss - (2.4 + 2.0 * 2.6)) < 1e-9);
    assert_null(train_guard_reason(&l, 5.5, 30.0));
    assert_string_equal(train_guard_reason(&l, 1e6, 1.0),
                        "the loss is a spike"); // still a bad batch
    assert_string_equal(train_guard_reason(&l, 2.0, 1e6), "the gradient norm is a spike");
    assert_string_equal(train_guard_reason(&l, NAN, 1.0), "the loss is not finite");
    for (int i = 0; i < 20; i++) train_guard_note(&g, true, 40 + i, 5.0 - 0.1 * i, 1.0);
    l = train_guard_limits_of(&g);
    assert_true(l.loss > 3.1 && l.loss < 6.5); // follows them: 7.6 at first
    feed(&g, 128);
    assert_true(fabs(train_guard_limits_of(&g).loss - 2.4) < 1e-12); // and has forgotten them
    train_guard_release(&g);
  }
}

// Where training settles higher, that becomes what steps are measured against.
static void test_steps_that_stay_above_for_a_window_become_the_measure(void **state) {
  train_guard g = doubting(5.0, 1.0);
  assert_true(train_guard_tried(&g, 5.0, 1.0));
  for (int i = 0; i < 96; i++) {
    const train_guard_limits l = train_guard_limits_of(&g);
    const double side = i % 2 ? 1.0 : -1.0;
    assert_null(train_guard_reason(&l, 5.0 + 0.1 * side, exp(0.5 * side)));
    train_guard_note(&g, true, 40 + i, 5.0 + 0.1 * side, exp(0.5 * side));
  }
  assert_true(fabs(train_guard_limits_of(&g).loss - 5.4) < 0.2);
  train_guard_release(&g);
}

static void test_only_steps_with_numbers_raise_doubts_and_are_yielded_to(void **state) {
  train_guard g = make(4.0, 16, 3);
  int64_t batch;
  train_guard_limits was;
  feed(&g, 16);
  for (int i = 0; i < 3; i++) train_guard_note(&g, false, 16 + i, i == 1 ? 5.0 : NAN, 1.0);
  assert_true(train_guard_lost(&g));
  assert_true(train_guard_doubts(&g, &batch, &was)); // before the run goes back
  assert_false(train_guard_tried(&g, INFINITY, 1.0));
  assert_false(train_guard_doubts(&g, &batch, &was));
  assert_false(train_guard_yield(&g));
  train_guard_forget_skipped(&g);
  for (int i = 0; i < 3; i++) train_guard_note(&g, false, 20 + i, 5.0, 1.0);
  assert_true(train_guard_yield(&g));
  assert_false(train_guard_lost(&g));
  assert_true(train_guard_limits_of(&g).loss > 5.0);
  train_guard_release(&g);
}

static void test_a_constant_loss_leaves_room_for_rounding(void **state) {
  train_guard g = make(4.0, 8, 0);
  for (int i = 0; i < 8; i++) train_guard_note(&g, true, i, 2.0, 1.0);
  const train_guard_limits l = train_guard_limits_of(&g);
  assert_null(train_guard_reason(&l, 2.0 * (1.0 + 1e-6), 1.0));
  assert_non_null(train_guard_reason(&l, 2.1, 1.0));
  train_guard_release(&g);
}

// Through text, as a manifest keeps it: the limits afterwards are the same to the bit, also once
// more steps have come.
static void test_a_saved_window_decides_as_the_undisturbed_one(void **state) {
  train_guard g = make(4.0, 16, 5), back = make(4.0, 16, 5);
  for (int i = 0; i < 21; i++)
    train_guard_note(&g, true, i, 1.0 / (3.0 + i), 1.0 + 1.0 / (7.0 + i));
  train_guard_note(&g, true, 21, 0.3, 1.1);
  for (int i = 0; i < 3; i++) train_guard_note(&g, false, 22 + i, 9.0, 9.0);
  assert_true(train_guard_tried(&g, 8.0, 8.0));
  train_guard_note(&g, true, 25, 5.0, 5.0);
  train_guard_note(&g, false, 26, 99.0, 99.0);
  json_t *saved = train_guard_save(&g);
  char *text = json_dumps(saved, 0);
  json_t *read = json_loads(text, 0, NULL);
  train_guard_load(&back, read);
  assert_int_equal(back.skipped, 1);
  for (int i = 0; i < 3; i++) {
    const train_guard_limits a = train_guard_limits_of(&g), b = train_guard_limits_of(&back);
    assert_true(isfinite(a.loss));
    assert_true(a.loss == b.loss && a.norm == b.norm);
    train_guard_note(&g, true, 27 + i, 3.0 - 0.1 * i, 1.5);
    train_guard_note(&back, true, 27 + i, 3.0 - 0.1 * i, 1.5);
  }
  int64_t batch[2];
  train_guard_limits was[2];
  for (int i = 0; i < 3; i++) train_guard_note(&g, false, 30 + i, 90.0, 90.0);
  for (int i = 0; i < 3; i++) train_guard_note(&back, false, 30 + i, 90.0, 90.0);
  assert_true(train_guard_doubts(&g, &batch[0], &was[0]));
  assert_true(train_guard_doubts(&back, &batch[1], &was[1]));
  assert_true(batch[0] == batch[1] && was[0].loss == was[1].loss && was[0].norm == was[1].norm);
  json_decref(read);
  free(text);
  json_decref(saved);
  train_guard_release(&back);
  train_guard_release(&g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_limits_are_z_deviations_above_the_mean),
      cmocka_unit_test(test_until_the_window_is_full_only_what_is_not_finite_is_bad),
      cmocka_unit_test(test_the_window_forgets_what_is_old),
      cmocka_unit_test(test_skipped_steps_do_not_move_the_limits),
      cmocka_unit_test(test_a_batch_as_good_as_before_leaves_the_limits_as_they_are),
      cmocka_unit_test(test_a_batch_that_became_bad_opens_the_limits_until_the_steps_are_back),
      cmocka_unit_test(test_steps_that_stay_above_for_a_window_become_the_measure),
      cmocka_unit_test(test_only_steps_with_numbers_raise_doubts_and_are_yielded_to),
      cmocka_unit_test(test_a_constant_loss_leaves_room_for_rounding),
      cmocka_unit_test(test_a_saved_window_decides_as_the_undisturbed_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
