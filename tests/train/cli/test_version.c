// labels: quick; needs: orrery
// What the program says to whoever looks for a fault: what it is made of, and where an error arose.
#include <string.h>

#include "tests/train/program.h"

enum { TEXT = 1 << 16 };

// Runs a command of the shell: its exit code, and in text[TEXT] what it said on both streams.
static int run(const char *command, char *text) {
  char words[1024];
  snprintf(words, sizeof words, "%s %s 2>&1", program_path, command);
  FILE *f = popen(words, "r");
  assert_non_null(f);
  text[fread(text, 1, TEXT - 1, f)] = '\0';
  return WEXITSTATUS(pclose(f));
}

static void test_version_names_commit_compiler_devices_and_libraries(void **state) {
  static char text[TEXT];
  char commit[64], compiler[64];
  assert_int_equal(run("--version", text), 0);
  assert_int_equal(sscanf(text, "orrery %*d.%*d.%*d (commit %63[^;]; %63[^,],", commit, compiler),
                   2);
  const size_t letters = strspn(commit, "0123456789abcdef");
  assert_true(strcmp(commit, "unknown") == 0 ||
              (letters >= 7 && (!commit[letters] || strcmp(commit + letters, "-dirty") == 0)));
  assert_non_null(strstr(text, "\nbuilt for "));
  static const char *const libraries[] = {"MPI",    "HDF5",    "libcurl", "FFmpeg",
                                          "libpng", "libyaml", "jansson", "xxHash"};
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    char line[32];
    snprintf(line, sizeof line, "\n  %-10s ", libraries[i]);
    const char *at = strstr(text, line);
    if (!at) fail_msg("no version of %s in:\n%s", libraries[i], text);
    const char *version = at + strlen(line);
    assert_true(strcspn(version, "0123456789") < strcspn(version, "\n"));
  }
}

// The line of a source that a debug line begins with, "debug: FILE:LINE: ...".
static const char *source_line(const char *debug, char *out, int size) {
  char file[256], path[512];
  int number = 0;
  assert_int_equal(sscanf(debug, "debug: %255[^:]:%d:", file, &number), 2);
  snprintf(path, sizeof path, "%s/%s", ORR_SOURCE_DIR, file);
  FILE *f = fopen(path, "r");
  if (!f) fail_msg("no %s, named by '%.100s'", path, debug);
  for (int i = 0; i < number; i++) assert_non_null(fgets(out, size, f));
  fclose(f);
  return out;
}

static void test_verbose_names_the_place_of_an_error_and_who_passed_it_on(void **state) {
  static char text[TEXT];
  char line[512];
  assert_int_equal(run("data inspect /nowhere", text), 1);
  assert_null(strstr(text, "debug: "));
  assert_int_equal(run("data inspect /nowhere --verbose", text), 1);
  assert_int_equal(strncmp(text, "debug: ", 7), 0);
  assert_non_null(strstr(source_line(text, line, sizeof line), "ORR_CHECK"));
  const char *passed = strstr(text, "\ndebug: ");
  assert_non_null(passed);
  assert_non_null(strstr(source_line(passed + 1, line, sizeof line), "ORR_TRY"));
  assert_non_null(strstr(text, ": passed on by train_cmd_data_inspect()\n"));
  assert_non_null(strstr(text, "\nerror: /nowhere: "));
}

// Before the command, after it, and between its words; never the word that is wrong.
static void test_every_command_takes_verbose(void **state) {
  static const char *const commands[] = {
      "train",         "eval",          "rollout",       "report",       "ckpt inspect",
      "ckpt verify",   "ckpt export",   "config print",  "config check", "bench step",
      "bench ops",     "bench comm",    "bench machine", "bench io",     "data import",
      "data generate", "data tokenize", "data inspect",  "data verify"};
  static char text[TEXT];
  char words[256];
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    for (int place = 0; place < 3; place++) {
      snprintf(words, sizeof words, "%s %s %s --nonsense %s", place == 0 ? "--verbose" : "",
               commands[i], place == 1 ? "--verbose" : "", place == 2 ? "--verbose" : "");
      const int code = run(words, text);
      if (code != 2 || !strstr(text, "unknown option --nonsense") || !strstr(text, "debug: "))
        fail_msg("%s: exit code %d: %s", words, code, text);
    }
  }
  assert_int_equal(run("data inspect -- --verbose", text), 1);
  assert_non_null(strstr(text, "error: --verbose: ")); // after "--" it is a name
  assert_int_equal(run("eval --help", text), 0);
  assert_non_null(strstr(text, "--verbose"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_version_names_commit_compiler_devices_and_libraries),
      cmocka_unit_test(test_verbose_names_the_place_of_an_error_and_who_passed_it_on),
      cmocka_unit_test(test_every_command_takes_verbose),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
