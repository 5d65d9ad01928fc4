// labels: quick
// Command lines: what is accepted, and one line for everything that is not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/args.h"
#include "train/cli/cmd.h"

static const orr_option options[] = {
    {"out", "FILE", "where the picture goes", ORR_OPTION_ONCE},
    {"frames", "N", "frames to make", ORR_OPTION_ONCE},
    {"scale", "X", "how large", ORR_OPTION_ONCE},
    {"set", "KEY=VALUE", "override", ORR_OPTION_REPEATED},
    {"quiet", NULL, "say less", ORR_OPTION_ONCE},
    {0},
};
static const orr_command command = {"draw", "CLIP [CLIP]", 1, 2, "draws clips", options};

// Parses the words of a line split at single blanks; `line` must stay.
static orr_code parse(char *line, orr_args *out) {
  char *argv[32], *rest = NULL;
  int argc = 0;
  for (char *w = strtok_r(line, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) argv[argc++] = w;
  return orr_args_parse(&command, argc, argv, out);
}

static void test_options_stand_anywhere_in_either_spelling(void **state) {
  char line[] = "draw --out=a.png clip1 --frames 7 --quiet --set a=1 clip2 --set=b=2 --scale -1.5";
  orr_args a;
  int64_t frames = 0, absent = 5;
  double scale = 0;
  const char *out = NULL;
  assert_int_equal(parse(line, &a), ORR_OK);
  assert_int_equal(a.operands, 2);
  assert_string_equal(a.operand[0], "clip1");
  assert_string_equal(a.operand[1], "clip2");
  assert_int_equal(orr_args_require(&a, "out", &out), ORR_OK);
  assert_string_equal(out, "a.png");
  assert_int_equal(orr_args_i64(&a, "frames", 1, 10, &frames), ORR_OK);
  assert_int_equal(frames, 7);
  assert_int_equal(orr_args_f64(&a, "scale", -2, 2, &scale), ORR_OK);
  assert_true(scale == -1.5);
  assert_true(orr_args_flag(&a, "quiet"));
  assert_string_equal(orr_args_nth(&a, "set", 0), "a=1");
  assert_string_equal(orr_args_nth(&a, "set", 1), "b=2");
  assert_null(orr_args_nth(&a, "set", 2));
  assert_int_equal(orr_args_i64(&a, "never", 0, 1, &absent), ORR_OK);
  assert_int_equal(absent, 5);
}

static void test_paths_in_the_home_folder_are_written_out(void **state) {
  char line[] = "draw --out=~/a.png ~/clip", other[] = "draw --out=$PICTURES/a.png clip",
       set[] = "draw --set=a=$b clip";
  orr_args a;
  assert_int_equal(setenv("HOME", "/home/me", 1), 0);
  assert_int_equal(parse(line, &a), ORR_OK);
  assert_string_equal(orr_args_text(&a, "out", ""), "/home/me/a.png");
  assert_string_equal(a.operand[0], "/home/me/clip");
  assert_int_equal(parse(other, &a), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "orrery draw: out: '$PICTURES/a.png': variables"));
  assert_int_equal(parse(set, &a), ORR_OK); // no path
  assert_string_equal(orr_args_text(&a, "set", ""), "a=$b");
}

static void test_two_dashes_end_the_options(void **state) {
  char line[] = "draw -- --out";
  orr_args a;
  assert_int_equal(parse(line, &a), ORR_OK);
  assert_string_equal(a.operand[0], "--out");
  assert_string_equal(orr_args_text(&a, "out", "none"), "none");
  assert_false(orr_args_flag(&a, "quiet"));
}

static void test_bad_usage_is_refused_with_one_line(void **state) {
  static const struct {
    const char *line, *message;
  } cases[] = {
      {"draw c --oot x",
       "orrery draw: unknown option --oot, did you mean --out; see `orrery draw --help`"},
      {"draw c --oot=x",
       "orrery draw: unknown option --oot, did you mean --out; see `orrery draw --help`"},
      {"draw c --colour", "orrery draw: unknown option --colour; see `orrery draw --help`"},
      {"draw c --out", "orrery draw: --out needs a value: --out FILE"},
      {"draw c --out a --out b", "orrery draw: --out is given twice; give it once"},
      {"draw c --quiet=1", "orrery draw: --quiet takes no value, got '1'"},
      {"draw", "orrery draw: CLIP [CLIP] is wanted, got nothing; see `orrery draw --help`"},
      {"draw a b c",
       "orrery draw: unexpected 'c'; it takes only CLIP [CLIP]; see `orrery draw --help`"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char line[128];
    orr_args a;
    snprintf(line, sizeof line, "%s", cases[i].line);
    assert_int_equal(parse(line, &a), ORR_ECONFIG);
    assert_string_equal(orr_status_message(), cases[i].message);
  }
}

static void test_numbers_out_of_range_or_ill_formed_are_refused(void **state) {
  static const char *const bad[] = {"0", "11", "x", "7x", "", "1e1", "99999999999999999999"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char line[64];
    orr_args a;
    int64_t n = 3;
    snprintf(line, sizeof line, "draw c --frames=%s", bad[i]);
    assert_int_equal(parse(line, &a), ORR_OK);
    assert_int_equal(orr_args_i64(&a, "frames", 1, 10, &n), ORR_ECONFIG);
    assert_non_null(strstr(orr_status_message(), "wanted a whole number from 1 to 10"));
    assert_int_equal(n, 3);
  }
  char line[] = "draw c --scale nan";
  orr_args a;
  double x = 1;
  const char *out = NULL;
  assert_int_equal(parse(line, &a), ORR_OK);
  assert_int_equal(orr_args_f64(&a, "scale", 0, 1, &x), ORR_ECONFIG);
  assert_int_equal(orr_args_require(&a, "out", &out), ORR_ECONFIG);
  assert_string_equal(orr_status_message(),
                      "orrery draw: --out FILE is missing; see `orrery draw --help`");
}

// Runs a command with stdout in a file; what it printed is in said.
static orr_code output_of(orr_code (*run)(int, char **), const char *const *words, int n,
                          char *said, size_t size) {
  char *argv[16];
  for (int i = 0; i < n; i++) argv[i] = (char *)words[i];
  FILE *file = tmpfile();
  fflush(stdout);
  int kept = dup(STDOUT_FILENO);
  dup2(fileno(file), STDOUT_FILENO);
  orr_code rc = run(n, argv);
  fflush(stdout);
  dup2(kept, STDOUT_FILENO);
  close(kept);
  rewind(file);
  said[fread(said, 1, size - 1, file)] = 0;
  fclose(file);
  return rc;
}

#define CONFIG(said, ...)                                                                          \
  output_of(train_cmd_config, (const char *const[]){"config", __VA_ARGS__},                        \
            (int)(sizeof((const char *[]){"config", __VA_ARGS__}) / sizeof(char *)), said,         \
            sizeof said)

// The printer ends a heading of options with a colon: a table's own would be a second.
static void test_headings_of_options_end_in_one_colon(void **state) {
  static char said[32768];
#define HELP(name)                                                                                 \
  assert_int_equal(                                                                                \
      output_of(train_cmd_##name, (const char *const[]){#name, "--help"}, 2, said, sizeof said),   \
      ORR_OK);                                                                                     \
  if (strstr(said, "::\n")) fail_msg("two colons in: %s", said);
  HELP(plan)
  HELP(play)
  HELP(train)
#undef HELP
}

static void test_config_prints_checks_and_documents(void **state) {
  char said[32768];
  assert_int_equal(CONFIG(said, "print", "--set", "train.steps=77"), ORR_OK);
  assert_non_null(strstr(said, "train:\n  stage: dynamics\n  steps: 77\n"));
  assert_int_equal(CONFIG(said, "check", ORR_SOURCE_DIR "/configs/dynamics_small.yaml"), ORR_OK);
  assert_non_null(strstr(said, "dynamics_small.yaml: good, hash "));
  assert_int_equal(CONFIG(said, "doc"), ORR_OK);
  assert_non_null(strstr(said, "| `lr_peak` | number | `0.0003` | 0 to 1 |"));
  assert_int_equal(CONFIG(said, "--help"), ORR_OK);
  assert_non_null(strstr(said, "usage: orrery config print|check|doc [CONFIG.yaml]"));
}

static void test_config_refuses_bad_usage_and_bad_values(void **state) {
  char said[4096];
  assert_int_equal(CONFIG(said, "show"), ORR_ECONFIG);
  assert_string_equal(orr_status_message(),
                      "orrery config: got 'show', wanted print, check, doc or new");
  assert_int_equal(CONFIG(said, "check", "--set", "model.width=250"), ORR_ECONFIG);
  // what ranks would refuse: views that are no part of a frame, ranks that cannot share a model
  assert_int_equal(CONFIG(said, "check", "--set", "model.views=[left 0 0 99 99]"), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "model.views"));
  assert_int_equal(CONFIG(said, "check", "--set", "dist.cp=1000"), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "dist.cp 1000 is above data.frames"));
  assert_int_equal(CONFIG(said, "print", "--set", "model.widht=250"), ORR_ECONFIG);
  assert_int_equal(CONFIG(said, "print", "/nonexistent.yaml"), ORR_ECONFIG);
  assert_string_equal(said, "");
}

// The number after the first "key": in a text of JSON.
static double number_of(const char *text, const char *key) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\":", key);
  const char *at = strstr(text, quoted);
  assert_non_null(at);
  return strtod(at + strlen(quoted), NULL);
}

static void test_a_plan_costs_what_its_gpu_hours_do(void **state) {
  static char said[32768];
  char dir[] = "/tmp/orrery-test-XXXXXX", json[64], *text = NULL;
  size_t size;
  assert_non_null(mkdtemp(dir));
  snprintf(json, sizeof json, "%s/plan.json", dir);
  const char *const words[] = {"plan",      ORR_SOURCE_DIR "/configs/dynamics_small.yaml",
                               "--gpus",    "2",
                               "--machine", ORR_SOURCE_DIR "/configs/machines/h100.json",
                               "--price",   "2.5",
                               "--tp",      "1",
                               "--json",    json};
  assert_int_equal(output_of(train_cmd_plan, words, 12, said, sizeof said), ORR_OK);
  assert_non_null(strstr(said, "     USD\n"));
  assert_int_equal(orr_fs_read_all(json, &text, &size), ORR_OK);
  const double days = number_of(text, "days"), usd = number_of(text, "usd");
  assert_true(days > 0.0 && usd > 0.0 && fabs(usd / (days * 24.0 * 2.5 * 2.0) - 1.0) < 1e-9);
  orr_free(text);
  assert_int_equal(unlink(json), 0);
  assert_int_equal(rmdir(dir), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_options_stand_anywhere_in_either_spelling),
      cmocka_unit_test(test_paths_in_the_home_folder_are_written_out),
      cmocka_unit_test(test_two_dashes_end_the_options),
      cmocka_unit_test(test_bad_usage_is_refused_with_one_line),
      cmocka_unit_test(test_numbers_out_of_range_or_ill_formed_are_refused),
      cmocka_unit_test(test_headings_of_options_end_in_one_colon),
      cmocka_unit_test(test_a_plan_costs_what_its_gpu_hours_do),
      cmocka_unit_test(test_config_prints_checks_and_documents),
      cmocka_unit_test(test_config_refuses_bad_usage_and_bad_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
