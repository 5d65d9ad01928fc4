// labels: quick
// Learning rates over steps, against the definitions of the schedules.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "train/step/schedule.h"

static cfg *config(const char *more) {
  cfg *c = NULL;
  const char text[] = "train: {steps: 100}\n"
                      "optim: {lr_peak: 0.5, lr_final: 0.1, warmup_steps: 10, decay_steps: 20}\n";
  assert_int_equal(cfg_create(&c), ORR_OK);
  assert_int_equal(cfg_read_text(c, "schedule", text, strlen(text)), ORR_OK);
  assert_int_equal(cfg_set(c, more), ORR_OK);
  return c;
}

static void assert_rate(const cfg *c, int64_t step, double want) {
  const double got = train_schedule_lr(c, step); // float64 throughout: only rounding
  if (!(fabs(got - want) < 1e-14)) fail_msg("step %d: %.17g, wanted %.17g", (int)step, got, want);
}

static void test_warm_up_is_linear_from_zero_in_every_schedule(void **state) {
  const char *const schedules[] = {"optim.schedule=wsd", "optim.schedule=cosine",
                                   "optim.schedule=constant"};
  for (int i = 0; i < 3; i++) {
    cfg *c = config(schedules[i]);
    for (int64_t step = 1; step <= 10; step++) assert_rate(c, step, 0.05 * (double)step);
    cfg_destroy(c);
  }
}

static void test_wsd_is_flat_then_falls_linearly_to_the_last_step(void **state) {
  cfg *c = config("optim.schedule=wsd");
  for (int64_t step = 10; step <= 80; step++) assert_rate(c, step, 0.5);
  for (int64_t step = 81; step <= 100; step++)
    assert_rate(c, step, 0.5 - 0.45 * (double)(step - 80) / 20.0);
  cfg_destroy(c);
}

static void test_cosine_is_half_a_wave_to_the_last_step(void **state) {
  cfg *c = config("optim.schedule=cosine");
  const double pi = acos(-1.0);
  for (int64_t step = 11; step <= 100; step++)
    assert_rate(c, step, 0.05 + 0.45 * 0.5 * (1.0 + cos(pi * (double)(step - 10) / 90.0)));
  assert_rate(c, 55, 0.275);
  assert_rate(c, 100, 0.05);
  cfg_destroy(c);
}

static void test_constant_stays(void **state) {
  cfg *c = config("optim.schedule=constant");
  for (int64_t step = 10; step <= 100; step++) assert_rate(c, step, 0.5);
  cfg_destroy(c);
}

static void test_without_warm_up_or_decay_the_peak_comes_at_once(void **state) {
  const char *const schedules[] = {"optim.schedule=wsd", "optim.schedule=cosine"};
  for (int i = 0; i < 2; i++) {
    cfg *c = config(schedules[i]);
    c->optim.warmup_steps = 0;
    c->optim.decay_steps = 0;
    c->train.steps = 1000000;
    assert_true(train_schedule_lr(c, 1) > 0.4999);
    cfg_destroy(c);
  }
}

static void test_clips_double_at_equal_distances(void **state) {
  cfg *c = NULL;
  assert_int_equal(cfg_create(&c), ORR_OK);
  assert_int_equal(cfg_set(c, "data.frames=16"), ORR_OK);
  assert_int_equal(train_schedule_frames(c, 1), 16);
  assert_int_equal(cfg_set(c, "data.frames_start=4"), ORR_OK);
  assert_int_equal(cfg_set(c, "data.curriculum_steps=100"), ORR_OK);
  assert_int_equal(train_schedule_frames(c, 1), 4);
  assert_int_equal(train_schedule_frames(c, 50), 4);
  assert_int_equal(train_schedule_frames(c, 51), 8);
  assert_int_equal(train_schedule_frames(c, 100), 8);
  assert_int_equal(train_schedule_frames(c, 101), 16);
  cfg_destroy(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_clips_double_at_equal_distances),
      cmocka_unit_test(test_warm_up_is_linear_from_zero_in_every_schedule),
      cmocka_unit_test(test_wsd_is_flat_then_falls_linearly_to_the_last_step),
      cmocka_unit_test(test_cosine_is_half_a_wave_to_the_last_step),
      cmocka_unit_test(test_constant_stays),
      cmocka_unit_test(test_without_warm_up_or_decay_the_peak_comes_at_once),
  };
  return cmocka_run_group_tests_name("train/schedule", tests, NULL, NULL);
}
