// labels: quick
// What stays by pose: sums of actions say where somebody looks, the frames kept show different
// views, and a frame sees those alone that show what its action leads to.
#include "tests/base/assert.h"

#include <math.h>
#include <string.h>

#include "train/engine/memory.h"

enum { S = 2, WINDOW = 3, MOST = 6, AHEAD = 2, CIRCLE = 24 };

static const train_pose_moves moves = {.forward = 0,
                                       .strafe = 1,
                                       .turn = 2,
                                       .look = 3,
                                       .forward_m = 0.1,
                                       .strafe_m = 0.1,
                                       .turn_r = 2 * M_PI / CIRCLE,
                                       .look_r = 0.1};

static train_pose walk(train_pose p, float forward, float strafe, float turn, int times) {
  const float action[] = {forward, strafe, turn, 0};
  for (int i = 0; i < times; i++) p = train_pose_after(&moves, p, action);
  return p;
}

static void check_pose(train_pose p, double x, double y, double yaw) {
  assert_float_equal(p.x, x, 1e-5);
  assert_float_equal(p.y, y, 1e-5);
  assert_float_equal(p.yaw, yaw, 1e-5);
}

static void test_a_pose_is_the_sum_of_what_was_done(void **state) {
  check_pose(walk((train_pose){0}, 1, 0, 0, 10), 1, 0, 0);
  check_pose(walk((train_pose){0}, 0, 0.5f, 0, 10), 0, 0.5, 0); // to the left
  const train_pose left = walk((train_pose){0}, 0, 0, 1, CIRCLE / 4);
  check_pose(walk(left, 1, 0, 0, 10), 0, 1, M_PI / 2);
  check_pose(walk((train_pose){0}, 1, 0, 1, CIRCLE), 0, 0, 2 * M_PI); // a circle closes
  check_pose(walk(walk((train_pose){0}, 1, 0.3f, 0.7f, 9), -1, -0.3f, -0.7f, 9), 0, 0, 0);
  check_pose(walk((train_pose){0}, 7, 0, 0, 1), 0.1, 0, 0); // no action is more than 1
  assert_float_equal(train_pose_overlap((train_pose){0}, walk((train_pose){0}, 0, 0, 1, CIRCLE)), 1,
                     1e-5);
  assert_true(train_pose_overlap((train_pose){0}, left) == 0);
  assert_float_equal(train_pose_overlap((train_pose){0}, walk((train_pose){0}, 1, 0, 0, 10)), 0.5,
                     1e-5);
}

static void test_units_are_those_of_the_data_set(void **state) {
  train_pose_moves m;
  json_t *j = json_loads("[{\"name\": \"turn\", \"unit\": \"rad/s\", \"high\": 1.5},"
                         " {\"name\": \"look\", \"unit\": \"m/s\", \"high\": 1},"
                         " {\"name\": \"forward\", \"unit\": \"m/s\", \"high\": 1.2}]",
                         0, NULL);
  assert_true(train_pose_moves_read(j, 0.1, &m));
  assert_int_equal(m.turn, 0);
  assert_int_equal(m.forward, 2);
  assert_int_equal(m.strafe, -1);
  assert_int_equal(m.look, -1); // of another unit
  assert_float_equal(m.turn_r, 0.15, 1e-12);
  assert_float_equal(m.forward_m, 0.12, 1e-12);
  json_array_remove(j, 0);
  assert_false(train_pose_moves_read(j, 0.1, &m));
  assert_false(train_pose_moves_read(NULL, 0.1, &m));
  json_decref(j);
}

// Frame t comes about by a turn and is appended; its codes say nothing.
static void turn(train_memory *m, int64_t t, float by) {
  const float action[] = {0, 0, by, 0};
  const int32_t tokens[S] = {0};
  train_memory_move(m, 0, t, t ? action : NULL);
  train_memory_append(m, 0, t, tokens);
}

static void test_what_stays_is_seen_when_it_comes_into_view(void **state) {
  train_memory m;
  int64_t frames[MOST];
  assert_ok(train_memory_init(&m, 1, MOST, WINDOW, AHEAD, S, &moves));
  train_memory_begin(&m, 0);
  for (int64_t t = 0; t <= 2 * CIRCLE; t++) {
    const float action[] = {0, 0, 1, 0};
    train_memory_move(&m, 0, t, t ? action : NULL);
    const int64_t n = train_memory_frames(&m, 0, t, frames);
    const int32_t *seen = train_memory_seen(&m, 0, t);
    int64_t shown = 0, near = 0;
    while (shown < MOST && seen[shown] >= 0) shown++;
    for (int64_t i = 0; i < n; i++) {
      const double apart = fabs(remainder((double)(t - frames[i]) / CIRCLE, 1) * 2 * M_PI);
      near += apart <= (1 - TRAIN_MEMORY_SHOWN) * TRAIN_POSE_LENS;
      assert_true(frames[i] <= t - WINDOW);
    }
    assert_int_equal(shown, near);
    if (t > CIRCLE) assert_true(n == MOST && shown >= 1 && shown <= 3); // all round, few of them
    turn(&m, t, 1);
  }
  // going back and on another way: what is seen follows the way that was taken
  const int64_t end = 2 * CIRCLE + 1;
  const float still[] = {0, 0, 0, 0}, about[] = {0, 0, -1, 0};
  int32_t once[MOST];
  train_memory_move(&m, 0, end, still);
  memcpy(once, train_memory_seen(&m, 0, end), sizeof once);
  train_memory_move(&m, 0, end, about);
  train_memory_move(&m, 0, end, still);
  assert_memory_equal(once, train_memory_seen(&m, 0, end), sizeof once);
  train_memory_release(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_pose_is_the_sum_of_what_was_done),
      cmocka_unit_test(test_units_are_those_of_the_data_set),
      cmocka_unit_test(test_what_stays_is_seen_when_it_comes_into_view),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
