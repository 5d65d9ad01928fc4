// labels: quick
// Log lines: level, rank, one line each; progress on a pipe is sparse but never loses the last
// line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"

// Runs body with stderr in a pipe; what it said, terminated, is in said[4096].
static void capture(void (*body)(void), char *said) {
  int ends[2], kept = dup(STDERR_FILENO);
  assert_int_equal(pipe(ends), 0);
  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
  body();
  dup2(kept, STDERR_FILENO);
  close(kept);
  size_t n = 0;
  for (ssize_t got; (got = read(ends[0], said + n, 4095 - n)) > 0;) n += (size_t)got;
  said[n] = 0;
  close(ends[0]);
}

static void say_one_of_each(void) {
  ORR_ERROR("broken %d", 1);
  ORR_WARN("odd");
  ORR_INFO("fine");
  ORR_DEBUG("detail");
}

static void test_lines_carry_their_level_and_debug_is_silent_by_default(void **state) {
  char said[4096];
  orr_log_setup(ORR_LOG_INFO, 0, 1);
  capture(say_one_of_each, said);
  assert_string_equal(said, "error: broken 1\nwarning: odd\nfine\n");
  orr_log_setup(ORR_LOG_ERROR, 0, 1);
  capture(say_one_of_each, said);
  assert_string_equal(said, "error: broken 1\n");
}

static void test_lines_carry_the_rank_when_there_are_several(void **state) {
  char said[4096];
  orr_log_setup(ORR_LOG_WARN, 3, 8);
  capture(say_one_of_each, said);
  assert_string_equal(said, "[3] error: broken 1\n[3] warning: odd\n");
  orr_log_setup(ORR_LOG_INFO, 0, 1);
}

enum { FIND_LINE = __LINE__ + 2 };
static orr_code find(void) {
  return ORR_FAIL(ORR_ENOTFOUND, "no %s", "shard");
}

static orr_code pass_on(void) {
  ORR_TRY(find());
  return ORR_OK;
}

static orr_code pass_on_by_ladder(void) {
  orr_code rc = ORR_OK;
  ORR_TRY_GOTO(pass_on(), out);
out:
  return rc;
}

static void fail_deep_down(void) {
  pass_on_by_ladder();
}

// Each line names the file from the root and the line number; here the functions stand in order.
static void test_verbose_says_where_an_error_arose_and_who_passed_it_on(void **state) {
  char said[4096], wanted[4096];
  capture(fail_deep_down, said);
  assert_string_equal(said, "");
  const pid_t child = fork(); // verbose for good, and not in the tests to come
  if (child == 0) {
    orr_log_verbose();
    orr_log_setup(ORR_LOG_INFO, 0, 1); // as a command does when it knows its rank
    capture(fail_deep_down, said);
    snprintf(wanted, sizeof wanted,
             "debug: tests/base/test_log.c:%d: not found: no shard\n"
             "debug: tests/base/test_log.c:%d: passed on by pass_on()\n"
             "debug: tests/base/test_log.c:%d: passed on by pass_on_by_ladder()\n",
             FIND_LINE, FIND_LINE + 4, FIND_LINE + 10);
    _exit(strcmp(said, wanted) == 0 ? 0 : 1);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void progress_often(void) {
  for (int i = 0; i < 100; i++) orr_progress(false, "step %d", i);
  orr_progress(true, "step 100, done");
}

static void test_progress_on_a_pipe_shows_the_first_and_the_last_line(void **state) {
  char said[4096];
  capture(progress_often, said);
  assert_string_equal(said, "step 0\nstep 100, done\n");
}

static void test_only_rank_0_shows_progress(void **state) {
  char said[4096];
  orr_log_setup(ORR_LOG_INFO, 1, 2);
  capture(progress_often, said);
  assert_string_equal(said, "");
  orr_log_setup(ORR_LOG_INFO, 0, 1);
}

static void say_a_long_line(void) {
  char text[3000];
  memset(text, 'y', sizeof text - 1);
  text[sizeof text - 1] = 0;
  ORR_INFO("%s%s%s", text, text, text);
}

static void test_a_long_line_is_cut_and_still_ends(void **state) {
  static char said[3 * 4096];
  capture(say_a_long_line, said);
  size_t n = strlen(said);
  assert_in_range(n, 3000, 4096);
  assert_int_equal(said[n - 1], '\n');
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines_carry_their_level_and_debug_is_silent_by_default),
      cmocka_unit_test(test_lines_carry_the_rank_when_there_are_several),
      cmocka_unit_test(test_verbose_says_where_an_error_arose_and_who_passed_it_on),
      cmocka_unit_test(test_progress_on_a_pipe_shows_the_first_and_the_last_line),
      cmocka_unit_test(test_only_rank_0_shows_progress),
      cmocka_unit_test(test_a_long_line_is_cut_and_still_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
