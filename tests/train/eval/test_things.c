// labels: quick
// Things in rooms that stay, vanish or are there twice: in pictures whose things are known.
#include "tests/base/assert.h"

#include <math.h>
#include <stdlib.h>

#include "data/sim/rooms.h"
#include "data/sim/scene.h"
#include "train/eval/measure.h"

enum { HEIGHT = 64, WIDTH = 128, T = 6, PROMPT = 2, H = T - PROMPT, BYTES = HEIGHT * WIDTH * 3 };
enum { Q = DATA_ROOMS_STATE, FAR_AWAY = 2 };

// OSMesa 22.3 keeps about 160 bytes of every context that was ever bound.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libOSMesa\n";
}

// Where the simulator draws a thing is where the formula says: its own pixels tell.
static void test_things_are_where_the_lens_says(void **state) {
  if (!data_scene_rooms.available()) skip();
  void *scene;
  int seen = 0;
  double off = 0;
  static uint8_t rgb[BYTES];
  assert_ok(data_scene_rooms.create(
      &(data_scene_setting){.height = HEIGHT, .width = WIDTH, .fps = 10}, &scene));
  for (uint64_t episode = 0; episode < 3; episode++) {
    data_rooms_plan plan;
    data_rooms_plan_draw(4, episode, &plan);
    assert_ok(data_scene_rooms.start(scene, 4, episode));
    for (int t = 0; t < 40; t++) {
      float s[Q], action[DATA_ROOMS_ACTIONS];
      data_scene_rooms.state(scene, s);
      data_scene_rooms.act(scene, action);
      assert_ok(data_scene_rooms.step(scene, action));
      data_scene_rooms.state(scene, s);
      data_rooms_box b;
      for (int i = 0; i < DATA_ROOMS_THINGS; i++) {
        if (!data_rooms_thing_at(s, i, HEIGHT, WIDTH, &b)) continue;
        assert_ok(data_scene_rooms.render(scene, rgb));
        const uint8_t *p = rgb + 3 * ((int)b.row * WIDTH + (int)b.column);
        const double most = fmax(plan.thing[i][0], fmax(plan.thing[i][1], plan.thing[i][2]));
        const double top = fmax(1, fmax(p[0], fmax(p[1], p[2])));
        for (int c = 0; c < 3; c++) off += fabs(p[c] / top - plan.thing[i][c] / most) / 3;
        seen++;
      }
    }
  }
  data_scene_rooms.destroy(scene);
  print_message("%d things seen, their colours off by %.3f\n", seen, off / seen);
  assert_true(seen >= 10 && off / seen < 0.05); // measured 0.001
}

static void put(uint8_t *rgb, double column, double row, double wide, double high) {
  static const uint8_t red[3] = {200, 30, 30};
  for (int y = (int)(row - high); y < (int)(row + high); y++)
    for (int x = (int)(column - wide); x < (int)(column + wide); x++)
      if (x >= 0 && x < WIDTH && y >= 0 && y < HEIGHT) memcpy(rgb + 3 * (y * WIDTH + x), red, 3);
}

// One thing two metres ahead, in grey rooms. shown: 1 there, 0 gone, 2 there and once more.
static json_t *measure(int shown) {
  static uint8_t frames[T * BYTES], film[H * BYTES], given[BYTES];
  float state[T * Q];
  data_rooms_box b;
  json_t *out = json_object();
  memset(frames, 128, sizeof frames);
  memset(film, 128, sizeof film);
  for (int t = 0; t < T; t++) {
    float *s = state + t * Q;
    memset(s, 0, Q * sizeof *s);
    s[DATA_ROOMS_X] = 0.5F;
    s[DATA_ROOMS_Y] = 1.5F;
    for (int i = 0; i < DATA_ROOMS_THINGS; i++) s[DATA_ROOMS_THING + 2 * i] = -FAR_AWAY;
    s[DATA_ROOMS_THING] = 2.5F;
    s[DATA_ROOMS_THING + 1] = 1.5F;
    assert_true(data_rooms_thing_at(s, 0, HEIGHT, WIDTH, &b));
    assert_true(fabs(b.column - WIDTH / 2.0) < 1e-6 && b.row > HEIGHT / 2.0); // ahead, on the floor
    put(frames + t * BYTES, b.column, b.row, b.half_width, b.half_height);
    if (t < PROMPT) continue;
    if (shown) put(film + (t - PROMPT) * BYTES, b.column + 1, b.row, b.half_width, b.half_height);
    if (shown == 2) put(film + (t - PROMPT) * BYTES, 100, b.row, b.half_width, b.half_height);
  }
  memcpy(given, frames + (PROMPT - 1) * BYTES, BYTES);
  const train_eval_set set = {.E = 1,
                              .T = T,
                              .prompt = PROMPT,
                              .Q = Q,
                              .height = HEIGHT,
                              .width = WIDTH,
                              .rooms = true,
                              .frames = frames,
                              .state = state};
  const train_films films = {
      .set = &set, .horizon = H, .bytes = BYTES, .predicted = film, .given = given};
  assert_ok(train_measure_things.take(&films, out));
  return out;
}

static void assert_figures(int shown, double kept, double doubled) {
  json_t *j = measure(shown);
  assert_int_equal(json_integer_value(json_object_get(j, "things_seen")), H);
  assert_float_equal(json_number_value(json_object_get(j, "things_kept")), kept, 1e-12);
  assert_float_equal(json_number_value(json_object_get(j, "things_doubled")), doubled, 1e-12);
  assert_float_equal(json_number_value(json_object_get(j, "given_things_kept")), 1, 1e-12);
  json_decref(j);
}

static void test_a_thing_that_stays_vanishes_or_is_there_twice_is_told(void **state) {
  assert_figures(1, 1, 0);
  assert_figures(0, 0, 0);
  assert_figures(2, 1, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_things_are_where_the_lens_says),
      cmocka_unit_test(test_a_thing_that_stays_vanishes_or_is_there_twice_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
