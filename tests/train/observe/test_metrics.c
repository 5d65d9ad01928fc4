// labels: quick
// metrics.jsonl: what a resumed run keeps, and numbers that JSON does not have.
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/json.h"
#include "tests/base/folder.h"
#include "train/observe/metrics.h"
#include "train/observe/metrics_table.h"

// The state is the path of a metrics.jsonl that is not there yet.
static int setup(void **state) {
  char dir[FOLDER_PATH];
  folder_make(dir);
  *state = orr_format("%s/metrics.jsonl", dir);
  return *state ? 0 : -1;
}

static int teardown(void **state) {
  *strrchr(*state, '/') = 0;
  return folder_teardown(state);
}

static train_outage outage; // of a folder that is written in by one thread

static void write_step(train_metrics *m, const train_step_metrics *s) {
  train_scalars v;
  train_metrics_list(s, &v);
  train_metrics_write(m, &v);
}

static void write_steps(const char *path, int64_t from, int64_t to) {
  train_metrics *m = NULL;
  assert_int_equal(train_metrics_open(path, from, &outage, &m), ORR_OK);
  for (int64_t step = from + 1; step <= to; step++) {
    const train_step_metrics s = {.step = step, .loss = 1.0 / (double)step, .tokens = 100.0};
    write_step(m, &s);
  }
  train_metrics_close(m);
}

// The file holds steps 1..last, each once, in lines that are JSON.
static void assert_steps(const char *path, int64_t last) {
  char *text = folder_read(path), *save = NULL;
  int64_t n = 0;
  for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
    json_t *j = NULL;
    assert_int_equal(orr_json_parse("line", l, strlen(l), &j), ORR_OK);
    assert_int_equal(json_integer_value(json_object_get(j, "step")), ++n);
    assert_true(fabs(json_number_value(json_object_get(j, "loss")) - 1.0 / (double)n) < 1e-9);
    json_decref(j);
  }
  assert_int_equal(n, last);
  orr_free(text);
}

static void test_a_new_run_starts_from_nothing(void **state) {
  write_steps(*state, 0, 5);
  assert_steps(*state, 5);
  write_steps(*state, 0, 3); // --resume none: the old lines go
  assert_steps(*state, 3);
}

static void test_lines_behind_the_resumed_step_are_dropped(void **state) {
  write_steps(*state, 0, 12);
  write_steps(*state, 9, 9);
  assert_steps(*state, 9);
  write_steps(*state, 9, 14);
  assert_steps(*state, 14);
}

static void append(const char *path, const char *text) {
  FILE *f = fopen(path, "a");
  fputs(text, f);
  fclose(f);
}

static void test_a_torn_last_line_is_dropped(void **state) {
  write_steps(*state, 0, 4);
  append(*state, "{\"step\": 5, \"loss\": 0.3");
  write_steps(*state, 9, 9); // a later step: everything whole stays
  assert_steps(*state, 4);
  append(*state, "{\"st");
  write_steps(*state, 4, 6);
  assert_steps(*state, 6);
}

// The file, whose lines hold steps 1 to `last`, without its line `number`, which is in the file
// beside.
static void assert_set_aside(const char *path, int64_t last, int64_t number, const char *words) {
  char beside[512], start[32];
  snprintf(beside, sizeof beside, "%s.bad", path);
  char *bad = folder_read(beside), *text = folder_read(path);
  assert_non_null(strstr(bad, words));
  for (int64_t step = 1; step <= last; step++) {
    snprintf(start, sizeof start, "{\"step\": %" PRId64 ",", step);
    assert_int_equal(strstr(text, start) != NULL, step != number);
  }
  orr_free(text);
  orr_free(bad);
}

// Whatever one byte of a line becomes, no other line is lost: an unreadable line, the number of a
// step that is another's, far ahead or none.
static void test_a_damaged_line_alone_is_set_aside(void **state) {
  static const struct {
    int64_t step;
    const char *from, *to;
  } damages[] = {{57, "{\"step\": 57,", "{\"step\": 57\x01"},
                 {57, "\"step\": 57", "\"stEp\": 57"},
                 {57, "\"step\": 57", "\"step\": 97"},
                 {57, "\"step\": 57", "\"step\": 17"},
                 {57, "\"step\": 57", "\"step\": 5e"},
                 {1, "\"step\": 1,", "\"step\": 3,"},
                 {57, "\"loss\": 0.01754", "\"loss\": \xff.01754"}};
  char beside[512];
  snprintf(beside, sizeof beside, "%s.bad", (char *)*state);
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
    write_steps(*state, 0, 100);
    char *text = folder_read(*state), *at = strstr(text, damages[i].from);
    assert_non_null(at);
    memcpy(at, damages[i].to, strlen(damages[i].to));
    assert_ok(orr_fs_write_atomic(*state, text, strlen(text)));
    orr_free(text);
    train_columns columns;
    assert_ok(train_columns_read(*state, &columns));
    assert_int_equal(columns.rows, 99);
    assert_int_equal(columns.unreadable, 1);
    train_columns_release(&columns);
    write_steps(*state, 90, 95); // resumed there
    assert_set_aside(*state, 95, damages[i].step, damages[i].to);
    unlink(beside);
  }
}

static void test_words_of_somebody_else_are_set_aside(void **state) {
  write_steps(*state, 0, 2);
  append(*state, "words of somebody else\n{\"step\": 3, \"loss\": 1}\n");
  write_steps(*state, 2, 4);
  assert_steps(*state, 4);
  assert_set_aside(*state, 4, 0, "words of somebody else");
}

static void test_numbers_that_are_none_become_null(void **state) {
  train_metrics *m = NULL;
  json_t *j = NULL;
  const train_step_metrics s = {.step = 1, .loss = NAN, .grad_norm = INFINITY, .lr = 0.25};
  assert_int_equal(train_metrics_open(*state, 0, &outage, &m), ORR_OK);
  write_step(m, &s);
  train_metrics_close(m);
  char *text = folder_read(*state);
  assert_int_equal(orr_json_parse("line", text, strlen(text), &j), ORR_OK);
  assert_true(json_is_null(json_object_get(j, "loss")));
  assert_true(json_is_null(json_object_get(j, "grad_norm")));
  assert_true(json_number_value(json_object_get(j, "lr")) == 0.25);
  json_decref(j);
  orr_free(text);
}

static void test_the_largest_numbers_fit_into_a_line(void **state) {
  train_metrics *m = NULL;
  train_step_metrics s = {.step = INT64_MAX};
  double *v = &s.loss;
  for (size_t i = 0; i < (sizeof s - offsetof(train_step_metrics, loss)) / sizeof *v; i++)
    v[i] = -1.7e308;
  s.fetches = s.device = s.skipped = true; // every line that there can be
  s.eval_ms = 1.7e308;
  s.figures = TRAIN_METRICS_FIGURES;
  for (int i = 0; i < s.figures; i++)
    s.figure[i] = (train_scalar){"eval_action_shuffle_ratio", "%.3f", -1.7e308};
  assert_int_equal(train_metrics_open(*state, 0, &outage, &m), ORR_OK);
  write_step(m, &s);
  train_metrics_close(m);
  char *text =
      folder_read(*state); // a whole number of 309 digits is more than the JSON reader takes
  assert_non_null(strstr(text, "\"mfu\": -1"));
  assert_string_equal(text + strlen(text) - 2, "}\n");
  orr_free(text);
}

// The disk is full at steps 2 and 3: nothing is lost, in memory or in the file.
static void test_what_has_no_room_is_written_when_there_is(void **state) {
  train_metrics *m = NULL;
  assert_int_equal(train_metrics_open(*state, 0, &outage, &m), ORR_OK);
  for (int64_t step = 1; step <= 3; step++) {
    const train_step_metrics s = {.step = step, .loss = 1.0 / (double)step};
    orr_fault_arm(ORR_FAULT_WRITE, step == 2);
    write_step(m, &s);
    assert_int_equal(orr_fault_fired(ORR_FAULT_WRITE), step == 2);
    assert_int_equal(atomic_load(&outage.files), step > 1); // not tried again within a second
    orr_fault_arm(ORR_FAULT_WRITE, 0);
  }
  char *text = folder_read(*state);
  assert_null(strstr(text, "{\"step\": 2"));
  assert_string_equal(text + strlen(text) - 2, "}\n"); // no half of a line
  orr_free(text);
  train_metrics_close(m);
  assert_int_equal(atomic_load(&outage.files), 0);
  assert_steps(*state, 3);
}

// A limit on the size of files stands for a disk that stays full.
static void test_a_run_that_ends_without_room_says_so(void **state) {
  struct rlimit before, small;
  train_metrics *m = NULL;
  const train_step_metrics s = {.step = 1, .loss = 1.0};
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 10;
  assert_int_equal(train_metrics_open(*state, 0, &outage, &m), ORR_OK);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  write_step(m, &s);
  train_metrics_close(m);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(atomic_load(&outage.files), 0);
  write_steps(*state, 0, 2); // and the file is fit for the next one
  assert_steps(*state, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_a_new_run_starts_from_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(test_lines_behind_the_resumed_step_are_dropped, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_a_torn_last_line_is_dropped, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_damaged_line_alone_is_set_aside, setup, teardown),
      cmocka_unit_test_setup_teardown(test_words_of_somebody_else_are_set_aside, setup, teardown),
      cmocka_unit_test_setup_teardown(test_numbers_that_are_none_become_null, setup, teardown),
      cmocka_unit_test_setup_teardown(test_the_largest_numbers_fit_into_a_line, setup, teardown),
      cmocka_unit_test_setup_teardown(test_what_has_no_room_is_written_when_there_is, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_a_run_that_ends_without_room_says_so, setup, teardown),
  };
  return cmocka_run_group_tests_name("train/metrics", tests, NULL, NULL);
}
