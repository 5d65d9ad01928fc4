// labels: quick
// metrics.jsonl: what a resumed run keeps, and numbers that JSON does not have.
#include <math.h>

#include "base/fault.h"
#include "base/json.h"
#include "tests/base/folder.h"
#include "train/observe/metrics.h"

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

static orr_code write_step(train_metrics *m, const train_step_metrics *s) {
  train_scalars v;
  train_metrics_list(s, &v);
  return train_metrics_write(m, &v);
}

static void write_steps(const char *path, int64_t from, int64_t to) {
  train_metrics *m = NULL;
  assert_int_equal(train_metrics_open(path, from, &m), ORR_OK);
  for (int64_t step = from + 1; step <= to; step++) {
    const train_step_metrics s = {.step = step, .loss = 1.0 / (double)step, .tokens = 100.0};
    assert_int_equal(write_step(m, &s), ORR_OK);
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

static void test_what_is_no_metrics_line_ends_what_is_kept(void **state) {
  write_steps(*state, 0, 2);
  append(*state, "words of somebody else\n{\"step\": 3, \"loss\": 1}\n");
  write_steps(*state, 2, 4);
  assert_steps(*state, 4);
}

static void test_numbers_that_are_none_become_null(void **state) {
  train_metrics *m = NULL;
  json_t *j = NULL;
  const train_step_metrics s = {.step = 1, .loss = NAN, .grad_norm = INFINITY, .lr = 0.25};
  assert_int_equal(train_metrics_open(*state, 0, &m), ORR_OK);
  assert_int_equal(write_step(m, &s), ORR_OK);
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
  assert_int_equal(train_metrics_open(*state, 0, &m), ORR_OK);
  assert_int_equal(write_step(m, &s), ORR_OK);
  train_metrics_close(m);
  char *text =
      folder_read(*state); // a whole number of 309 digits is more than the JSON reader takes
  assert_non_null(strstr(text, "\"mfu\": -1"));
  assert_string_equal(text + strlen(text) - 2, "}\n");
  orr_free(text);
}

static void test_a_failed_write_is_an_error_that_names_the_file(void **state) {
  train_metrics *m = NULL;
  const train_step_metrics s = {.step = 1};
  assert_int_equal(train_metrics_open(*state, 0, &m), ORR_OK);
  orr_fault_arm(ORR_FAULT_WRITE, 1);
  assert_int_equal(write_step(m, &s), ORR_EIO);
  orr_fault_arm(ORR_FAULT_WRITE, 0);
  assert_non_null(strstr(orr_status_message(), *state));
  train_metrics_close(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_a_new_run_starts_from_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(test_lines_behind_the_resumed_step_are_dropped, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_a_torn_last_line_is_dropped, setup, teardown),
      cmocka_unit_test_setup_teardown(test_what_is_no_metrics_line_ends_what_is_kept, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_numbers_that_are_none_become_null, setup, teardown),
      cmocka_unit_test_setup_teardown(test_the_largest_numbers_fit_into_a_line, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_failed_write_is_an_error_that_names_the_file, setup,
                                      teardown),
  };
  return cmocka_run_group_tests_name("train/metrics", tests, NULL, NULL);
}
