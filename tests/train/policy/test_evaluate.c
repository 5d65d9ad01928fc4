// labels: full; needs: orrery
// `orrery policy evaluate` as it is used: the same verdicts again from the same seed, who does not
// answer is named and left out, recordings stand for a simulator.
#include "tests/base/assert.h"
#include "tests/train/tiny_world.h"

#include "base/json.h"
#include "data/sim/goals.h"
#include "data/sim/scene.h"

typedef struct {
  char root[FOLDER_PATH], model[FOLDER_PATH + 16];
  const char *trials;
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  *state = f;
  f->trials = "3";
  folder_make(f->root);
  tiny_world_set(f->root, "clips", (const char *const[]){"left", "right"});
  tiny_world_train(f->root, "tokenizer", "tokenizer", "clips", 24);
  tiny_world_tokenize(f->root, "clips", "tokens");
  tiny_world_train(f->root, "dynamics", "dynamics", "tokens", 24);
  snprintf(f->model, sizeof f->model, "%s/dynamics", f->root);
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  folder_remove(f->root);
  free(f);
  return 0;
}

// Runs it into ROOT/NAME with three more words and returns policy.json; *status is how it ended.
static json_t *evaluate(const fixture *f, const char *name, const char *const *more, int *status) {
  char out[FOLDER_PATH + 32], err[FOLDER_PATH + 32];
  json_t *j = NULL;
  snprintf(out, sizeof out, "%s/%s", f->root, name);
  snprintf(err, sizeof err, "%s/err", f->root);
  const char *words[40] = {program_path, "policy", "evaluate",  f->model, "--prompt", "2",
                           "--horizon",  "5",      "--replays", "2",      "--places", "2",
                           "--threads",  "1",      "--json",    out,      "--trials", f->trials};
  int n = 18;
  for (int i = 0; more[i]; i++) words[n++] = more[i];
  *status = program_wait(program_start(words, err, true));
  if (access(out, F_OK) == 0) assert_ok(orr_json_load(out, &j));
  return j;
}

static double rate(const json_t *j, int i, const char *key) {
  return json_number_value(json_object_get(json_array_get(json_object_get(j, "policies"), i), key));
}

static void test_policies_are_judged_and_who_does_not_answer_is_named(void **state) {
  const fixture *f = *state;
  if (!data_scene_at(0)->available()) {
    print_message("skipped: this build has no MuJoCo\n");
    skip();
  }
  static const char *const words[] = {"--scene",
                                      "tabletop",
                                      "--task",
                                      "reach",
                                      "--policy",
                                      "expert",
                                      "--policy",
                                      "expert:lazy=1",
                                      "--policy",
                                      "ws://127.0.0.1:9",
                                      "--policy",
                                      "exit 3",
                                      "--policy",
                                      "while read -r l; do case \"$l\" in *'\"say\":\"act\"'*) "
                                      "echo '{\"actions\":[0,0]}';; esac; done",
                                      NULL};
  int status[2];
  json_t *j[2];
  for (int i = 0; i < 2; i++) {
    j[i] = evaluate(f, i ? "again.json" : "policy.json", words, &status[i]);
    assert_non_null(j[i]);
    assert_int_equal(status[i], 1);
    const json_t *failed = json_object_get(j[i], "failed");
    static const char *const who[] = {"ws://127.0.0.1:9", "exit 3"};
    assert_int_equal(json_array_size(failed), 2);
    for (size_t p = 0; p < 2; p++)
      assert_string_equal(json_string_value(json_object_get(json_array_get(failed, p), "policy")),
                          who[p]);
    json_object_del(j[i], "failed"); // in which of two ways one that has gone is found gone: chance
    json_t *policies = json_object_get(j[i], "policies");
    assert_int_equal(json_array_size(policies), 3);
    json_object_del(j[i], "model_trial_ms"); // what a clock measured
    for (size_t p = 0; p < 3; p++) json_object_del(json_array_get(policies, p), "slowest_answer_s");
  }
  assert_true(json_equal(j[0], j[1]));
  assert_true(rate(j[0], 1, "success") == 0 && rate(j[0], 2, "success") == 0); // who rests
  assert_int_equal(json_integer_value(json_object_get(j[0], "trials")), 3);
  json_decref(j[0]);
  json_decref(j[1]);
}

// Recordings of one policy in ROOT/name: `episodes` of them, of which every second one failed.
static void record(const char *root, const char *name, int episodes, bool says_success) {
  static const char *const names[] = {"left", "right"};
  const data_shard_format format = {.branch = "worlds",
                                    .source = "runs of a policy",
                                    .fps = 10,
                                    .height = TINY_HEIGHT,
                                    .width = TINY_WIDTH,
                                    .A = TINY_A,
                                    .action_names = names,
                                    .success = says_success};
  char dir[600], path[700];
  data_shard_writer *w = NULL;
  snprintf(dir, sizeof dir, "%s/%s", root, name);
  assert_ok(orr_fs_mkdirs(dir));
  snprintf(path, sizeof path, "%s/shard-00000.h5", dir);
  assert_ok(data_shard_writer_create(path, &format, DATA_FILTER_NONE, &w));
  for (int e = 0; e < episodes; e++) {
    if (says_success) assert_ok(data_shard_writer_set_success(w, e % 2 == 0));
    tiny_world_episode(w, (uint64_t)e);
  }
  assert_ok(data_shard_writer_finish(w));
  data_shard_writer_destroy(w);
  assert_ok(data_index_build(dir, NULL));
}

// What `orrery rollout` says of ROOT/a's episode `clip` in the frames after the prompt until a
// trial that succeeds at once is over.
static double rolled_surprise(const fixture *f, int clip) {
  char data[FOLDER_PATH + 32], film[FOLDER_PATH + 32], told[FOLDER_PATH + 32],
      err[FOLDER_PATH + 32], number[16];
  snprintf(data, sizeof data, "%s/a", f->root);
  snprintf(film, sizeof film, "%s/film.png", f->root);
  snprintf(told, sizeof told, "%s/told", f->root);
  snprintf(err, sizeof err, "%s/err", f->root);
  snprintf(number, sizeof number, "%d", clip);
  const char *const words[] = {program_path, "rollout",  f->model, "--data",     data, "--clip",
                               number,       "--out",    film,     "--surprise", told, "--prompt",
                               "2",          "--frames", "3",      "--threads",  "1",  NULL};
  assert_int_equal(program_wait(program_start(words, err, true)), 0);
  char *text = folder_text(f->root, "told");
  double sum = 0;
  int lines = 0;
  for (const char *at = text; (at = strstr(at, "\"surprise\": ")); lines++)
    sum += strtod(at += strlen("\"surprise\": "), NULL);
  assert_int_equal(lines, DATA_GOALS_HELD);
  free(text);
  return sum / lines;
}

static void test_recordings_stand_for_a_simulator(void **state) {
  const fixture *f = *state;
  char a[FOLDER_PATH + 32], b[FOLDER_PATH + 32], c[FOLDER_PATH + 32];
  int status;
  record(f->root, "a", 3, true);
  record(f->root, "b", 2, true);
  record(f->root, "c", 3, false);
  snprintf(a, sizeof a, "recorded:%s/a", f->root);
  snprintf(b, sizeof b, "recorded:%s/b", f->root);
  snprintf(c, sizeof c, "recorded:%s/c", f->root);
  const char *const words[] = {"--scene", "tabletop", "--policy", a, "--policy", b, NULL};
  json_t *j = evaluate(f, "recorded.json", words, &status);
  assert_int_equal(status, 0);
  assert_int_equal(json_integer_value(json_object_get(j, "trials")), 2); // what all have
  for (int i = 0; i < 2; i++) assert_true(rate(j, i, "success") == 0.5);
  const json_t *told =
      json_object_get(json_array_get(json_object_get(j, "policies"), 0), "surprise");
  assert_int_equal(json_array_size(told), 2);
  for (int i = 0; i < 2; i++) assert_true(rate(j, i, "model_success") == 1);
  for (int n = 0; n < 2; n++)
    assert_float_equal(json_number_value(json_array_get(told, (size_t)n)), rolled_surprise(f, n),
                       1e-6);
  json_decref(j);
  // one alone is judged, too; what compares policies says nothing
  const char *const alone[] = {"--scene", "tabletop", "--policy", a, NULL};
  j = evaluate(f, "alone.json", alone, &status);
  assert_int_equal(status, 0);
  assert_true(rate(j, 0, "success") < 1 && rate(j, 0, "model_success") == 1);
  assert_true(json_is_null(json_object_get(j, "policy_r")) &&
              json_is_null(json_object_get(j, "policy_mmrv")));
  json_decref(j);
  const char *const silent[] = {"--scene", "tabletop", "--policy", a, "--policy", c, NULL};
  assert_null(evaluate(f, "silent.json", silent, &status));
  assert_int_equal(status, 1);
  char *err = folder_text(f->root, "err");
  if (!strstr(err, "nothing says which of its episodes succeeded")) fail_msg("%s", err);
  free(err);
}

// A model with a head for progress, which has learned nothing, in ROOT/headed.
static void train_headed(fixture *f) {
  char yaml[FOLDER_PATH + 32], dir[FOLDER_PATH + 32];
  snprintf(yaml, sizeof yaml, "%s/dynamics.yaml", f->root);
  snprintf(dir, sizeof dir, "run.dir=%s/headed", f->root);
  tiny_world_run(f->root, (const char *const[]){program_path, "train", yaml, "--set", dir, "--set",
                                                "train.steps=2", "--set",
                                                "model.progress_weight=0.1", NULL});
  snprintf(f->model, sizeof f->model, "%s/headed", f->root);
}

static void test_the_head_is_calibrated_on_recordings(void **state) {
  fixture *f = *state;
  char d[FOLDER_PATH + 32], c[FOLDER_PATH + 32];
  int status;
  if (!data_scene_at(0)->available()) skip();
  train_headed(f);
  f->trials = "9";
  record(f->root, "d", 9, true);
  record(f->root, "e", 9, false);
  snprintf(d, sizeof d, "%s/d", f->root);
  snprintf(c, sizeof c, "%s/e", f->root);
  const char *const words[] = {"--scene",       "tabletop",    "--policy", "expert", "--policy",
                               "expert:lazy=1", "--calibrate", d,          NULL};
  json_t *j = evaluate(f, "calibrated.json", words, &status);
  assert_int_equal(status, 0);
  const json_t *judge = json_object_get(j, "judge");
  assert_int_equal(json_integer_value(json_object_get(judge, "recordings")), 9);
  assert_int_equal(json_integer_value(json_object_get(judge, "recordings_succeeded")), 5);
  assert_true(json_number_value(json_object_get(judge, "balanced_accuracy")) >= 0.5);
  const double threshold = json_number_value(json_object_get(judge, "threshold"));
  assert_true(threshold > 0 && threshold < 1 && threshold != 0.8);
  // all that a model's frame costs is told: those of trials that are over are not made
  const json_int_t frames = json_integer_value(json_object_get(j, "model_frames"));
  assert_true(frames >= 2 * 9 * DATA_GOALS_HELD && frames <= 2 * 9 * 5);
  json_decref(j);
  const char *const silent[] = {"--scene", "tabletop",    "--policy", "expert", "--policy",
                                "expert",  "--calibrate", c,          NULL};
  assert_null(evaluate(f, "uncalibrated.json", silent, &status));
  assert_int_equal(status, 1);
  char *err = folder_text(f->root, "err");
  if (!strstr(err, "nothing says which of its episodes succeeded")) fail_msg("%s", err);
  free(err);
}

static void test_what_cannot_be_judged_is_said(void **state) {
  static const struct {
    const char *words[8], *said;
    int status;
  } cases[] = {
      {{"--scene", "tabletop", "--task", "fly"}, "got 'fly'", 2},
      {{"--scene", "arm"}, "7 action components, the model takes 3", 1},
      {{"--policy", "expert", "--policy", "expert"}, "--data DIR or --scene NAME", 2},
      {{"--scene", "tabletop", "--policy", "expert", "--policy", "expert:speed=2"}, "speed", 2},
      {{"--scene", "tabletop", "--judge", "eye"}, "got 'eye'", 2},
  };
  const fixture *f = *state;
  if (!data_scene_at(0)->available()) skip();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int status;
    json_t *j = evaluate(f, "none.json", cases[i].words, &status);
    assert_null(j);
    char *err = folder_text(f->root, "err");
    if (status != cases[i].status || !strstr(err, cases[i].said))
      fail_msg("case %zu ended with %d: %s", i, status, err);
    free(err);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_policies_are_judged_and_who_does_not_answer_is_named),
      cmocka_unit_test(test_recordings_stand_for_a_simulator),
      cmocka_unit_test(test_what_cannot_be_judged_is_said),
      cmocka_unit_test(test_the_head_is_calibrated_on_recordings), // has another model from here on
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
