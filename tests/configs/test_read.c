// labels: quick
// Reading configurations: what is accepted, and one line for everything that is not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "configs/config.h"

static int make_config(void **state) {
  return cfg_create((cfg **)state) == ORR_OK ? 0 : -1;
}

static int destroy_config(void **state) {
  cfg_destroy(*state);
  return 0;
}

static orr_code read_text(cfg *c, const char *text) {
  return cfg_read_text(c, "x.yaml", text, strlen(text));
}

static void test_keys_of_every_kind_are_read(void **state) {
  cfg *c = *state;
  assert_int_equal(read_text(c, "train: {steps: 7, recompute: true}\n"
                                "optim:\n"
                                "  lr_peak: 1e-4 # a comment\n"
                                "  schedule: cosine\n"
                                "run:\n"
                                "  dir: runs/with blanks\n"
                                "data:\n"
                                "  train: [a, \"b c\", 'd']\n"
                                "  weights: [1, .5, 2.5e-1]\n"
                                "tokenizer:\n"
                                "  levels:\n"
                                "    - 7\n"
                                "    - 5\n"),
                   ORR_OK);
  assert_int_equal(c->train.steps, 7);
  assert_int_equal(c->train.recompute, CFG_RECOMPUTE_ALL); // as files of before say it
  assert_true(c->optim.lr_peak == 1e-4);
  assert_int_equal(c->optim.schedule, CFG_SCHEDULE_COSINE);
  assert_string_equal(c->run.dir, "runs/with blanks");
  assert_int_equal(c->data.train.n, 3);
  assert_string_equal(c->data.train.v[1], "b c");
  assert_true(c->data.weights.v[2] == 0.25);
  assert_int_equal(c->tokenizer.levels.n, 2);
  assert_int_equal(c->tokenizer.levels.v[1], 5);
  assert_int_equal(c->train.batch, 8); // the rest keeps its defaults
}

static void test_defaults_are_those_of_the_rows(void **state) {
  cfg *c = *state;
  assert_int_equal(c->model.width, 256);
  assert_true(c->optim.beta2 == 0.95);
  assert_int_equal(c->run.precision, CFG_PRECISION_AUTO);
  assert_int_equal(c->train.stage, CFG_STAGE_DYNAMICS);
  assert_int_equal(c->tokenizer.levels.n, 4);
  assert_int_equal(c->tokenizer.levels.v[0], 8);
  assert_int_equal(c->model.branches.n, 3);
  assert_string_equal(c->model.branches.v[1], "robotics");
  assert_int_equal(c->data.train.n, 0);
}

static void test_a_later_file_overrides_an_earlier_one_key_by_key(void **state) {
  cfg *c = *state;
  assert_int_equal(read_text(c, "train: {steps: 7, batch: 4}\ndata: {train: [a, b]}"), ORR_OK);
  assert_int_equal(read_text(c, "train: {steps: 9}\ndata: {train: [c]}"), ORR_OK);
  assert_int_equal(c->train.steps, 9);
  assert_int_equal(c->train.batch, 4);
  assert_int_equal(c->data.train.n, 1);
  assert_string_equal(c->data.train.v[0], "c");
}

static void test_empty_files_and_empty_sections_are_all_defaults(void **state) {
  static const char *const texts[] = {"",   "# nothing\n",      "---\n",
                                      "{}", "train:\noptim:\n", "train: {}"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    assert_int_equal(read_text(*state, texts[i]), ORR_OK);
  }
}

// Text that must be refused, and the whole message.
static void test_bad_files_are_refused_with_one_line_that_says_all(void **state) {
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"train:\n  stepz: 5\n", "x.yaml:2: train.stepz: unknown key, did you mean train.steps?"},
      {"train:\n\n  lr_peak: 1\n",
       "x.yaml:3: train.lr_peak: unknown key, did you mean optim.lr_peak?"},
      {"train:\n  qqqq: 1\n",
       "x.yaml:2: train.qqqq: unknown key; `orrery config doc` lists all keys"},
      {"trian:\n  steps: 1\n", "x.yaml:1: trian: unknown section, did you mean train; sections are "
                               "run, train, optim, data, "
                               "tokenizer, model, dist, ckpt, guard, metrics, eval"},
      {"train:\n  steps: many\n",
       "x.yaml:2: train.steps: got 'many', wanted a whole number from 1 to 1000000000"},
      {"train:\n  steps: 1e3\n",
       "x.yaml:2: train.steps: got '1e3', wanted a whole number from 1 to 1000000000"},
      {"train:\n  steps: 0x10\n",
       "x.yaml:2: train.steps: got '0x10', wanted a whole number from 1 to 1000000000"},
      {"train:\n  steps: 0\n",
       "x.yaml:2: train.steps: got '0', wanted a whole number from 1 to 1000000000"},
      {"train:\n  steps: 99999999999999999999\n",
       "x.yaml:2: train.steps: got '99999999999999999999', wanted a whole number from 1 to "
       "1000000000"},
      {"train:\n  steps: \"5\"\n",
       "x.yaml:2: train.steps: got the text \"5\", wanted a whole number from 1 to 1000000000"},
      {"train:\n  steps:\n",
       "x.yaml:2: train.steps: got nothing, wanted a whole number from 1 to 1000000000"},
      {"train:\n  steps: [5]\n",
       "x.yaml:2: train.steps: got a list, wanted a whole number from 1 to 1000000000"},
      {"train:\n  steps: {a: 5}\n",
       "x.yaml:2: train.steps: got a nested mapping, wanted a whole number from 1 to 1000000000"},
      {"optim: {lr_peak: 1.5}\n",
       "x.yaml:1: optim.lr_peak: got '1.5', wanted a number from 0 to 1"},
      {"optim: {lr_peak: nan}\n",
       "x.yaml:1: optim.lr_peak: got 'nan', wanted a number from 0 to 1"},
      {"optim: {clip_norm: inf}\n",
       "x.yaml:1: optim.clip_norm: got 'inf', wanted a number from 0 to 1e+09"},
      {"optim: {lr_peak: 1e-}\n",
       "x.yaml:1: optim.lr_peak: got '1e-', wanted a number from 0 to 1"},
      {"ckpt: {async: yes}\n", "x.yaml:1: ckpt.async: got 'yes', wanted true or false"},
      {"run: {precision: fp16}\n",
       "x.yaml:1: run.precision: got 'fp16', wanted one of auto, bf16, fp32"},
      {"run: {precision: bf}\n",
       "x.yaml:1: run.precision: got 'bf', wanted one of auto, bf16, fp32"},
      {"data: {train: a}\n",
       "x.yaml:1: data.train: got 'a', wanted a list [a, b, ...] of at most 64 texts"},
      {"data: {train: [a, [b]]}\n",
       "x.yaml:1: data.train: got a nested list, wanted a list [a, b, ...] of at most 64 texts"},
      {"tokenizer: {levels: [8, 1]}\n", "x.yaml:1: tokenizer.levels: got '1', wanted a list [a, b, "
                                        "...] of at most 16 whole numbers from "
                                        "2 to 65536"},
      {"tokenizer: {levels: [2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2]}\n",
       "x.yaml:1: tokenizer.levels: got 17 entries, wanted a list [a, b, ...] of at most 16 whole "
       "numbers from 2 to 65536"},
      {"train: {steps: 5, batch: 2, steps: 6}\n",
       "x.yaml:1: train.steps: stands here for the second time, first in line 1; keep one"},
      {"train:\n  steps: 5\noptim:\n  eps: 1e-8\ntrain:\n  batch: 2\n",
       "x.yaml:5: train: stands here for the second time, first in line 1; keep one"},
      {"train: 5\n", "x.yaml:1: train: got a value, wanted keys with values, indented under it"},
      {"- train\n",
       "x.yaml:1: file: got no mapping, wanted sections (run:, train:, ...) with keys"},
      {"just words\n",
       "x.yaml:1: file: got no mapping, wanted sections (run:, train:, ...) with keys"},
      {"? [a]\n: 5\n", "x.yaml:1: file: got a key that is not a plain word"},
      {"run: {dir: \"a\\0b\"}\n", "x.yaml:1: run.dir: got a text with a zero byte inside"},
      {"train: {steps: 5}\n---\nrun: {seed: 1}\n",
       "x.yaml:3: got a second document (---), wanted one in a file"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(read_text(*state, cases[i].text), ORR_ECONFIG);
    assert_string_equal(orr_status_message(), cases[i].message);
  }
}

static void test_broken_yaml_is_refused_with_its_line(void **state) {
  static const struct {
    const char *text, *words;
  } cases[] = {
      {"train:\n  steps: [1, 2\n", "x.yaml:3: not valid YAML: "},
      {"train:\n steps: 1\n  batch: 2\n", "x.yaml:3: not valid YAML: "},
      {"a: \"unterminated\n", "x.yaml:2: not valid YAML: "},
      {"train: {steps: *unknown}\n", "x.yaml:1: not valid YAML: "},
      {"train: \xff\n", "x.yaml:1: not valid YAML: "},
      {"\tsteps: 1\n", "x.yaml:1: not valid YAML: "},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(read_text(*state, cases[i].text), ORR_ECONFIG);
    if (!strstr(orr_status_message(), cases[i].words)) {
      fail_msg("'%s' lacks '%s'", orr_status_message(), cases[i].words);
    }
  }
}

static void test_a_missing_file_is_bad_usage_and_named(void **state) {
  assert_int_equal(cfg_read_file(*state, "/nonexistent/x.yaml"), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "/nonexistent/x.yaml"));
  assert_int_equal(cfg_read_file(*state, "/"), ORR_ECONFIG);
}

static void test_overrides_set_every_kind(void **state) {
  cfg *c = *state;
  assert_int_equal(cfg_set(c, "train.steps=12"), ORR_OK);
  assert_int_equal(c->train.steps, 12);
  assert_int_equal(cfg_set(c, "run.dir=a=b: #c"), ORR_OK); // taken as it stands
  assert_string_equal(c->run.dir, "a=b: #c");
  assert_int_equal(cfg_set(c, "run.dir="), ORR_OK);
  assert_string_equal(c->run.dir, "");
  assert_int_equal(cfg_set(c, "data.train=[x, \"y z\"]"), ORR_OK);
  assert_string_equal(c->data.train.v[1], "y z");
  assert_int_equal(cfg_set(c, "data.train=[]"), ORR_OK);
  assert_int_equal(c->data.train.n, 0);
  assert_int_equal(cfg_set(c, "run.device=cpu"), ORR_OK);
  assert_int_equal(c->run.device, CFG_DEVICE_CPU);
}

static void test_bad_overrides_are_refused_with_one_line(void **state) {
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"steps=5", "--set: got 'steps=5', wanted section.key=value"},
      {"train.steps", "--set: got 'train.steps', wanted section.key=value"},
      {"train=a.b", "--set: got 'train=a.b', wanted section.key=value"},
      {"train.stes=5", "--set: train.stes: unknown key, did you mean train.steps?"},
      {"train.steps=",
       "--set: train.steps: got nothing, wanted a whole number from 1 to 1000000000"},
      {"data.train=a", "--set: data.train: got 'a', wanted a list [a, b, ...] of at most 64 texts"},
      {"data.train=[a",
       "--set: data.train: got '[a', wanted a list [a, b, ...] of at most 64 texts"},
      {"data.train=",
       "--set: data.train: got nothing, wanted a list [a, b, ...] of at most 64 texts"},
      {"run.dir=\xff", "--set: run.dir: got bytes that are not UTF-8, wanted a text"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(cfg_set(*state, cases[i].text), ORR_ECONFIG);
    assert_string_equal(orr_status_message(), cases[i].message);
  }
}

// Fail the 1st, 2nd, ... allocation until none is left; the address sanitizer looks for leaks.
static void test_paths_in_the_home_folder_are_written_out(void **state) {
  cfg *c = *state;
  char name[] = "/tmp/orrery-home-XXXXXX";
  static const char text[] = "run: {dir: ~/runs/x}\ndata: {train: [a, ~/b]}\n"
                             "metrics: {webhook: \"@~/hook\"}\n";
  const int fd = mkstemp(name);
  assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
  assert_int_equal(setenv("HOME", "/home/me", 1), 0);
  assert_int_equal(cfg_read_file(c, name), ORR_OK);
  unlink(name);
  assert_string_equal(c->run.dir, "/home/me/runs/x");
  assert_string_equal(c->data.train.v[0], "a");
  assert_string_equal(c->data.train.v[1], "/home/me/b");
  assert_string_equal(c->metrics.webhook, "@/home/me/hook");
  assert_int_equal(cfg_set(c, "train.init_from=~/base"), ORR_OK);
  assert_string_equal(c->train.init_from, "/home/me/base");
  assert_int_equal(cfg_set(c, "data.train=[~/c, s3://bucket/$x]"), ORR_OK);
  assert_string_equal(c->data.train.v[0], "/home/me/c");
  assert_int_equal(cfg_set(c, "run.dir=$SCRATCH/x"), ORR_ECONFIG);
  assert_string_equal(
      orr_status_message(),
      "--set: run.dir: '$SCRATCH/x': variables are not expanded here; let the shell "
      "do it, outside of single quotes, or write the path out");
  // what a checkpoint holds is taken as it is
  assert_int_equal(read_text(c, "run: {dir: $SCRATCH/x}\n"), ORR_OK);
  assert_string_equal(c->run.dir, "$SCRATCH/x");
}

static void test_failing_allocations_while_reading_are_clean_errors(void **state) {
  int failures = 0;
  for (int n = 1;; n++) {
    cfg *c = NULL;
    orr_fault_arm(ORR_FAULT_MALLOC, n);
    orr_code rc = cfg_create(&c);
    if (rc == ORR_OK) rc = read_text(c, "run: {dir: a}\ndata: {train: [a, b], weights: [1, 2]}\n");
    if (rc == ORR_OK) rc = cfg_set(c, "tokenizer.levels=[3, 3]");
    bool fired = orr_fault_fired(ORR_FAULT_MALLOC);
    orr_fault_arm(ORR_FAULT_MALLOC, 0);
    cfg_destroy(c);
    assert_int_equal(rc, fired ? ORR_ENOMEM : ORR_OK);
    if (!fired) break;
    failures++;
  }
  assert_true(failures > 10); // every default text and list is one
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_config, destroy_config)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_keys_of_every_kind_are_read),
      TEST(test_defaults_are_those_of_the_rows),
      TEST(test_a_later_file_overrides_an_earlier_one_key_by_key),
      TEST(test_empty_files_and_empty_sections_are_all_defaults),
      TEST(test_bad_files_are_refused_with_one_line_that_says_all),
      TEST(test_broken_yaml_is_refused_with_its_line),
      TEST(test_a_missing_file_is_bad_usage_and_named),
      TEST(test_overrides_set_every_kind),
      TEST(test_bad_overrides_are_refused_with_one_line),
      TEST(test_paths_in_the_home_folder_are_written_out),
      TEST(test_failing_allocations_while_reading_are_clean_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
