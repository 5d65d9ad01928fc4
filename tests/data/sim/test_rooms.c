// labels: quick
// The rooms scene: layouts that can be walked, walks that come back, and movements that a picture
// shows as the measures of an evaluation read them.
#include "tests/data/sim/scene_case.h"

#include <math.h>

#include "data/sim/rooms_driver.h"

enum { Q = DATA_ROOMS_STATE, A = DATA_ROOMS_ACTIONS, SIDE = 32 };

static void *make(int64_t side) {
  return scene_case_make(&data_scene_rooms, (data_scene_setting){.height = side, .width = side});
}

static void test_every_room_can_be_reached_and_things_stand_apart(void **state) {
  for (uint64_t e = 0; e < 200; e++) {
    data_rooms_plan p;
    int open = 0;
    data_rooms_plan_draw(1, e, &p);
    for (int i = 0; i < DATA_ROOMS_DOORS; i++) open += p.open[i];
    assert_true(open >= DATA_ROOMS_DOORS - 1);
    for (int i = 0; i < DATA_ROOMS_THINGS; i++) {
      assert_true(fabs(p.place[i][0]) < 2.6 && fabs(p.place[i][1]) < 2.6);
      for (int k = 0; k < i; k++)
        assert_true(hypot(p.place[i][0] - p.place[k][0], p.place[i][1] - p.place[k][1]) > 0.59);
    }
  }
}

static void test_walls_hold_and_doors_let_through(void **state) {
  void *scene = make(0);
  float action[A], s[Q];
  int crossed = 0;
  for (uint64_t e = 0; e < 12; e++) {
    assert_ok(data_scene_rooms.start(scene, 2, e));
    data_scene_rooms.state(scene, s);
    int room = data_rooms_room_at(s[0], s[1]);
    for (int t = 0; t < 120; t++) {
      data_scene_rooms.act(scene, action);
      assert_ok(data_scene_rooms.step(scene, action));
      data_scene_rooms.state(scene, s);
      assert_true(fabsf(s[0]) < 2.8F && fabsf(s[1]) < 2.8F); // a shoulder from the outer wall
      const int now = data_rooms_room_at(s[0], s[1]);
      crossed += now != room;
      room = now;
    }
  }
  assert_true(crossed >= 6); // measured 20 in 12 walks of 12 s
  data_scene_rooms.destroy(scene);
}

// Whether an episode stands again where it began, and looked elsewhere between.
static bool comes_back(void *scene, uint64_t episode, int frames) {
  float action[A], first[Q], s[Q];
  bool was_away = false;
  assert_ok(data_scene_rooms.start(scene, 4, episode));
  data_scene_rooms.state(scene, first);
  for (int t = 0; t < frames; t++) {
    data_scene_rooms.act(scene, action);
    assert_ok(data_scene_rooms.step(scene, action));
    data_scene_rooms.state(scene, s);
    const double m = hypot(s[0] - first[0], s[1] - first[1]);
    const double turn = fabs(remainder(s[2] - first[2], 2 * M_PI));
    if (m > 0.5 || turn > 0.6) was_away = true;
    if (was_away && m < 0.06 && turn < 0.05 && fabsf(s[3] - first[3]) < 0.05) return true;
  }
  return false;
}

static void test_half_of_the_walks_come_back(void **state) {
  enum { WALKS = 40 };
  void *scene = make(0);
  int back = 0;
  for (uint64_t e = 0; e < WALKS; e++) back += comes_back(scene, e, 300);
  print_message("%d of %d walks come back\n", back, WALKS);
  assert_in_range(back, 11, 27); // half, give or take, less those whom a thing stood in the way
  data_scene_rooms.destroy(scene);
}

static void test_the_same_seed_gives_the_same_walk(void **state) {
  scene_case_repeats(&data_scene_rooms, (data_scene_setting){.height = SIDE, .width = SIDE}, 15);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_room_can_be_reached_and_things_stand_apart),
      cmocka_unit_test(test_walls_hold_and_doors_let_through),
      cmocka_unit_test(test_half_of_the_walks_come_back),
      cmocka_unit_test(test_the_same_seed_gives_the_same_walk),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
