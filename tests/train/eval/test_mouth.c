// labels: quick
// Measures of speaking faces on films whose mouths are known.
#include "tests/base/assert.h"

#include <math.h>
#include <stdlib.h>

#include "tests/train/eval/face_films.h"

enum {
  SIDE = 32,
  E = 3,
  T = 40,
  PROMPT = 4,
  H = T - PROMPT,
  BYTES = SIDE * SIDE * 3,
  Q = DATA_FACE_STATE
};

static float opening(int clip, int t) {
  return 0.5F + 0.5F * (float)sin(0.9 * t + clip + 0.3 * sin(0.37 * t * (clip + 1)));
}

// Nothing is said in the last five frames.
static void face_of(int clip, int t, int who, float *s) {
  memset(s, 0, Q * sizeof *s);
  s[DATA_FACE_SPEAKS] = t < T - 5;
  s[DATA_FACE_OPEN] = t < T - 5 ? opening(clip, t) : 0;
  s[DATA_FACE_IDENTITY] = (float)who;
}

// Figures of a film that shows frame t - late of the truth, with the face of `who`.
static json_t *measure(int late, int who) {
  static uint8_t frames[E * T * BYTES], film[E * H * BYTES];
  static float state[E * T * Q];
  for (int i = 0; i < E; i++)
    for (int t = 0; t < T; t++) {
      float s[Q];
      face_of(i, t, i, state + (i * T + t) * Q);
      data_face_draw(state + (i * T + t) * Q, SIDE, SIDE, frames + (i * T + t) * BYTES);
      face_of(i, t - late, who < 0 ? i : who, s);
      if (t >= PROMPT) data_face_draw(s, SIDE, SIDE, film + (i * H + t - PROMPT) * BYTES);
    }
  return face_figures(
      &train_measure_mouth,
      &(train_eval_set){
          .E = E, .T = T, .prompt = PROMPT, .height = SIDE, .frames = frames, .state = state},
      film, json_pack("{s:f}", "action_shuffle_ratio", 1.5));
}

static void test_a_film_that_is_right_has_the_figures_of_the_real_one(void **state) {
  json_t *j = measure(0, -1);
  assert_true(figure(j, "mouth_corr") > 0.95); // area of a mouth, not its opening
  assert_float_equal(figure(j, "mouth_corr"), figure(j, "real_mouth_corr"), 1e-12);
  assert_true(figure(j, "av_offset_frames") == 0);
  assert_float_equal(figure(j, "audio_shuffle_ratio"), 1.5, 1e-12);
  assert_true(figure(j, "mouth_in_silence") < 0.02);
  assert_float_equal(figure(j, "identity_drift"), figure(j, "real_identity_drift"), 1e-12);
  json_decref(j);
}

static void test_a_film_that_is_late_or_early_is_told_by_how_much(void **state) {
  for (int late = -2; late <= 3; late++) {
    json_t *j = measure(late, -1);
    assert_true(figure(j, "av_offset_frames") == late);
    // who is late still speaks when it is silent
    if (late > 1) assert_true(figure(j, "mouth_in_silence") > 0.1);
    if (late) assert_true(figure(j, "mouth_corr") < figure(j, "real_mouth_corr") - 0.2);
    json_decref(j);
  }
}

static void test_another_face_is_a_drift(void **state) {
  json_t *same = measure(0, -1), *other = measure(0, 5);
  assert_true(figure(other, "identity_drift") > 5 * figure(same, "identity_drift") + 0.05);
  json_decref(same);
  json_decref(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_film_that_is_right_has_the_figures_of_the_real_one),
      cmocka_unit_test(test_a_film_that_is_late_or_early_is_told_by_how_much),
      cmocka_unit_test(test_another_face_is_a_drift),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
