// labels: quick
// Log lines: level, rank, one line each; progress on a pipe is sparse but never loses the last
// line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/log.h"

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
      cmocka_unit_test(test_progress_on_a_pipe_shows_the_first_and_the_last_line),
      cmocka_unit_test(test_only_rank_0_shows_progress),
      cmocka_unit_test(test_a_long_line_is_cut_and_still_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
