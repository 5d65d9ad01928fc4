// labels: quick
// The folder of a run while it trains: moved away, its lock removed, half written files in it.
#include "tests/train/small_run.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

// What a hand does to ROOT/name once three steps are done and one is saved, however long that
// takes.
typedef struct {
  char dir[256], lock[300], metrics[300], latest[300], moved[300];
  bool move; // or remove the lock, and stop the run once it is there again
} hand;

static int lines_of(const char *path) {
  char *text;
  size_t bytes;
  int lines = 0;
  if (!orr_fs_exists(path) || orr_fs_read_all(path, &text, &bytes) != ORR_OK) return 0;
  for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
  orr_free(text);
  return lines;
}

static void *interfere(void *ctx) {
  const hand *h = ctx;
  while (lines_of(h->metrics) < 3 || !orr_fs_exists(h->latest)) usleep(1000);
  if (h->move) {
    if (orr_fs_rename(h->dir, h->moved) != ORR_OK) abort();
    return NULL;
  }
  unlink(h->lock);
  while (!orr_fs_exists(h->lock)) usleep(1000);
  kill(getpid(), SIGUSR1);
  return NULL;
}

// A run too long to end by itself.
static orr_code train_under(small_run *r, const char *name, bool move) {
  hand h = {.move = move};
  pthread_t thread;
  snprintf(h.dir, sizeof h.dir, "%s/%s", r->root, name);
  snprintf(h.lock, sizeof h.lock, "%s/run.lock", h.dir);
  snprintf(h.metrics, sizeof h.metrics, "%s/metrics.jsonl", h.dir);
  snprintf(h.latest, sizeof h.latest, "%s/ckpt/latest", h.dir);
  snprintf(h.moved, sizeof h.moved, "%s-elsewhere", h.dir);
  assert_int_equal(pthread_create(&thread, NULL, interfere, &h), 0);
  const orr_code rc = SMALL_RUN(r, name, "auto", "train.steps=1000000000", "ckpt.every=2");
  pthread_join(thread, NULL);
  return rc;
}

static void test_a_run_whose_folder_is_moved_ends_and_writes_in_no_second_place(void **state) {
  small_run *r = *state;
  char latest[64];
  assert_int_equal(train_under(r, "moved", true), ORR_ENOTFOUND);
  assert_message_names("was moved to", "moved-elsewhere", "--set run.dir=");
  assert_false(orr_fs_exists(small_run_path(r, "moved")));
  char *history = folder_text(r->root, "moved-elsewhere/history.jsonl");
  assert_non_null(strstr(history, "\"event\":\"failed\""));
  orr_free(history);
  // and can be gone on with where it is
  small_run_text(r, "moved-elsewhere/ckpt/latest", latest, sizeof latest);
  assert_ok(SMALL_RUN(r, "moved-elsewhere", "auto", "train.steps=12"));
  assert_true(strtoll(latest + strlen("step-"), NULL, 10) >= 2);
}

static void test_a_lock_that_is_removed_under_a_run_costs_one_warning(void **state) {
  small_run *r = *state;
  assert_int_equal(train_under(r, "unlocked", false), ORR_ESTOPPED);
  char *said = small_run_said(r), *first = strstr(said, "run.lock: was removed");
  assert_non_null(first);
  assert_null(strstr(first + 1, "run.lock"));
  orr_free(said);
}

static void test_half_written_files_of_killed_processes_are_swept(void **state) {
  small_run *r = *state;
  folder_store(r->root, "swept/config.yaml.tmp-12345", "run:\n");
  folder_store(r->root, "swept/hang-report.txt.tmp-1", "hang");
  folder_store(r->root, "swept/notes.tmp", "a user's");
  assert_ok(SMALL_RUN(r, "swept", "auto", "train.steps=6"));
  assert_false(orr_fs_exists(small_run_path(r, "swept/config.yaml.tmp-12345")));
  assert_false(orr_fs_exists(small_run_path(r, "swept/hang-report.txt.tmp-1")));
  assert_true(orr_fs_exists(small_run_path(r, "swept/notes.tmp")));
}

// A process that goes on in a full folder needs room for nothing that is there already.
static void test_a_configuration_that_is_there_is_not_written_again(void **state) {
  small_run *r = *state;
  struct stat before, after;
  const char *const longer = "train.max_wall_s=0.001"; // a step each
  assert_int_equal(SMALL_RUN(r, "same", "auto", longer), ORR_ESTOPPED);
  assert_int_equal(stat(small_run_path(r, "same/config.yaml"), &before), 0);
  assert_int_equal(SMALL_RUN(r, "same", "auto", longer), ORR_ESTOPPED);
  assert_int_equal(stat(small_run_path(r, "same/config.yaml"), &after), 0);
  assert_true(before.st_ino == after.st_ino);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_run_whose_folder_is_moved_ends_and_writes_in_no_second_place),
      cmocka_unit_test(test_a_lock_that_is_removed_under_a_run_costs_one_warning),
      cmocka_unit_test(test_half_written_files_of_killed_processes_are_swept),
      cmocka_unit_test(test_a_configuration_that_is_there_is_not_written_again),
  };
  return cmocka_run_group_tests_name("train/holding", tests, small_run_setup, small_run_teardown);
}
