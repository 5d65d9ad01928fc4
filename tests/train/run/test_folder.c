// labels: full
// A run that has lost its checkpoints says so and changes nothing; one that never had any begins
// anew; and where none can be written the run ends before its first step.
#include "tests/train/small_run.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static void shell(small_run *r, const char *command) {
  char text[1024];
  snprintf(text, sizeof text, "cd %s && %s", r->root, command);
  assert_int_equal(system(text), 0);
}

// A run of 6 steps with checkpoints at 3 and 6 in ROOT/run, to which `command` happens. Then it is
// to go on: refused with `words`, and metrics.jsonl stays as it is.
static void refused_after(small_run *r, const char *command, const char *resume,
                          const char *words) {
  shell(r, "rm -rf run away && cp -r good run");
  shell(r, command);
  char *before = folder_text(r->root, "run/metrics.jsonl");
  assert_int_equal(SMALL_RUN(r, "run", resume), ORR_EINVAL);
  if (!strstr(orr_status_message(), words))
    fail_msg("%s: wanted \"%s\", got: %s", command, words, orr_status_message());
  char *after = folder_text(r->root, "run/metrics.jsonl");
  assert_string_equal(after, before);
  orr_free(after);
  orr_free(before);
}

static void test_a_run_without_its_checkpoints_is_refused_before_anything_is_cut(void **state) {
  small_run *r = *state;
  assert_ok(SMALL_RUN(r, "good", "none", "train.steps=6"));
  refused_after(r, "rm -r run/ckpt", "auto", "/run/ckpt, is gone: put it back");
  refused_after(r, "rm -r run/ckpt/step-*", "auto", "though its file latest names one");
  refused_after(r, "rm -r run/ckpt/*", "auto", "is empty, though some were written");
  refused_after(r, "rm -r run/ckpt && ln -s ../nowhere run/ckpt", "auto",
                "is a link to ../nowhere, which is not there");
  refused_after(r, "rm -r run/ckpt && ln -s ../nowhere run/ckpt", "none", "which is not there");
  refused_after(r, "rm -r run/ckpt && echo x > run/ckpt", "auto", "is a file, wanted the folder");
  refused_after(r, "rm -r run/ckpt && echo x > run/ckpt", "none", "is a file, wanted the folder");
}

static void test_checkpoints_that_moved_are_found_by_a_link(void **state) {
  small_run *r = *state;
  double loss[SMALL_RUN_STEPS_MAX];
  assert_ok(SMALL_RUN(r, "good", "none", "train.steps=6"));
  shell(r, "rm -rf run away && cp -r good run && mv run/ckpt away && ln -s ../away run/ckpt");
  assert_ok(SMALL_RUN(r, "run", "auto"));
  assert_int_equal(small_run_losses(r, "run", loss), 12);
  char *said = small_run_said(r);
  assert_non_null(strstr(said, "at step 6"));
  orr_free(said);
}

static void test_asked_to_begin_anew_it_does(void **state) {
  small_run *r = *state;
  double loss[SMALL_RUN_STEPS_MAX];
  assert_ok(SMALL_RUN(r, "good", "none", "train.steps=6"));
  shell(r, "rm -rf run && cp -r good run && rm -r run/ckpt");
  assert_ok(SMALL_RUN(r, "run", "none", "train.steps=7", "ckpt.every=0"));
  assert_int_equal(small_run_losses(r, "run", loss), 7);
  assert_ok(SMALL_RUN(r, "run", "auto"));
  assert_int_equal(small_run_losses(r, "run", loss), 12);
}

// As a run that was killed before its first checkpoint leaves it.
static void test_a_run_that_never_had_one_begins_anew(void **state) {
  small_run *r = *state;
  double loss[SMALL_RUN_STEPS_MAX];
  assert_ok(SMALL_RUN(r, "good", "none", "train.steps=6"));
  shell(r,
        "rm -rf run && cp -r good run && rm -r run/ckpt/* && mkdir run/ckpt/.tmp-step-00000003 &&"
        " sed -i /saved/d run/history.jsonl");
  assert_ok(SMALL_RUN(r, "run", "auto"));
  assert_int_equal(small_run_losses(r, "run", loss), 12);
  char *said = small_run_said(r);
  assert_non_null(strstr(said, "no checkpoint was written yet; the 6 steps"));
  orr_free(said);
}

// A folder that root, too, cannot write to.
static void test_where_nothing_can_be_written_no_step_is_taken(void **state) {
  small_run *r = *state;
  shell(r, "mkdir shut && ln -s /proc/self shut/ckpt");
  assert_int_not_equal(SMALL_RUN(r, "shut", "auto"), ORR_OK);
  assert_non_null(strstr(orr_status_message(), "shut/ckpt/.tmp-try-0"));
  assert_false(orr_fs_exists(small_run_path(r, "shut/metrics.jsonl")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_run_without_its_checkpoints_is_refused_before_anything_is_cut),
      cmocka_unit_test(test_checkpoints_that_moved_are_found_by_a_link),
      cmocka_unit_test(test_asked_to_begin_anew_it_does),
      cmocka_unit_test(test_a_run_that_never_had_one_begins_anew),
      cmocka_unit_test(test_where_nothing_can_be_written_no_step_is_taken),
  };
  return cmocka_run_group_tests_name("train/folder", tests, small_run_setup, small_run_teardown);
}
