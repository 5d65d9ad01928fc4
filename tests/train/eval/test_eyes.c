// labels: quick
// Blinks read off pictures: of every face, wherever it looks, and counted in films.
#include "tests/base/assert.h"

#include <stdlib.h>

#include "tests/train/eval/face_films.h"

enum { SIDE = 64, E = 2, T = 24, PROMPT = 4, H = T - PROMPT, BYTES = SIDE * SIDE * 3 };
enum { Q = DATA_FACE_STATE };

static double white_of(int who, float blink, float turn, float gaze, float open) {
  static uint8_t rgb[BYTES];
  float s[Q] = {0};
  s[DATA_FACE_IDENTITY] = (float)who;
  s[DATA_FACE_BLINK] = blink;
  s[DATA_FACE_TURN] = turn;
  s[DATA_FACE_GAZE_X] = gaze;
  s[DATA_FACE_OPEN] = open;
  data_face_draw(s, SIDE, SIDE, rgb);
  return data_face_eyes(rgb, SIDE, SIDE);
}

static void test_open_and_shut_eyes_are_told_apart_in_every_face(void **state) {
  for (int who = 0; who < DATA_FACE_IDENTITIES; who++)
    for (float turn = -1; turn <= 1; turn += 1)
      for (float gaze = -1; gaze <= 1; gaze += 2) {
        const double open = white_of(who, 0, turn, gaze, 1);
        const double half = white_of(who, 0.5F, turn, gaze, 1);
        if (open < 0.004 || half > 0.7 * open || white_of(who, 1, turn, gaze, 1) > 0)
          fail_msg("face %d, turned %g, gaze %g: %g open, %g half shut, %g shut", who, turn, gaze,
                   open, half, white_of(who, 1, turn, gaze, 1));
      }
}

// Clip 0 shuts its eyes in frames 8, 9 and 15 of the recording; clip 1 never does.
static json_t *measure(bool blinks) {
  static uint8_t frames[E * T * BYTES], film[E * H * BYTES];
  static float state[E * T * Q];
  for (int i = 0; i < E; i++)
    for (int t = 0; t < T; t++) {
      float *s = state + (i * T + t) * Q;
      s[DATA_FACE_IDENTITY] = (float)i;
      s[DATA_FACE_BLINK] = i == 0 && (t == 8 || t == 9 || t == 15);
      data_face_draw(s, SIDE, SIDE, frames + (i * T + t) * BYTES);
      float shown[Q];
      memcpy(shown, s, sizeof shown);
      if (!blinks) shown[DATA_FACE_BLINK] = 0;
      if (t >= PROMPT) data_face_draw(shown, SIDE, SIDE, film + (i * H + t - PROMPT) * BYTES);
    }
  return face_figures(&train_measure_eyes,
                      &(train_eval_set){.E = E,
                                        .T = T,
                                        .prompt = PROMPT,
                                        .height = SIDE,
                                        .dt_s = 0.04,
                                        .frames = frames,
                                        .state = state},
                      film, json_object());
}

static void test_blinks_are_counted(void **state) {
  json_t *j = measure(true);
  assert_float_equal(figure(j, "eyes_shut"), 3.0 / (E * H), 1e-12);
  assert_float_equal(figure(j, "blinks_a_minute"), 2 / (E * H * 0.04 / 60), 1e-9);
  assert_float_equal(figure(j, "blinks_a_minute"), figure(j, "real_blinks_a_minute"), 1e-12);
  assert_true(figure(j, "eyes_corr") > 0.9); // faces have eyes of their own size
  json_decref(j);
}

static void test_a_face_that_stares_never_blinks(void **state) {
  json_t *j = measure(false);
  assert_true(figure(j, "eyes_shut") == 0 && figure(j, "blinks_a_minute") == 0);
  assert_float_equal(figure(j, "real_eyes_shut"), 3.0 / (E * H), 1e-12);
  json_decref(j);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_open_and_shut_eyes_are_told_apart_in_every_face),
      cmocka_unit_test(test_blinks_are_counted),
      cmocka_unit_test(test_a_face_that_stares_never_blinks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
