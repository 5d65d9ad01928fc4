// labels: quick
// history.jsonl, and what becomes of a run's wall time in the end.
#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "tests/base/folder.h"
#include "train/observe/goodput.h"
#include "train/observe/history.h"

static train_outage outage; // of a folder that is written in by one thread

static train_goodput read(const char *dir) {
  char path[256];
  train_columns m;
  train_goodput g;
  json_t *history;
  int64_t bad;
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "metrics.jsonl"), ORR_OK);
  assert_int_equal(train_columns_read(path, &m), ORR_OK);
  assert_int_equal(train_history_read(dir, &history, &bad), ORR_OK);
  train_goodput_of(history, &m, &g);
  json_decref(history);
  train_columns_release(&m);
  return g;
}

static void assert_near(double got, double wanted) {
  if (fabs(got - wanted) > 1e-6) fail_msg("got %.9g, wanted %.9g", got, wanted);
}

// Two processes: the first starts at 1000, is ready at 1010, is last seen at 1020; the second
// repeats one of its steps, and comes at 1050.
static void test_every_second_of_a_run_is_in_one_class(void **state) {
  folder_store(
      *state, "history.jsonl",
      "{\"time\": 1000, \"event\": \"start\", \"step\": 0, \"lost_s\": 0, \"seen\": 0}\n"
      "{\"time\": 1010, \"event\": \"ready\", \"step\": 0}\n"
      "{\"time\": 10"
      "\n"
      "{\"time\": 1050, \"event\": \"start\", \"step\": 2, \"lost_steps\": 1, \"lost_s\": 3,"
      " \"seen\": 1020}\n"
      "{\"time\": 1052, \"event\": \"ready\", \"step\": 2}\n"
      "{\"time\": 1063, \"event\": \"finished\", \"step\": 4}\n");
  folder_store(
      *state, "metrics.jsonl",
      "{\"step\": 1, \"step_ms\": 3000, \"data_wait_ms\": 500, \"ckpt_stall_ms\": 0, \"time\": "
      "1013}\n"
      "{\"step\": 2, \"step_ms\": 3000, \"data_wait_ms\": 0, \"ckpt_stall_ms\": 1000, \"time\": "
      "1016}\n"
      "{\"step\": 3, \"step_ms\": 4000, \"skipped\": 1, \"time\": 1056}\n"
      "{\"step\": 4, \"step_ms\": 5000, \"eval_ms\": 1500, \"time\": 1061}\n");
  const train_goodput g = read(*state);
  assert_int_equal(g.starts, 2);
  assert_int_equal(g.lost_steps, 1);
  assert_int_equal(g.skipped_steps, 1);
  assert_near(g.wall_s, 63);
  assert_near(g.steps_s, 2.5 + 2 + 5);
  assert_near(g.data_s, 0.5);
  assert_near(g.checkpoint_s, 1);
  assert_near(g.eval_s, 1.5);
  assert_near(g.skipped_s, 4);
  assert_near(g.lost_s, 3);
  assert_near(g.start_s, 10 + 2);
  assert_near(g.down_s, 30);
  assert_near(g.other_s, 63 - 9.5 - 0.5 - 1 - 1.5 - 4 - 3 - 12 - 30);
  assert_near(train_goodput_share(&g), 9.5 / 63);
}

static void test_a_process_that_never_got_ready_is_start_up(void **state) {
  folder_store(*state, "history.jsonl",
               "{\"time\": 1000, \"event\": \"start\", \"step\": 0}\n"
               "{\"time\": 1007, \"event\": \"failed\", \"step\": 0}\n"
               "{\"time\": 1020, \"event\": \"start\", \"step\": 0}\n"
               "{\"time\": 1022, \"event\": \"ready\", \"step\": 0}\n");
  folder_store(*state, "metrics.jsonl", "{\"step\": 1, \"step_ms\": 1000, \"time\": 1023}\n");
  const train_goodput g = read(*state);
  assert_near(g.start_s, 7 + 2);
  assert_near(g.down_s, 13);
  assert_near(g.wall_s, 23);
  assert_near(g.other_s, 0);
}

// The second node's clock is slow by a minute, the third's as far ahead of that.
static void test_clocks_that_disagree_change_only_the_time_between_processes(void **state) {
  folder_store(*state, "history.jsonl",
               "{\"time\": 1000, \"event\": \"start\", \"step\": 0}\n"
               "{\"time\": 1001, \"event\": \"ready\", \"step\": 0}\n"
               "{\"time\": 950, \"event\": \"start\", \"step\": 1, \"seen\": 1005}\n"
               "{\"time\": 951, \"event\": \"ready\", \"step\": 1}\n"
               "{\"time\": 1015, \"event\": \"start\", \"step\": 2, \"seen\": 955}\n"
               "{\"time\": 1016, \"event\": \"failed\", \"step\": 2}\n");
  folder_store(*state, "metrics.jsonl",
               "{\"step\": 1, \"step_ms\": 4000, \"time\": 1005}\n"
               "{\"step\": 2, \"step_ms\": 4000, \"time\": 955}\n");
  const train_goodput g = read(*state);
  assert_near(g.steps_s, 8);
  assert_near(g.start_s, 1 + 1 + 1);
  assert_near(g.down_s, 0 + 60);
  assert_near(g.wall_s, 5 + 5 + 60 + 1);
  assert_near(g.other_s, 0);
}

static void test_a_run_without_history_has_no_goodput(void **state) {
  folder_store(*state, "metrics.jsonl", "{\"step\": 1, \"step_ms\": 1000}\n");
  const train_goodput g = read(*state);
  assert_int_equal(g.starts, 0);
  assert_near(train_goodput_share(&g), 0);
}

static void test_a_start_names_the_steps_that_are_lost(void **state) {
  const dist_grid grid = {.tp = 2, .cp = 1, .dp = 3, .ranks = 6};
  train_history *h;
  folder_store(*state, "metrics.jsonl",
               "{\"step\": 1, \"step_ms\": 1000, \"time\": 11}\n"
               "{\"step\": 2, \"step_ms\": 2500, \"time\": 13}\n"
               "{\"step\": 3, \"step_ms\": 1500, \"time\": 15}\n");
  folder_store(*state, "history.jsonl",
               "{\"time\": 9, \"event\": \"start\", \"step\": 0}\n"
               "{\"time\": 9, \"event\" \"ready\", \"step\": 0}\n" // a byte is wrong
               "{\"time\": 9, \"event\": \"failed\", \"step\": 1}\n"
               "{\"time\": 10, \"event\": \"start\", \"ste"); // torn
  assert_int_equal(train_history_open(*state, &grid, orr_clock_ms() - 5e3, 1, NULL, &outage, &h),
                   ORR_OK);
  train_history_add(h, "skipped", 2, "the loss is not finite");
  train_history_close(h);
  char *text = folder_text(*state, "history.jsonl.bad"), *save;
  assert_string_equal(text, "{\"time\": 9, \"event\" \"ready\", \"step\": 0}\n");
  orr_free(text);
  text = folder_text(*state, "history.jsonl");
  assert_non_null(strstr(strtok_r(text, "\n", &save), "\"start\""));
  assert_non_null(strstr(strtok_r(NULL, "\n", &save), "\"failed\""));
  json_t *start = json_loads(strtok_r(NULL, "\n", &save), 0, NULL),
         *skipped = json_loads(strtok_r(NULL, "\n", &save), 0, NULL);
  assert_int_equal(json_integer_value(json_object_get(start, "lost_steps")), 2);
  const double began = orr_clock_wall() - json_number_value(json_object_get(start, "time"));
  assert_true(began >= 5.0 && began < 65.0); // a minute for a slow machine
  assert_near(json_number_value(json_object_get(start, "lost_s")), 4);
  assert_near(json_number_value(json_object_get(start, "seen")), 15);
  assert_int_equal(json_integer_value(json_object_get(start, "dp")), 3);
  assert_string_equal(json_string_value(json_object_get(skipped, "words")),
                      "the loss is not finite");
  assert_null(strtok_r(NULL, "\n", &save));
  json_decref(start);
  json_decref(skipped);
  orr_free(text);
}

// The event that a report becomes, and its words.
static void expect_event(const char *dir, const char *report, const char *event,
                         const char *words) {
  json_t *history;
  int64_t bad;
  train_history_add_report(dir, 7, report);
  assert_int_equal(train_history_read(dir, &history, &bad), ORR_OK);
  const json_t *last = json_array_get(history, json_array_size(history) - 1);
  assert_string_equal(json_string_value(json_object_get(last, "event")), event);
  assert_string_equal(json_string_value(json_object_get(last, "words")), words);
  assert_int_equal(json_integer_value(json_object_get(last, "step")), 7);
  assert_true(json_number_value(json_object_get(last, "time")) > 1e9);
  json_decref(history);
}

static void test_a_report_on_a_hang_becomes_an_event(void **state) {
  expect_event(*state,
               "hang report\ndp barrier, call 3: 2 of 3 ranks wait\n"
               "missing: rank 1 (n, pid 4) from dp barrier: its process has ended\nadvice: look\n",
               "died", "missing: rank 1 (n, pid 4) from dp barrier: its process has ended");
  expect_event(*state,
               "hang report\nmissing: rank 1 (n, pid 4): it does not answer\n"
               "failed: rank 2: dp axis",
               "hung", "missing: rank 1 (n, pid 4): it does not answer; failed: rank 2: dp axis");
}

static void test_a_report_after_a_torn_line_has_a_line_of_its_own(void **state) {
  const char *dir = *state;
  folder_store(dir, "history.jsonl",
               "{\"time\":1.0,\"event\":\"ready\",\"step\":0}\n{\"time\":2.0,\"event\":\"sav");
  expect_event(dir, "hang report\nmissing: rank 1 (n, pid 4): it does not answer\n", "hung",
               "missing: rank 1 (n, pid 4): it does not answer");
  char *text = folder_text(dir, "history.jsonl");
  assert_non_null(strstr(text, "\"sav\n{"));
  assert_null(strstr(text, "\n\n"));
  orr_free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define EACH(t) cmocka_unit_test_setup_teardown(t, folder_setup, folder_teardown)
      EACH(test_every_second_of_a_run_is_in_one_class),
      EACH(test_a_process_that_never_got_ready_is_start_up),
      EACH(test_clocks_that_disagree_change_only_the_time_between_processes),
      EACH(test_a_run_without_history_has_no_goodput),
      EACH(test_a_report_on_a_hang_becomes_an_event),
      EACH(test_a_report_after_a_torn_line_has_a_line_of_its_own),
      EACH(test_a_start_names_the_steps_that_are_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
