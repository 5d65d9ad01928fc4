// labels: quick
// Programs that say actions: taken one by one from a chunk, and named when they are late, wrong or
// gone; what they started goes with them.
#include "tests/base/assert.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/base/folder.h"
#include "train/policy/actor.h"

enum { HEIGHT = 4, WIDTH = 6, A = 2 };
static const uint8_t frame[HEIGHT * WIDTH * 3];

static train_actor_world world(double patience_s) {
  static const char *const names[A] = {"vx", "vy"};
  return (train_actor_world){.task_name = "push",
                             .fps = 10,
                             .height = HEIGHT,
                             .width = WIDTH,
                             .A = A,
                             .action_names = names,
                             .places = 2,
                             .patience_s = patience_s};
}

// A shell that answers what it is asked by `answer`.
#define ANSWERS(answer)                                                                            \
  "while read -r l; do case \"$l\" in *'\"say\":\"act\"'*) " answer ";; esac; done"

static orr_code act(const char *command, double patience_s, float *action) {
  const train_actor_world w = world(patience_s);
  train_actor *a = NULL;
  orr_code rc = train_actor_open(command, &w, &a);
  if (rc == ORR_OK) rc = train_actor_begin(a, 1, 3);
  if (rc == ORR_OK) rc = train_actor_act(a, 1, frame, NULL, action);
  train_actor_close(a);
  return rc;
}

static void test_a_program_answers_with_one_action_or_a_chunk(void **state) {
  float x[A];
  assert_ok(act(ANSWERS("echo '{\"actions\": [0.5, -3]}'"), 20, x));
  assert_true(x[0] == 0.5F && x[1] == -1); // within what the world takes
  const train_actor_world w = world(20);
  train_actor *a = NULL;
  assert_ok(train_actor_open(ANSWERS("echo '{\"actions\": [[0.1,0],[0.2,0],[0.3,0]]}'"), &w, &a));
  for (int64_t place = 0; place < 2; place++) assert_ok(train_actor_begin(a, place, 1));
  for (int t = 0; t < 4; t++)
    for (int64_t place = 0; place < 2; place++) { // each place has a chunk of its own
      assert_ok(train_actor_act(a, place, frame, t ? x : NULL, x));
      assert_float_equal(x[0], 0.1 * (t % 3 + 1), 1e-6);
    }
  assert_ok(train_actor_begin(a, 0, 2)); // what is left of a chunk is of another trial
  assert_ok(train_actor_act(a, 0, frame, NULL, x));
  assert_float_equal(x[0], 0.1, 1e-6);
  train_actor_close(a);
}

static void test_it_is_told_what_it_has_to_know(void **state) {
  char root[FOLDER_PATH], command[FOLDER_PATH + 200], path[FOLDER_PATH + 8];
  float x[A];
  folder_make(root);
  snprintf(command, sizeof command,
           "while read -r l; do printf '%%s\\n' \"$l\" >>%s/heard; case \"$l\" in "
           "*'\"say\":\"act\"'*) echo '{\"actions\": [0, 0]}';; esac; done",
           root);
  assert_ok(act(command, 20, x));
  snprintf(path, sizeof path, "%s/heard", root);
  char *heard = folder_text(root, "heard");
  static const char *const parts[] = {"\"task\":\"push\"", "\"components\":[\"vx\",\"vy\"]",
                                      "\"height\":4",      "\"width\":6",
                                      "\"say\":\"begin\"", "\"trial\":3",
                                      "\"action\":null",   "\"rgb\":\"AAAA"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (!strstr(heard, parts[i])) fail_msg("'%s' does not hold %s", heard, parts[i]);
  free(heard);
  folder_remove(root);
}

static void test_who_is_late_wrong_or_gone_is_named(void **state) {
  static const struct {
    const char *command, *word;
    orr_code rc;
    double patience_s;
  } cases[] = {
      {ANSWERS("sleep 600"), "did not answer within 0.3 s", ORR_EIO, 0.3},
      {"exec sleep 600", "did not answer within 0.3 s", ORR_EIO, 0.3},
      {"exit 3", "it has ended", ORR_EIO, 20},
      {"/no/such/program", "it has ended", ORR_EIO, 20},
      {ANSWERS("echo up"), "its answer", ORR_EFORMAT, 20},
      {ANSWERS("echo '{}'"), "no list of \"actions\"", ORR_EFORMAT, 20},
      {ANSWERS("echo '{\"actions\": []}'"), "0 in it", ORR_EFORMAT, 20},
      {ANSWERS("echo '{\"actions\": [[1,2,3]]}'"), "3 components", ORR_EFORMAT, 20},
      {ANSWERS("echo '{\"actions\": [[1,\"up\"]]}'"), "is no number", ORR_EFORMAT, 20},
      {ANSWERS("echo '{\"actions\": [[1,1e99]]}'"), "is no number", ORR_EFORMAT, 20},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    float x[A];
    assert_int_equal(act(cases[i].command, cases[i].patience_s, x), cases[i].rc);
    assert_message_names(cases[i].word, "policy ");
    if (!strstr(orr_status_message(), "policy")) fail_msg("%s", orr_status_message());
  }
}

static void test_what_a_program_started_goes_with_it(void **state) {
  char root[FOLDER_PATH], command[FOLDER_PATH + 100], *text;
  float x[A];
  folder_make(root);
  snprintf(command, sizeof command, "sleep 600 & echo $! >%s/pid; sleep 600", root);
  assert_int_equal(act(command, 0.3, x), ORR_EIO);
  text = folder_text(root, "pid");
  const pid_t child = (pid_t)strtol(text, NULL, 10);
  assert_true(child > 1);
  // killed; whoever adopts it may take a moment
  for (int i = 0; i < 2000 && kill(child, 0) == 0; i++) {
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
    FILE *f = fopen(path, "r");
    if (f) {
      if (!fgets(line, sizeof line, f)) line[0] = '\0';
      fclose(f);
    }
    if (strstr(line, ") Z ")) break;
    usleep(5000);
    assert_true(i < 1999);
  }
  free(text);
  folder_remove(root);
}

static void test_an_expert_needs_a_scene_that_has_one(void **state) {
  const train_actor_world w = world(1);
  train_actor *a = NULL;
  assert_int_equal(train_actor_open("expert:noise=1", &w, &a), ORR_ECONFIG);
  assert_message_names("expert", "only scenes with tasks");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_program_answers_with_one_action_or_a_chunk),
      cmocka_unit_test(test_it_is_told_what_it_has_to_know),
      cmocka_unit_test(test_who_is_late_wrong_or_gone_is_named),
      cmocka_unit_test(test_what_a_program_started_goes_with_it),
      cmocka_unit_test(test_an_expert_needs_a_scene_that_has_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
