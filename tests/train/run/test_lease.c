// labels: quick
// One run folder, one run: the second is refused, whether or not the file system has locks, and a
// crash leaves nothing that a hand must remove.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/base/folder.h"
#include "train/run/lease.h"

// Short, so that the tests are. Where a holder must be seen alive, whoever looks for its beats has
// PATIENT_S, so that a machine with other work cannot make it look dead; one beat ends the wait.
#define BEAT_S    0.05
#define PATIENT_S 2.0

typedef struct {
  char dir[FOLDER_PATH], path[128];
} folder;

static int setup(void **state) {
  folder *f = calloc(1, sizeof *f);
  folder_make(f->dir);
  snprintf(f->path, sizeof f->path, "%s/run.lock", f->dir);
  *state = f;
  orr_log_setup(ORR_LOG_ERROR, 0, 1);
  return 0;
}

static int teardown(void **state) {
  folder *f = *state;
  folder_remove(f->dir);
  free(f);
  return 0;
}

static orr_code take(folder *f, bool record_only, train_lease **out) {
  return train_lease_take(
      &(train_lease_options){
          .dir = f->dir, .job = "4711", .beat_s = BEAT_S, .record_only = record_only},
      out);
}

// A record as another machine leaves it, held.
static void leave_record(folder *f, int beat) {
  char text[513];
  const int n = snprintf(text, sizeof text,
                         "{\"held\": true, \"host\": \"far\", \"pid\": 77, \"job\": \"12\", "
                         "\"machine\": \"another\", \"token\": \"another-77\", \"beat\": %d}",
                         beat);
  memset(text + n, ' ', (size_t)(512 - n));
  const int fd = open(f->path, O_WRONLY | O_CREAT, 0600);
  assert_int_equal(pwrite(fd, text, 512, 0), 512);
  close(fd);
}

static void assert_refused(folder *f, bool record_only, double beat_s, const char *words) {
  train_lease *second = NULL;
  const train_lease_options o = {
      .dir = f->dir, .job = "4711", .beat_s = beat_s, .record_only = record_only};
  assert_int_equal(train_lease_take(&o, &second), ORR_EBUSY);
  assert_null(second);
  assert_non_null(strstr(orr_status_message(), words));
  assert_non_null(strstr(orr_status_message(), "choose another run.dir"));
}

static void test_a_second_run_is_refused_with_the_words_of_the_first(void **state) {
  folder *f = *state;
  train_lease *first = NULL;
  char words[64];
  snprintf(words, sizeof words, "process %d on ", (int)getpid());
  assert_int_equal(take(f, false, &first), ORR_OK);
  assert_refused(f, false, BEAT_S, words);
  assert_non_null(strstr(orr_status_message(), "job 4711"));
  assert_int_equal(train_lease_held(first), ORR_OK);
  train_lease_release(first);
}

static void test_without_locks_a_run_that_beats_is_seen(void **state) {
  folder *f = *state;
  train_lease *first = NULL;
  assert_int_equal(take(f, true, &first), ORR_OK);
  assert_refused(f, true, PATIENT_S, "is training here");
  train_lease_release(first);
}

static void test_a_folder_that_was_released_is_free_at_once(void **state) {
  folder *f = *state;
  for (int i = 0; i < 4; i++) {
    train_lease *l = NULL;
    const bool record_only = i % 2 != 0;
    // at a beat of an hour any wait would show
    const train_lease_options o = {.dir = f->dir, .beat_s = 3600.0, .record_only = record_only};
    assert_int_equal(train_lease_take(&o, &l), ORR_OK);
    train_lease_release(l);
  }
}

static void test_a_process_that_was_killed_holds_nothing(void **state) {
  folder *f = *state;
  train_lease *l = NULL;
  char byte;
  int ready[2];
  assert_int_equal(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(600); // should this test fail before it kills it
    if (take(f, false, &l) == ORR_OK && write(ready[1], "", 1) == 1)
      for (;;) pause();
    _exit(1);
  }
  assert_int_equal(read(ready[0], &byte, 1), 1);
  assert_refused(f, false, BEAT_S, "is training here");
  kill(child, SIGKILL);
  assert_int_equal(waitpid(child, NULL, 0), child);
  // its record still says "held", by this machine: the lock tells better, and nobody waits an hour
  const train_lease_options o = {.dir = f->dir, .beat_s = 3600.0};
  assert_int_equal(train_lease_take(&o, &l), ORR_OK);
  train_lease_release(l);
  close(ready[0]);
  close(ready[1]);
}

static void test_a_record_of_another_machine_that_stands_still_is_taken_over(void **state) {
  folder *f = *state;
  for (int record_only = 0; record_only < 2; record_only++) {
    train_lease *l = NULL;
    leave_record(f, 3);
    const double begin = orr_clock_ms();
    assert_int_equal(take(f, record_only != 0, &l), ORR_OK);
    assert_true(orr_clock_ms() - begin >= 1e3 * BEAT_S * TRAIN_LEASE_MISSED);
    train_lease_release(l);
  }
}

// Its lock does not reach here: only the beats tell.
static void test_another_machine_that_beats_is_seen_though_the_lock_is_free(void **state) {
  folder *f = *state;
  leave_record(f, 1);
  const pid_t far = fork();
  if (far == 0) {
    alarm(600);
    for (int i = 2;; i++) {
      leave_record(f, i);
      usleep((useconds_t)(1e6 * BEAT_S));
    }
  }
  assert_refused(f, false, PATIENT_S, "process 77 on far, job 12");
  kill(far, SIGKILL);
  assert_int_equal(waitpid(far, NULL, 0), far);
}

static void test_a_holder_that_stood_still_learns_that_it_was_replaced(void **state) {
  folder *f = *state;
  train_lease *l = NULL;
  assert_int_equal(take(f, true, &l), ORR_OK);
  leave_record(f, 9);
  while (train_lease_held(l) == ORR_OK) usleep(1000);
  assert_int_equal(train_lease_held(l), ORR_EBUSY);
  assert_non_null(strstr(orr_status_message(), "another run took this folder"));
  char *text = NULL;
  size_t bytes;
  train_lease_release(l);
  assert_int_equal(orr_fs_read_all(f->path, &text, &bytes), ORR_OK);
  assert_non_null(strstr(text, "\"token\": \"another-77\"")); // it did not write over the other
  orr_free(text);
}

static void test_bytes_that_are_no_record_do_not_lock_a_folder_for_ever(void **state) {
  folder *f = *state;
  train_lease *l = NULL;
  const int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_int_equal(write(fd, "{\"held\": tr", 11), 11);
  close(fd);
  assert_int_equal(take(f, false, &l), ORR_OK);
  train_lease_release(l);
}

static void remove_lock(folder *f) {
  assert_int_equal(unlink(f->path), 0);
}

static void test_a_lock_that_was_removed_is_made_again(void **state) {
  folder *f = *state;
  for (int record_only = 0; record_only < 2; record_only++) {
    train_lease *l = NULL;
    assert_int_equal(take(f, record_only != 0, &l), ORR_OK);
    for (int i = 0; i < 2; i++) {
      remove_lock(f);
      assert_int_equal(train_lease_held(l), ORR_OK);
      assert_true(orr_fs_exists(f->path));
    }
    assert_refused(f, record_only != 0, BEAT_S, "is training here");
    train_lease_release(l);
  }
}

static void test_a_run_that_came_while_there_was_no_lock_is_left_the_folder(void **state) {
  folder *f = *state;
  for (int record_only = 0; record_only < 2; record_only++) {
    train_lease *first = NULL, *second = NULL;
    // at a beat of an hour the first does not look by itself
    const train_lease_options o = {
        .dir = f->dir, .beat_s = 3600.0, .record_only = record_only != 0};
    assert_int_equal(train_lease_take(&o, &first), ORR_OK);
    remove_lock(f);
    assert_int_equal(train_lease_take(&o, &second), ORR_OK);
    assert_int_equal(train_lease_held(first), ORR_EBUSY);
    assert_non_null(strstr(orr_status_message(), "another run took this folder"));
    train_lease_release(first); // and says nothing in the other's record
    assert_int_equal(train_lease_held(second), ORR_OK);
    train_lease_release(second);
  }
}

static void test_a_folder_that_was_moved_or_removed_is_left(void **state) {
  folder *f = *state;
  char inner[128], moved[128];
  snprintf(inner, sizeof inner, "%s/run", f->dir);
  snprintf(moved, sizeof moved, "%s/elsewhere", f->dir);
  const train_lease_options o = {.dir = inner, .beat_s = 3600.0};
  for (int again = 0; again < 2; again++) { // the second time another folder has its name
    train_lease *l = NULL;
    assert_ok(orr_fs_mkdirs(inner));
    assert_int_equal(train_lease_take(&o, &l), ORR_OK);
    assert_ok(orr_fs_rename(inner, moved));
    if (again) assert_ok(orr_fs_mkdirs(inner));
    assert_int_equal(train_lease_held(l), ORR_ENOTFOUND);
    assert_message_names("was moved to", moved, "--set run.dir=");
    train_lease_release(l);
    assert_ok(orr_fs_remove_tree(moved));
  }
  train_lease *l = NULL;
  assert_int_equal(train_lease_take(&o, &l), ORR_OK);
  assert_ok(orr_fs_remove_tree(inner));
  assert_int_equal(train_lease_held(l), ORR_ENOTFOUND);
  assert_message_names(inner, "was removed");
  assert_false(orr_fs_exists(inner)); // nor does it come back
  train_lease_release(l);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      CASE(test_a_second_run_is_refused_with_the_words_of_the_first),
      CASE(test_without_locks_a_run_that_beats_is_seen),
      CASE(test_a_folder_that_was_released_is_free_at_once),
      CASE(test_a_process_that_was_killed_holds_nothing),
      CASE(test_a_record_of_another_machine_that_stands_still_is_taken_over),
      CASE(test_another_machine_that_beats_is_seen_though_the_lock_is_free),
      CASE(test_a_holder_that_stood_still_learns_that_it_was_replaced),
      CASE(test_a_lock_that_was_removed_is_made_again),
      CASE(test_a_run_that_came_while_there_was_no_lock_is_left_the_folder),
      CASE(test_a_folder_that_was_moved_or_removed_is_left),
      CASE(test_bytes_that_are_no_record_do_not_lock_a_folder_for_ever),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
