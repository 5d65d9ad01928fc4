// labels: full
// The exam is examined: what examinees must score whose knowledge is known. `orrery exam DIR
// --examinee NAME --pairs 400` asks 400 pairs a concept (docs/exam.md has the figures); here are
// few, and what holds in each group of four is asked exactly.
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/sim/physics_play.h"
#include "dist/world.h"
#include "tests/base/folder.h"
#include "train/exam/calibration_file.h"
#include "train/exam/exam.h"

enum { SIDE = 64, PAIRS = 6, FRAMES = TRAIN_EXAM_FRAMES };

typedef struct {
  char root[FOLDER_PATH];
  dist_world *world;
  train_exam_options o;
} fixture;

static int setup(void **state) {
  static fixture f;
  *state = &f;
  folder_make(f.root);
  assert_ok(dist_world_open(&f.world));
  f.o = (train_exam_options){.root = f.root,
                             .pairs = PAIRS,
                             .rollouts = 4,
                             .changes = 4,
                             .longs = 2,
                             .height = SIDE,
                             .width = SIDE,
                             .seed = 1,
                             .branch = "worlds",
                             .processes = 2};
  for (int c = 0; c < DATA_PHYSICS_CONCEPTS; c++) f.o.concept[c] = true;
  f.o.range[DATA_PHYSICS_RANGE_inside] = true;
  if (data_physics_available()) assert_ok(train_exam_make(&f.o));
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  dist_world_close(f->world);
  folder_remove(f->root);
  return 0;
}

// The exam of an examinee; the caller frees it.
static json_t *sit(fixture *f, const char *name) {
  train_examinee e;
  json_t *j = NULL;
  if (!data_physics_available()) {
    print_message("skipped: this build has no MuJoCo\n");
    skip();
  }
  assert_ok(train_examinee_find(name, &e));
  assert_ok(train_exam_run(f->world->axis[DIST_AXIS_WORLD], &f->o, &e, &j));
  train_examinee_destroy(&e);
  return j;
}

static double figure(const json_t *j, int concept, const char *name) {
  const json_t *v = json_object_get(
      json_object_get(
          json_object_get(json_object_get(j, data_physics_concept_names[concept]), "inside"), name),
      "value");
  return json_is_number(v) ? json_number_value(v) : NAN;
}

static void test_the_simulator_itself_gets_everything_right(void **state) {
  static const char *const ones[] = {
      "surprise_accuracy", "surprise_relative", "surprise_auroc", "effect_corr",
      "effect_iou",        "permanence",        "number"};
  json_t *j = sit(*state, "oracle");
  for (int c = 0; c < DATA_PHYSICS_CONCEPTS; c++) {
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
      if (fabs(figure(j, c, ones[i]) - 1) > 1e-12)
        fail_msg("%s %s: %g", data_physics_concept_names[c], ones[i], figure(j, c, ones[i]));
    assert_true(figure(j, c, "wrong_at_16") == 0);
    assert_true(figure(j, c, "position_error") == 0 && figure(j, c, "velocity_error") == 0);
    // what it is compared with is not right
    assert_true(figure(j, c, "persistence_position_error") > 0.02);
  }
  assert_true(figure(j, DATA_PHYSICS_CONCEPT_collision, "momentum_error") == 0);
  json_decref(j);
}

// Whoever sees no past, or only the last frame of it, has the same opinion of an ending wherever it
// comes: exactly one half.
static void test_who_sees_no_past_gets_one_half(void **state) {
  static const char *const names[] = {"blind", "copy"};
  for (int i = 0; i < 2; i++) {
    json_t *j = sit(*state, names[i]);
    for (int c = 0; c < DATA_PHYSICS_CONCEPTS; c++) {
      assert_true(figure(j, c, "surprise_accuracy") == 0.5);
      assert_true(figure(j, c, "surprise_relative") == 0.5);
      assert_true(fabs(figure(j, c, "surprise_auroc") - 0.5) < 1e-12);
    }
    json_decref(j);
  }
}

// Six pairs a concept, most of which look equal: over all eight the 48 are off by no more than two
// standard deviations of so many coins; unbalanced worlds gave .23 to .35 for motion alone.
static void test_who_sees_colours_alone_gets_about_one_half(void **state) {
  double sum = 0;
  json_t *j = sit(*state, "looks");
  for (int c = 0; c < DATA_PHYSICS_CONCEPTS; c++) sum += figure(j, c, "surprise_accuracy");
  assert_true(fabs(sum / DATA_PHYSICS_CONCEPTS - 0.5) < 0.14);
  json_decref(j);
}

// Things that go straight on: right about level motion, and right about where they are then.
static void test_who_goes_straight_on_knows_level_motion(void **state) {
  json_t *j = sit(*state, "linear");
  assert_true(figure(j, DATA_PHYSICS_CONCEPT_motion, "surprise_accuracy") >= 2.0 / 3);
  assert_true(figure(j, DATA_PHYSICS_CONCEPT_motion, "position_error") <
              0.6 * figure(j, DATA_PHYSICS_CONCEPT_motion, "persistence_position_error"));
  assert_true(figure(j, DATA_PHYSICS_CONCEPT_permanence, "surprise_accuracy") == 0.5);
  json_decref(j);
}

// A calibration is fitted once: found again it is what the file says, of another key it is fitted
// anew, and one that lacks a concept too.
static void test_a_calibration_is_found_again(void **state) {
  fixture *f = *state;
  train_examinee e;
  train_exam_calibration c;
  orr_path file;
  json_t *key = json_pack("{s:s}", "examinee", "linear"), *j = NULL;
  train_exam_options o = train_exam_calibration_options(&f->o, 2);
  dist_comm *all = f->world->axis[DIST_AXIS_WORLD];
  if (!data_physics_available()) skip();
  assert_true(o.seed != f->o.seed && o.range[DATA_PHYSICS_RANGE_training] &&
              !o.range[DATA_PHYSICS_RANGE_inside]);
  for (int i = 0; i < DATA_PHYSICS_CONCEPTS; i++) o.concept[i] = i == DATA_PHYSICS_CONCEPT_motion;
  assert_ok(train_exam_make(&o));
  assert_ok(train_examinee_find("linear", &e));
  assert_ok(orr_fs_join(file, sizeof file, f->root, "calibration.json"));
  assert_ok(train_exam_calibration_find(all, file, key, &o, &e, &c));
  const double fitted = c.pair[DATA_PHYSICS_CONCEPT_motion];
  assert_true(fitted > 0 && c.pair[DATA_PHYSICS_CONCEPT_tool] == 0);
  assert_ok(orr_json_load(file, &j));
  json_object_set_new(json_object_get(j, "pair"), "motion", json_real(0.5));
  assert_ok(orr_json_store(file, j));
  assert_ok(train_exam_calibration_find(all, file, key, &o, &e, &c));
  assert_true(c.pair[DATA_PHYSICS_CONCEPT_motion] == 0.5);
  json_object_set_new(key, "step", json_integer(1));
  assert_ok(train_exam_calibration_find(all, file, key, &o, &e, &c));
  assert_true(c.pair[DATA_PHYSICS_CONCEPT_motion] == fitted);
  json_object_del(json_object_get(j, "group"), "motion");
  json_object_set(j, "of", key);
  assert_ok(orr_json_store(file, j));
  assert_ok(train_exam_calibration_find(all, file, key, &o, &e, &c));
  assert_true(c.pair[DATA_PHYSICS_CONCEPT_motion] == fitted);
  json_decref(j);
  json_decref(key);
}

// The one that sees colours does see them: endings in another colour are told at once.
static void test_colours_are_seen(void **state) {
  enum { BYTES = SIDE * SIDE * 3 };
  train_exam_set s = {.choice = {.pairs = true},
                      .E = 2,
                      .T = FRAMES,
                      .height = SIDE,
                      .width = SIDE,
                      .group = 4,
                      .event = 6,
                      .frames = orr_calloc(2 * FRAMES, BYTES)};
  for (int t = 7; t < FRAMES; t++)
    for (int i = 0; i < BYTES / 8; i += 3) s.frames[(FRAMES + t) * BYTES + i] = 200;
  const train_exam_clip clip[] = {{&s, 0, 7}, {&s, 1, 7}};
  train_examinee e;
  double nats[2 * TRAIN_EXAM_MOST];
  assert_ok(train_examinee_find("looks", &e));
  assert_ok(e.surprise(e.ctx, clip, 2, nats));
  assert_true(nats[7] == 0 && nats[TRAIN_EXAM_MOST + 7] > 5);
  orr_free(s.frames);
}

static void test_an_unknown_examinee_is_refused(void **state) {
  train_examinee e;
  assert_int_equal(train_examinee_find("monkey", &e), ORR_ECONFIG);
  assert_message_names("monkey", "oracle", "linear");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_simulator_itself_gets_everything_right),
      cmocka_unit_test(test_who_sees_no_past_gets_one_half),
      cmocka_unit_test(test_who_sees_colours_alone_gets_about_one_half),
      cmocka_unit_test(test_who_goes_straight_on_knows_level_motion),
      cmocka_unit_test(test_a_calibration_is_found_again),
      cmocka_unit_test(test_colours_are_seen),
      cmocka_unit_test(test_an_unknown_examinee_is_refused),
  };
  orr_log_setup(ORR_LOG_ERROR, 0, 1);
  return cmocka_run_group_tests_name("train/exam/validity", tests, setup, teardown);
}
