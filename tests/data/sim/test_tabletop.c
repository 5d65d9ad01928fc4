// labels: quick
// The tabletop scene: physics that a person would believe, and pictures in which things are found
// where the state says they are.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "data/sim/tabletop.h"
#include "data/sim/tabletop_driver.h"
#include "tests/data/sim/osmesa.h"

enum { Q = DATA_TABLETOP_STATE };

#define RADIUS(name, r, g, b, radius, middle) radius,
static const double radii[] = {DATA_TABLETOP_OBJECT_ROWS(RADIUS)};
static const float right[2] = {1, 0}, left[2] = {-1, 0}, rest[2] = {0, 0};

// Physics only, unless a test draws.
static data_tabletop *make(int64_t height, int64_t width) {
  data_tabletop *t = NULL;
  if (!data_tabletop_available()) {
    print_message("skipped: this build has no MuJoCo\n");
    skip();
  }
  if (data_tabletop_create(height, width, 10, &t) != ORR_OK) fail_msg("%s", orr_status_message());
  return t;
}

static void step(data_tabletop *t, const float *action, int frames, float *state) {
  for (int i = 0; i < frames; i++)
    if (data_tabletop_step(t, action) != ORR_OK) fail_msg("%s", orr_status_message());
  data_tabletop_state(t, state);
}

// The puck at the left, the box to its right in the puck's way, the others out of it.
static void place(data_tabletop *t, float puck_x, float box_x) {
  float state[Q] = {puck_x, 0, 0, 0, box_x, 0, 0, 0, -0.5F, 0.8F, 0, 0, 0.5F, -0.8F, 0, 0, 0, 0};
  assert_int_equal(data_tabletop_place(t, state), ORR_OK);
}

static double distance(const float *state, int a, int b) {
  return hypot(state[4 * a] - state[4 * b], state[4 * a + 1] - state[4 * b + 1]);
}

static double moved(const float *before, const float *after, int object) {
  return hypot(after[4 * object] - before[4 * object],
               after[4 * object + 1] - before[4 * object + 1]);
}

// How far the box's farthest corner is from the middle of the table, in the worse direction.
static double box_reach(const float *s) {
  double angle = s[DATA_TABLETOP_BOX_ANGLE];
  double half = radii[DATA_TABLETOP_BOX] * (fabs(cos(angle)) + fabs(sin(angle)));
  return half + fmax(fabs(s[4]), fabs(s[5]));
}

static void test_starts_are_random_inside_and_free_of_overlap(void **unused) {
  data_tabletop *t = make(0, 0);
  float s[Q], first[Q];
  double lowest = 1, highest = -1;
  for (uint64_t e = 0; e < 500; e++) {
    assert_int_equal(data_tabletop_reset(t, 3, e), ORR_OK);
    data_tabletop_state(t, s);
    if (e == 0)
      memcpy(first, s, sizeof s);
    else
      assert_memory_not_equal(first, s, sizeof s);
    for (int a = 0; a < DATA_TABLETOP_OBJECTS; a++) {
      for (int b = 0; b < a; b++) {
        double corners = a == DATA_TABLETOP_BOX || b == DATA_TABLETOP_BOX ? sqrt(2.0) : 1;
        assert_true(distance(s, a, b) > radii[a] + radii[b] * corners);
      }
      assert_true(fabs(s[4 * a]) + radii[a] < 1 && fabs(s[4 * a + 1]) + radii[a] < 1);
      assert_true(s[4 * a + 2] == 0 && s[4 * a + 3] == 0);
      lowest = fmin(lowest, s[4 * a]);
      highest = fmax(highest, s[4 * a]);
    }
    assert_true(box_reach(s) < 1);
  }
  assert_true(lowest < -0.7 && highest > 0.7);
  data_tabletop_destroy(t);
}

static void test_the_puck_takes_the_velocity_that_the_action_asks_for(void **unused) {
  data_tabletop *t = make(0, 0);
  float s[Q];
  place(t, -0.8F, 0.8F);
  step(t, right, 1, s);
  // 1 % below: the drive is a spring on velocity that has to beat nothing but the start
  assert_float_equal(s[2], DATA_TABLETOP_PUCK_SPEED, 0.02 * DATA_TABLETOP_PUCK_SPEED);
  assert_float_equal(s[3], 0, 1e-6);
  float x = s[0];
  step(t, right, 2, s);
  assert_float_equal(s[0] - x, 0.2 * DATA_TABLETOP_PUCK_SPEED, 0.01);
  step(t, (const float[2]){0, -0.5F}, 2, s);
  assert_float_equal(s[2], 0, 0.01);
  assert_float_equal(s[3], -0.5 * DATA_TABLETOP_PUCK_SPEED, 0.01);
  step(t, rest, 2, s);
  assert_true(hypot(s[2], s[3]) < 0.01);
  step(t, (const float[2]){-7, 0}, 1, s); // clamped to -1
  assert_true(s[2] > -1.01 * DATA_TABLETOP_PUCK_SPEED);
  data_tabletop_destroy(t);
}

static void test_objects_move_when_pushed_and_not_otherwise(void **unused) {
  data_tabletop *t = make(0, 0);
  float before[Q], s[Q];
  place(t, -0.8F, 0);
  data_tabletop_state(t, before);
  step(t, right, 3, s); // 0.45 m: not there yet
  assert_int_equal(data_tabletop_touched(t), 0);
  for (int o = DATA_TABLETOP_BOX; o < DATA_TABLETOP_OBJECTS; o++)
    assert_true(moved(before, s, o) < 1e-3);
  step(t, right, 4, s);
  assert_int_equal(data_tabletop_touched(t), 1 << DATA_TABLETOP_BOX);
  assert_true(s[4] > 0.3);
  assert_true(moved(before, s, DATA_TABLETOP_CYLINDER) < 1e-3);
  assert_true(moved(before, s, DATA_TABLETOP_SPHERE) < 1e-3);
  data_tabletop_destroy(t);
}

static void test_each_object_can_be_pushed_and_friction_stops_it(void **unused) {
  data_tabletop *t = make(0, 0);
  for (int o = DATA_TABLETOP_BOX; o < DATA_TABLETOP_OBJECTS; o++) {
    float s[Q] = {-0.7F, 0, 0, 0, -0.5F, 0.8F, 0, 0, 0, -0.8F, 0, 0, 0.5F, 0.8F};
    s[4 * o] = -0.3F;
    s[4 * o + 1] = 0;
    assert_int_equal(data_tabletop_place(t, s), ORR_OK);
    step(t, right, 3, s);
    assert_true(s[4 * o] > -0.25); // pushed along
    assert_true(s[4 * o + 2] > 0.8);
    step(t, left, 1, s);
    assert_true(s[4 * o + 2] > 0.2); // slides or rolls on by itself
    step(t, rest, 40, s);
    assert_true(hypot(s[4 * o + 2], s[4 * o + 3]) < 0.02);
  }
  data_tabletop_destroy(t);
}

static void test_walls_hold_everything_in(void **unused) {
  data_tabletop *t = make(0, 0);
  for (uint64_t e = 0; e < 20; e++) {
    float s[Q];
    data_tabletop_driver d;
    assert_int_equal(data_tabletop_reset(t, 4, e), ORR_OK);
    data_tabletop_driver_start(&d, 4, e);
    for (int f = 0; f < 100; f++) {
      float action[2];
      data_tabletop_state(t, s);
      data_tabletop_driver_act(&d, s, action);
      for (int i = 0; i < 2; i++) action[i] = action[i] > 0 ? 1 : -1; // as hard as it goes
      step(t, action, 1, s);
      for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++) {
        double reach = o == DATA_TABLETOP_BOX ? box_reach(s)
                                              : radii[o] + fmax(fabs(s[4 * o]), fabs(s[4 * o + 1]));
        assert_true(reach < 1.025); // walls are springs: measured 1.016
        for (int p = 0; p < o; p++)
          assert_true(distance(s, o, p) > radii[o] + radii[p] - 0.02); // measured -0.007
      }
    }
  }
  data_tabletop_destroy(t);
}

static void test_same_seed_and_actions_give_the_same_states_bit_for_bit(void **unused) {
  data_tabletop *a = make(0, 0), *b = make(0, 0);
  float x[Q], y[Q];
  assert_int_equal(data_tabletop_reset(b, 9, 9), ORR_OK); // b has a past
  step(b, right, 30, y);
  assert_int_equal(data_tabletop_reset(a, 5, 17), ORR_OK);
  assert_int_equal(data_tabletop_reset(b, 5, 17), ORR_OK);
  data_tabletop_driver d, e;
  data_tabletop_driver_start(&d, 5, 17);
  data_tabletop_driver_start(&e, 5, 17);
  for (int f = 0; f < 60; f++) {
    float u[2], v[2];
    data_tabletop_state(a, x);
    data_tabletop_state(b, y);
    assert_memory_equal(x, y, sizeof x);
    data_tabletop_driver_act(&d, x, u);
    data_tabletop_driver_act(&e, y, v);
    assert_memory_equal(u, v, sizeof u);
    step(a, u, 1, x);
    step(b, v, 1, y);
  }
  data_tabletop_destroy(a);
  data_tabletop_destroy(b);
}

static void test_contacts_are_frequent_and_objects_move(void **unused) {
  data_tabletop *t = make(0, 0);
  int frames = 0, touching = 0, moving = 0;
  for (uint64_t e = 0; e < 40; e++) {
    float before[Q], s[Q], action[2];
    data_tabletop_driver d;
    data_tabletop_driver_start(&d, 6, e);
    assert_int_equal(data_tabletop_reset(t, 6, e), ORR_OK);
    data_tabletop_state(t, s);
    for (int f = 0; f < 48; f++) {
      memcpy(before, s, sizeof s);
      data_tabletop_driver_act(&d, s, action);
      step(t, action, 1, s);
      double most = 0;
      for (int o = DATA_TABLETOP_BOX; o < DATA_TABLETOP_OBJECTS; o++)
        most = fmax(most, moved(before, s, o));
      frames++;
      touching += data_tabletop_touched(t) != 0;
      moving += most > 0.02; // half a pixel at 64x64
    }
  }
  assert_true(touching > 0.3 * frames); // measured 0.43
  assert_true(moving > 0.3 * frames);   // measured 0.57
  data_tabletop_destroy(t);
}

static void test_forked_drivers_part_by_at_least_120_degrees(void **unused) {
  for (uint64_t e = 0; e < 200; e += 2) {
    // A corner, where turning back at the walls would bring them together.
    float s[Q] = {0.85F, 0.85F, 0, 0, -0.5F, 0, 0, 0, 0, 0.5F, 0, 0, 0.5F, 0};
    data_tabletop_driver a, b;
    data_tabletop_driver_start(&a, 8, e);
    b = a;
    data_tabletop_driver_fork(&a, e, false, s);
    data_tabletop_driver_fork(&b, e + 1, true, s);
    for (int f = 0; f < 4; f++) {
      float u[2], v[2];
      data_tabletop_driver_act(&a, s, u);
      data_tabletop_driver_act(&b, s, v);
      double cosine = (u[0] * v[0] + u[1] * v[1]) / (hypot(u[0], u[1]) * hypot(v[0], v[1]));
      assert_true(cosine <= -0.5 + 1e-5);
    }
  }
}

static void test_pixels_and_positions_are_inverse(void **unused) {
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++) {
    double column, row, x, y;
    data_tabletop_to_pixel(48, 80, (data_tabletop_object)o, 0.3, -0.7, &column, &row);
    data_tabletop_from_pixel(48, 80, (data_tabletop_object)o, column, row, &x, &y);
    assert_float_equal(x, 0.3, 1e-6);
    assert_float_equal(y, -0.7, 1e-6);
    data_tabletop_to_pixel(48, 80, (data_tabletop_object)o, 0.4, -0.7, &x, &y);
    assert_float_equal(x - column, 0.1 * 24 / DATA_TABLETOP_VIEW, 1e-5);
    assert_float_equal(y, row, 1e-5);
  }
}

// Largest distance in pixels between where colours and where states place the objects.
static double worst_location(int64_t height, int64_t width) {
  data_tabletop *t = make(height, width);
  uint8_t *rgb = malloc((size_t)(height * width * 3));
  double worst = 0;
  for (uint64_t e = 0; e < 40; e++) {
    float s[Q];
    assert_int_equal(data_tabletop_reset(t, 11, e), ORR_OK);
    data_tabletop_state(t, s);
    if (data_tabletop_render(t, rgb) != ORR_OK) fail_msg("%s", orr_status_message());
    for (int i = 0; i < DATA_TABLETOP_OBJECTS; i++) {
      data_tabletop_object o = (data_tabletop_object)i;
      double x, y, area, column, row, true_column, true_row;
      data_tabletop_locate(rgb, height, width, o, &x, &y, &area);
      double scale = 0.5 * (double)(height < width ? height : width) / DATA_TABLETOP_VIEW;
      assert_true(area > 2 * pow(radii[i] * scale, 2)); // of at least 3.1
      data_tabletop_to_pixel(height, width, o, x, y, &column, &row);
      data_tabletop_to_pixel(height, width, o, s[4 * i], s[4 * i + 1], &true_column, &true_row);
      worst = fmax(worst, hypot(column - true_column, row - true_row));
    }
  }
  free(rgb);
  data_tabletop_destroy(t);
  return worst;
}

static void test_colours_find_every_object_within_a_pixel(void **unused) {
  assert_true(worst_location(64, 64) < 0.5); // measured 0.20: dark sides weigh less than tops
  assert_true(worst_location(48, 80) < 0.5); // measured 0.23
}

static void test_pictures_are_the_same_for_the_same_state(void **unused) {
  data_tabletop *a = make(64, 64), *b = make(64, 64);
  static uint8_t x[64 * 64 * 3], y[64 * 64 * 3];
  for (uint64_t e = 0; e < 3; e++) { // in turns: two contexts in one thread
    assert_int_equal(data_tabletop_reset(a, 12, e), ORR_OK);
    assert_int_equal(data_tabletop_reset(b, 12, e), ORR_OK);
    assert_int_equal(data_tabletop_render(a, x), ORR_OK);
    assert_int_equal(data_tabletop_render(b, y), ORR_OK);
    assert_memory_equal(x, y, sizeof x);
  }
  assert_int_equal(data_tabletop_reset(b, 12, 3), ORR_OK);
  assert_int_equal(data_tabletop_render(b, y), ORR_OK);
  assert_memory_not_equal(x, y, sizeof x);
  data_tabletop_destroy(a);
  data_tabletop_destroy(b);
}

static void test_nothing_is_found_in_a_grey_picture(void **unused) {
  static uint8_t rgb[32 * 32 * 3];
  memset(rgb, 120, sizeof rgb);
  double x = 7, y = 8, area = 1;
  data_tabletop_locate(rgb, 32, 32, DATA_TABLETOP_SPHERE, &x, &y, &area);
  assert_true(area == 0 && x == 7 && y == 8);
}

static void test_bad_sizes_and_rates_are_named(void **unused) {
  data_tabletop_destroy(make(0, 0)); // skips without a simulator
  data_tabletop *t = NULL;
  assert_int_equal(data_tabletop_create(8, 64, 10, &t), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "8 x 64"));
  assert_int_equal(data_tabletop_create(64, 64, 0.5, &t), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "0.5"));
  t = make(0, 0);
  uint8_t rgb[3];
  assert_int_equal(data_tabletop_render(t, rgb), ORR_EINVAL);
  data_tabletop_destroy(t);
}

static void test_every_allocation_may_fail(void **unused) {
  data_tabletop_destroy(make(0, 0)); // skips without a simulator
  int64_t n = 1;
  for (;; n++) {
    data_tabletop *t = NULL;
    orr_fault_arm(ORR_FAULT_MALLOC, n);
    orr_code rc = data_tabletop_create(64, 64, 10, &t);
    bool fired = orr_fault_fired(ORR_FAULT_MALLOC);
    orr_fault_arm(ORR_FAULT_MALLOC, 0);
    data_tabletop_destroy(t);
    assert_int_equal(rc, fired ? ORR_ENOMEM : ORR_OK);
    if (!fired) break;
  }
  assert_true(n > 5); // scene, text, file system, view, buffers
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_starts_are_random_inside_and_free_of_overlap),
      cmocka_unit_test(test_the_puck_takes_the_velocity_that_the_action_asks_for),
      cmocka_unit_test(test_objects_move_when_pushed_and_not_otherwise),
      cmocka_unit_test(test_each_object_can_be_pushed_and_friction_stops_it),
      cmocka_unit_test(test_walls_hold_everything_in),
      cmocka_unit_test(test_same_seed_and_actions_give_the_same_states_bit_for_bit),
      cmocka_unit_test(test_contacts_are_frequent_and_objects_move),
      cmocka_unit_test(test_forked_drivers_part_by_at_least_120_degrees),
      cmocka_unit_test(test_pixels_and_positions_are_inverse),
      cmocka_unit_test(test_colours_find_every_object_within_a_pixel),
      cmocka_unit_test(test_pictures_are_the_same_for_the_same_state),
      cmocka_unit_test(test_nothing_is_found_in_a_grey_picture),
      cmocka_unit_test(test_bad_sizes_and_rates_are_named),
      cmocka_unit_test(test_every_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("data/tabletop", tests, NULL, NULL);
}
