// labels: quick
// Measures of walks through rooms: movements read off simulated frames agree with where the
// simulator says that one stood, and a place that is known again is told from one never seen.
#include "tests/base/assert.h"
#include "tests/data/sim/osmesa.h"

#include <math.h>
#include <stdlib.h>

#include "data/sim/scene.h"
#include "train/eval/flow.h"
#include "train/eval/measure.h"

enum { SIDE = 64, E = 4, T = 30, PROMPT = 4, BYTES = SIDE * SIDE * 3 };

static void test_shift_and_growth_of_a_pattern_are_found(void **state) {
  static uint8_t a[BYTES], b[BYTES];
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++)
      for (int c = 0; c < 3; c++) {
        const double dx = (x - 31.5 - 5) / 1.04 + 31.5, dy = (y - 31.5 + 2) / 1.04 + 31.5;
        a[(y * SIDE + x) * 3 + c] = (uint8_t)(128 + 60 * sin(0.31 * x + c) + 60 * sin(0.23 * y));
        b[(y * SIDE + x) * 3 + c] = (uint8_t)(128 + 60 * sin(0.31 * dx + c) + 60 * sin(0.23 * dy));
      }
  const train_flow f = train_flow_between(a, b, SIDE, SIDE);
  assert_float_equal(f.right, 5, 0.6); // half a pixel is the grid
  assert_float_equal(f.down, -2, 1.1);
  assert_float_equal(f.nearer, 0.04, 0.015);
  const train_flow none = train_flow_between(a, a, SIDE, SIDE);
  assert_true(none.right == 0 && none.down == 0 && none.nearer == 0);
}

typedef struct {
  train_eval_set set;
  uint8_t *film; // [E,T-PROMPT,...] as the simulator has it
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  *state = f;
  if (!data_scene_rooms.available()) return 0;
  void *scene;
  const int64_t Q = data_scene_rooms.Q;
  f->set = (train_eval_set){.E = E,
                            .T = T,
                            .prompt = PROMPT,
                            .Q = Q,
                            .height = SIDE,
                            .width = SIDE,
                            .pixels = SIDE * SIDE,
                            .rooms = true,
                            .dt_s = 0.1};
  f->set.frames = malloc((size_t)(E * T) * BYTES);
  f->set.state = malloc((size_t)(E * T * Q) * sizeof(float));
  f->film = malloc((size_t)(E * (T - PROMPT)) * BYTES);
  assert_ok(data_scene_rooms.create(&(data_scene_setting){.height = SIDE, .width = SIDE, .fps = 10},
                                    &scene));
  for (int i = 0; i < E; i++) {
    assert_ok(data_scene_rooms.start(scene, 4, (uint64_t)i));
    for (int t = 0; t < T; t++) {
      float action[8];
      data_scene_rooms.state(scene, f->set.state + (i * T + t) * Q);
      assert_ok(data_scene_rooms.render(scene, f->set.frames + (size_t)(i * T + t) * BYTES));
      data_scene_rooms.act(scene, action);
      assert_ok(data_scene_rooms.step(scene, action));
    }
    memcpy(f->film + (size_t)(i * (T - PROMPT)) * BYTES,
           f->set.frames + (size_t)(i * T + PROMPT) * BYTES, (size_t)(T - PROMPT) * BYTES);
  }
  data_scene_rooms.destroy(scene);
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  free(f->film);
  free(f->set.state);
  free(f->set.frames);
  free(f);
  return 0;
}

static json_t *measure(const fixture *f, const train_measure *m, const uint8_t *predicted) {
  json_t *out = json_object();
  const train_films films = {
      .set = &f->set, .horizon = T - PROMPT, .bytes = BYTES, .predicted = predicted};
  assert_ok(m->take(&films, out));
  return out;
}

static double figure(const json_t *j, const char *name) {
  return json_number_value(json_object_get(j, name));
}

static void test_the_simulators_own_frames_go_as_the_actions_say(void **state) {
  const fixture *f = *state;
  if (!f->film) skip();
  json_t *j = measure(f, &train_measure_walk, f->film);
  print_message("turn %.3f walk %.3f\n", figure(j, "turn_accuracy"), figure(j, "walk_accuracy"));
  assert_true(figure(j, "turn_accuracy") > 0.9 && figure(j, "walk_accuracy") > 0.8);
  assert_float_equal(figure(j, "action_accuracy"), figure(j, "real_action_accuracy"), 1e-12);
  json_decref(j);
}

// A film that stands still moves never, whatever the actions were.
static void test_a_film_that_stands_still_goes_nowhere(void **state) {
  const fixture *f = *state;
  if (!f->film) skip();
  uint8_t *still = malloc((size_t)(E * (T - PROMPT)) * BYTES);
  for (int i = 0; i < E * (T - PROMPT); i++) memcpy(still + (size_t)i * BYTES, f->film, BYTES);
  json_t *j = measure(f, &train_measure_walk, still);
  assert_true(figure(j, "action_accuracy") < figure(j, "real_action_accuracy") - 0.3);
  json_decref(j);
  free(still);
}

static void test_a_place_seen_before_is_told_from_a_new_one(void **state) {
  enum { H = T - PROMPT };
  const float there[3] = {1, 1, 0}, away[3] = {1, 1, 2};
  static uint8_t frames[2 * T * 3], film[2 * H * 3]; // of one pixel
  fixture f = {.set = {.E = 2,
                       .T = T,
                       .prompt = PROMPT,
                       .Q = data_scene_rooms.Q,
                       .height = 1,
                       .width = 1,
                       .pixels = 1,
                       .frames = frames}};
  f.set.state = calloc((size_t)(2 * T * f.set.Q), sizeof(float));
  for (int t = 0; t < T; t++) {
    // clip 0 looks away at the end of its prompt and comes back at frame 20; clip 1 never does
    float *a = f.set.state + t * f.set.Q, *b = f.set.state + (T + t) * f.set.Q;
    memcpy(a, t < 2 || t >= 20 ? there : away, sizeof there);
    memcpy(b, t < 20 ? there : away, sizeof there);
  }
  memset(frames, 100, sizeof frames);
  memset(film, 100, sizeof film);
  film[(H + 20 - PROMPT) * 3] = 160; // the new place is wrong by 60 of 255 in a channel of three
  json_t *out = json_object();
  const train_films films = {.set = &f.set, .horizon = H, .bytes = 3, .predicted = film};
  assert_ok(train_measure_revisit.take(&films, out));
  // from frame 20 on one is back and the other where its prompt never was, however long it stays
  const double wrong = -10 * log10(60.0 * 60 / (3 * 255.0 * 255));
  assert_float_equal(figure(out, "revisit_gap_db"), (58.9 - wrong) / (T - 20), 1e-6);
  assert_int_equal(json_integer_value(json_object_get(out, "revisits")), T - 20);
  assert_float_equal(figure(out, "revisit_frames_away"), 18, 1e-9);
  json_decref(out);
  free(f.set.state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shift_and_growth_of_a_pattern_are_found),
      cmocka_unit_test(test_the_simulators_own_frames_go_as_the_actions_say),
      cmocka_unit_test(test_a_film_that_stands_still_goes_nowhere),
      cmocka_unit_test(test_a_place_seen_before_is_told_from_a_new_one),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
