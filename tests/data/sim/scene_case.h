// What the tests of simulated scenes share: a scene or a skip with its reason, and what every scene
// must do.
#ifndef TESTS_DATA_SIM_SCENE_CASE_H
#define TESTS_DATA_SIM_SCENE_CASE_H

#include <stdlib.h>

#include "data/sim/scene.h"
#include "tests/base/assert.h"
#include "tests/data/sim/osmesa.h"

// A scene with this setting (fps 10 where it has none); a skip where this build has no simulator.
static inline void *scene_case_make(const data_scene *of, data_scene_setting o) {
  void *scene = NULL;
  if (!of->available()) {
    print_message("skipped: this build has no MuJoCo\n");
    skip();
  }
  if (!o.fps) o.fps = 10;
  assert_ok(of->create(&o, &scene));
  return scene;
}

// Frames of one episode, driven by the scene itself: its state and picture after them, from a scene
// that is new, and from one that has been in another episode before.
static inline void scene_case_repeats(const data_scene *of, data_scene_setting o, int frames) {
  const size_t bytes = (size_t)(o.height * o.width * 3);
  uint8_t *rgb[2];
  float *state[2], *action = calloc((size_t)of->A, sizeof *action);
  for (int i = 0; i < 2; i++) {
    void *scene = scene_case_make(of, o);
    rgb[i] = calloc(bytes, 1);
    state[i] = calloc((size_t)of->Q, sizeof *state[i]);
    if (i) assert_ok(of->start(scene, 9, 9));
    assert_ok(of->start(scene, 3, 1));
    for (int t = 0; t < frames; t++) {
      of->act(scene, action);
      assert_ok(of->step(scene, action));
    }
    of->state(scene, state[i]);
    assert_ok(of->render(scene, rgb[i]));
    of->destroy(scene);
  }
  assert_memory_equal(state[0], state[1], (size_t)of->Q * sizeof *state[0]);
  assert_memory_equal(rgb[0], rgb[1], bytes);
  for (int i = 0; i < 2; i++) {
    free(rgb[i]);
    free(state[i]);
  }
  free(action);
}

#endif
