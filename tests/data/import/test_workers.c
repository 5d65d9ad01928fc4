// labels: quick
// Worker processes that end badly, and an import whose library never comes back from a file.
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "data/import/import.h"
#include "base/fs.h"
#include "base/workers.h"
#include "tests/base/folder.h"

static void compute(double seconds) {
  for (clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC); clock() < end;) {
  }
}

static orr_code die_at_the_second_job(void *ctx, orr_board *b) {
  for (int64_t job; (job = orr_board_take(b)) >= 0;) {
    if (job == 1) {
      orr_board_note(b, "reading nine.h5");
      kill(getpid(), SIGKILL);
    }
  }
  return ORR_OK;
}

static void test_a_killed_worker_is_reported_with_its_signal(void **state) {
  orr_workers w = {.count = 2, .jobs = 10, .work = die_at_the_second_job};
  assert_int_equal(orr_workers_run(&w), ORR_EIO);
  assert_non_null(strstr(orr_status_message(), "signal 9"));
  assert_non_null(strstr(orr_status_message(), "while reading nine.h5"));
}

static orr_code never_end(void *ctx, orr_board *b) {
  if (orr_board_take(b) != 0) return ORR_OK;
  orr_board_note(b, "reading nine.h5");
  orr_board_allow(b, 1);
  compute(1e3);
  return ORR_OK;
}

static void test_a_worker_that_computes_for_ever_is_ended(void **state) {
  orr_workers w = {.count = 2, .jobs = 2, .work = never_end};
  assert_int_equal(orr_workers_run(&w), ORR_EIO);
  assert_non_null(strstr(orr_status_message(), "computed for 1 s without an end"));
  assert_non_null(strstr(orr_status_message(), "while reading nine.h5"));
}

// Waits longer than it may compute, computes longer in several steps, and in one without a limit.
static orr_code take_time(void *ctx, orr_board *b) {
  if (orr_board_take(b) < 0) return ORR_OK;
  orr_board_allow(b, 1);
  usleep(1200000);
  for (int i = 0; i < 3; i++) {
    orr_board_allow(b, 1);
    compute(0.4);
  }
  orr_board_allow(b, 0);
  compute(1.2);
  return ORR_OK;
}

static void test_workers_may_wait_and_take_many_steps(void **state) {
  orr_workers w = {.count = 1, .jobs = 1, .work = take_time};
  assert_ok(orr_workers_run(&w));
}

// -- an import ------------------------------------------------------------------------------

#define SEED ORR_SOURCE_DIR "/tests/fuzz/seeds/import/act_sequence.h5"

static void write_file(const char *dir, const char *name, const char *bytes, size_t size) {
  orr_path path;
  snprintf(path, sizeof path, "%s/%s", dir, name);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, size, f), size);
  assert_int_equal(fclose(f), 0);
}

// The same episode in other bytes, since copies are imported once: HDF5 stops before the last byte.
static void write_other(const char *dir, const char *name, const char *bytes, size_t size,
                        char last) {
  char *longer = malloc(size + 1);
  assert_non_null(longer);
  memcpy(longer, bytes, size);
  longer[size] = last;
  write_file(dir, name, longer, size + 1);
  free(longer);
}

// HDF5 1.10 reads this one for ever: part of the file once more, inside a table of addresses.
static void write_endless(const char *dir, const char *bytes, size_t size) {
  enum { AT = 6558, FROM = 1408, COUNT = 234 };
  char *damaged = malloc(size + COUNT);
  assert_non_null(damaged);
  memcpy(damaged, bytes, AT);
  memcpy(damaged + AT, bytes + FROM, COUNT);
  memcpy(damaged + AT + COUNT, bytes + AT, size - AT);
  write_file(dir, "episode_1.hdf5", damaged, size + COUNT);
  free(damaged);
}

static orr_code import(const char *source, const char *dir, bool skip_bad,
                       data_import_report *report) {
  return data_import(&(data_import_options){.inputs = {&source, 1},
                                            .dir = dir,
                                            .branch = "worlds",
                                            .source_fps = 10,
                                            .min_frames = 2,
                                            .shard_frames = 1,
                                            .processes = 2,
                                            .patience_s = 1,
                                            .skip_bad = skip_bad},
                     report);
}

static void test_a_recording_without_an_end_is_named(void **state) {
  const char *dir = *state;
  char source[FOLDER_PATH + 8], out[FOLDER_PATH + 8];
  char *bytes = NULL;
  size_t size = 0;
  data_import_report report;
  snprintf(source, sizeof source, "%s/in", dir);
  snprintf(out, sizeof out, "%s/out", dir);
  assert_ok(orr_fs_mkdirs(source));
  assert_ok(orr_fs_read_all(SEED, &bytes, &size));
  write_file(source, "episode_0.hdf5", bytes, size);
  write_other(source, "episode_2.hdf5", bytes, size, 2);
  write_endless(source, bytes, size);
  write_file(source, "episode_3.hdf5", "no HDF5", 7); // named as well, after that one
  assert_int_not_equal(import(source, out, false, &report), ORR_OK);
  assert_non_null(strstr(orr_status_message(), "2 of 4 recordings"));
  assert_non_null(strstr(orr_status_message(), "episode_1.hdf5"));
  assert_false(orr_fs_exists(out));              // nothing was written, nothing stands in the way
  assert_ok(import(source, out, true, &report)); // leaves out what takes the process down, too
  assert_int_equal(report.episodes, 2);
  assert_int_equal(report.bad, 2);
  write_other(source, "episode_1.hdf5", bytes, size, 1);
  assert_ok(import(source, out, true, &report));
  assert_int_equal(report.episodes, 3);
  assert_int_equal(report.added, 1);
  orr_free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_killed_worker_is_reported_with_its_signal),
      cmocka_unit_test(test_a_worker_that_computes_for_ever_is_ended),
      cmocka_unit_test(test_workers_may_wait_and_take_many_steps),
      cmocka_unit_test_setup_teardown(test_a_recording_without_an_end_is_named, folder_setup,
                                      folder_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
