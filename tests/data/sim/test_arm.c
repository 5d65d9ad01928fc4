// labels: quick
// The arm scene: a hand that goes where it is told, people of graded skill, and pictures that tell
// where things are.
#include "tests/data/sim/scene_case.h"

#include <math.h>

#include "data/sim/arm.h"

enum { Q = DATA_ARM_STATE, A = DATA_ARM_ACTIONS, SIDE = 64, LENGTH = 45 };

static void *make_for(int task, const data_skill *skill, int64_t height, int64_t width) {
  return scene_case_make(
      &data_scene_arm,
      (data_scene_setting){.height = height, .width = width, .task = task, .skill = skill});
}

static void *make(int64_t height, int64_t width) {
  return make_for(0, NULL, height, width);
}

static void test_the_hand_goes_where_it_is_told(void **state) {
  // a way through the reach that turns every axis, and what the servos leave of it
  static const float way[][A] = {{1, 1, -1, 0, 0, 0, -1},
                                 {0, -1, 0, 1, 0, 0, -1},
                                 {-1, 0, 1, 0, 1, 0, 1},
                                 {0, -1, -1, -1, 0, 1, 1},
                                 {0.5F, 0.5F, 0.5F, 0, -1, -1, -1}};
  void *scene = make(0, 0);
  float hand[A], s[Q];
  memcpy(hand, data_arm_home, sizeof hand);
  assert_ok(data_scene_arm.start(scene, 1, 4));
  for (int i = 0; i < 5; i++) {
    for (int t = 0; t < 3; t++) {
      data_arm_move(hand, way[i], 0.1);
      assert_ok(data_scene_arm.step(scene, way[i]));
    }
    for (int t = 0; t < 5; t++)
      assert_ok(data_scene_arm.step(scene, (const float[A]){0, 0, 0, 0, 0, 0, way[i][6]}));
    data_scene_arm.state(scene, s);
    for (int k = 0; k < 3; k++) assert_float_equal(s[k], hand[k], 0.012); // m; measured 0.006
    for (int k = 3; k < 6; k++) assert_float_equal(s[k], hand[k], 0.05);  // rad; measured 0.02
  }
  // beyond the reach nothing breaks, and a command that is no share of the speed counts as one
  for (int t = 0; t < 20; t++)
    assert_ok(data_scene_arm.step(scene, (const float[A]){9, 9, -9, 9, 9, 9, 9}));
  data_scene_arm.state(scene, s);
  assert_true(s[0] < 0.67F && s[2] > -0.01F);
  data_scene_arm.destroy(scene);
}

// Of `episodes` by somebody: how many succeed.
static int succeed(int task, const char *skill_words, int episodes) {
  data_skill skill;
  float s[Q], action[A];
  int successes = 0;
  assert_ok(data_skill_read(skill_words, &skill));
  void *scene = make_for(task, &skill, 0, 0);
  for (int e = 0; e < episodes; e++) {
    data_goals_watch w = {0};
    double earned = 0;
    assert_ok(data_scene_arm.start(scene, 5, (uint64_t)e));
    data_scene_arm.state(scene, s);
    data_goals_look(&data_arm_goals, task, s, true, &w);
    const double begin = w.progress;
    for (int t = 0; t < LENGTH && !w.done; t++) {
      data_scene_arm.act(scene, action);
      assert_ok(data_scene_arm.step(scene, action));
      data_scene_arm.state(scene, s);
      earned += data_goals_look(&data_arm_goals, task, s, false, &w);
    }
    assert_float_equal(begin + earned, w.progress, 1e-5); // rewards add up to what was achieved
    successes += w.done;
  }
  data_scene_arm.destroy(scene);
  return successes;
}

static void test_the_expert_can_do_every_task_and_the_lazy_none(void **state) {
  for (int task = 0; data_arm_goals.tasks[task]; task++) {
    assert_int_equal(succeed(task, "expert", 6), 6);
    assert_int_equal(succeed(task, "lazy=1", 6), 0);
    assert_true(succeed(task, "noise=6", 6) < 4);
  }
}

static void test_pictures_tell_where_things_are(void **state) {
  void *scene = make(SIDE, 2 * SIDE);
  static uint8_t rgb[2 * SIDE * SIDE * 3];
  float s[Q], seen[Q], action[A];
  double most[3] = {0}; // of tips, block, disc
  for (int task = 0; task < DATA_ARM_TASKS; task++) {
    assert_ok(data_scene_arm.start(scene, 8, (uint64_t)task));
    for (int t = 0; t < 24; t++) {
      assert_ok(data_scene_arm.render(scene, rgb));
      data_arm_goals.see(rgb, SIDE, 2 * SIDE, 10, t ? action : NULL, seen);
      data_scene_arm.state(scene, s);
      for (int k = 0; k < 3; k++) {
        most[0] = fmax(most[0], fabs(seen[k] - s[k]));
        most[1] = fmax(most[1], fabs(seen[DATA_ARM_BLOCK + k] - s[DATA_ARM_BLOCK + k]));
        if (k < 2) most[2] = fmax(most[2], fabs(seen[DATA_ARM_DISC + k] - s[DATA_ARM_DISC + k]));
      }
      data_arm_goals.expert(task, s, action);
      assert_ok(data_scene_arm.step(scene, action));
    }
  }
  print_message("seen to within %.3f (tips), %.3f (block), %.3f m (disc)\n", most[0], most[1],
                most[2]);
  // a pixel is 1 cm; a hand hides what it stands before
  assert_true(most[0] < 0.05 && most[1] < 0.05 && most[2] < 0.02);
  data_scene_arm.destroy(scene);
}

static void test_the_same_seed_gives_the_same_episode(void **state) {
  scene_case_repeats(&data_scene_arm, (data_scene_setting){.height = SIDE, .width = 2 * SIDE}, 10);
}

static void test_frames_of_another_shape_are_refused(void **state) {
  void *scene;
  if (!data_scene_arm.available()) skip();
  assert_int_equal(
      data_scene_arm.create(&(data_scene_setting){.height = 64, .width = 64, .fps = 10}, &scene),
      ORR_EINVAL);
  assert_message_names("64 x 64", "twice the height", "--size 64x128");
}

// -- skill ----------------------------------------------------------------------------------

static void test_chances_are_the_trials_and_not_the_actors(void **state) {
  const data_skill weak = {.noise = 0.2}, strong = {.noise = 0.4};
  data_skill_actor a, b, other;
  data_skill_begin(&a, &weak, 2, 7, 3);
  data_skill_begin(&b, &strong, 2, 7, 3);
  data_skill_begin(&other, &weak, 2, 7, 4);
  double same = 0, apart = 0;
  for (int t = 0; t < 20; t++) {
    float x[2] = {0}, y[2] = {0}, z[2] = {0};
    data_skill_act(&a, x);
    data_skill_act(&b, y);
    data_skill_act(&other, z);
    if (fabs(y[0]) < 1) same = fmax(same, fabs(2 * x[0] - y[0]));
    apart = fmax(apart, fabs(x[0] - z[0]));
  }
  assert_true(same < 1e-6); // twice the noise, not another one
  assert_true(apart > 0.05);
}

static void test_each_skill_does_what_it_says(void **state) {
  data_skill s;
  data_skill_actor a;
  assert_ok(data_skill_read("delay=2,lazy=0", &s));
  data_skill_begin(&a, &s, 1, 1, 1);
  for (int t = 0; t < 6; t++) {
    float x = 0.1F * (float)t;
    data_skill_act(&a, &x);
    assert_float_equal(x, 0.1F * (float)(t < 2 ? 0 : t - 2), 1e-6);
  }
  data_skill_begin(&a, &(data_skill){.bias = 0.5}, 3, 1, 1);
  for (int t = 0; t < 3; t++) {
    float x[3] = {0};
    data_skill_act(&a, x);
    assert_float_equal(sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]), 0.5, 1e-5);
  }
  int rests = 0;
  data_skill_begin(&a, &(data_skill){.lazy = 0.3}, 1, 1, 1);
  for (int t = 0; t < 1000; t++) {
    float x = 1;
    data_skill_act(&a, &x);
    rests += x == 0;
  }
  assert_in_range(rests, 250, 350); // 1000 draws: deviation 14
}

static void test_skill_that_is_none_is_named(void **state) {
  static const struct {
    const char *text, *word;
  } cases[] = {{"noise", "noise=X"},      {"speed=1", "got 'speed=1'"},
               {"lazy=2", "from 0 to 1"}, {"delay=99", "from 0 to"},
               {"noise=", "noise is ''"}, {"bias=-1", "bias is '-1'"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    data_skill s;
    assert_int_equal(data_skill_read(cases[i].text, &s), ORR_ECONFIG);
    assert_message_names(cases[i].word);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_hand_goes_where_it_is_told),
      cmocka_unit_test(test_the_expert_can_do_every_task_and_the_lazy_none),
      cmocka_unit_test(test_pictures_tell_where_things_are),
      cmocka_unit_test(test_the_same_seed_gives_the_same_episode),
      cmocka_unit_test(test_frames_of_another_shape_are_refused),
      cmocka_unit_test(test_chances_are_the_trials_and_not_the_actors),
      cmocka_unit_test(test_each_skill_does_what_it_says),
      cmocka_unit_test(test_skill_that_is_none_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
