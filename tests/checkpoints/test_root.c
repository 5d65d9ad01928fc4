// labels: quick
// The folder above the checkpoints: what is kept, what is removed, which one is opened.
#define FIXTURE_SMALL
#include "tests/checkpoints/fixture.h"

#include <inttypes.h>

#include "checkpoints/root.h"

// Saves these steps, ended by -1, with one writer.
static void save_steps(const char *root, int64_t keep, int64_t keep_every, const int64_t *steps) {
  ckpt_writer *w;
  assert_ok(fixture_create(root, 1, false, keep, keep_every, &w));
  for (; *steps >= 0; steps++) assert_ok(fixture_save_with(&w, 1, *steps, NULL));
  ckpt_writer_destroy(w);
}

static bool holds(const char *root, int64_t step) {
  char path[512];
  snprintf(path, sizeof(path), "%s/step-%08" PRId64, root, step);
  return orr_fs_exists(path);
}

static void set_latest(const char *root, const char *text) {
  char path[512];
  snprintf(path, sizeof(path), "%s/latest", root);
  if (text)
    assert_ok(orr_fs_write_atomic(path, text, strlen(text)));
  else
    unlink(path);
}

static void test_the_newest_and_the_multiples_are_kept(void **state) {
  save_steps(*state, 2, 30, (int64_t[]){10, 20, 30, 40, 50, 60, 70, -1});
  static const bool kept[] = {false, false, true, false, false, true, true};
  for (int i = 0; i < 7; i++) assert_int_equal(holds(*state, 10 * (i + 1)), kept[i]);
  fixture_assert_holds(*state, 70);
}

static void test_keep_zero_keeps_all(void **state) {
  save_steps(*state, 0, 0, (int64_t[]){1, 2, 3, 4, 5, -1});
  assert_int_equal(fixture_names(*state, "step-"), 5);
}

static void test_steps_of_a_run_that_was_rolled_back_stay_and_do_not_count(void **state) {
  save_steps(*state, 2, 0, (int64_t[]){100, 200, -1});
  save_steps(*state, 2, 0, (int64_t[]){110, 120, 130, -1}); // resumed at 100
  static const int64_t kept[] = {120, 130, 200};
  for (int i = 0; i < 3; i++) assert_true(holds(*state, kept[i]));
  assert_int_equal(fixture_names(*state, "step-"), 3);
  fixture_assert_holds(*state, 130); // not 200: `latest` says where the run is
}

static void test_what_latest_names_is_never_removed(void **state) {
  save_steps(*state, 0, 0, (int64_t[]){1, 2, 3, -1});
  set_latest(*state, "step-00000001\n");
  ckpt_root_retain(*state, 3, 1, 0);
  assert_true(holds(*state, 1));
  assert_false(holds(*state, 2));
  assert_true(holds(*state, 3));
}

static void test_leftovers_of_crashed_saves_are_removed(void **state) {
  char path[512];
  snprintf(path, sizeof(path), "%s/.tmp-step-00000007/deep", (char *)*state);
  assert_ok(orr_fs_mkdirs(path));
  snprintf(path, sizeof(path), "%s/latest.tmp-123", (char *)*state);
  assert_ok(orr_fs_write_atomic(path, "x", 1));
  save_steps(*state, 1, 0, (int64_t[]){8, 9, -1});
  assert_int_equal(fixture_names(*state, ".tmp"), 0);
  assert_int_equal(fixture_names(*state, "latest.tmp"), 0);
  assert_int_equal(fixture_names(*state, "step-"), 1);
}

static void test_latest_missing_or_senseless_means_the_newest(void **state) {
  save_steps(*state, 0, 0, (int64_t[]){1, 2, 3, -1});
  static const char *const texts[] = {NULL,       "",     "step-00000099\n", "../etc/passwd\n",
                                      "step-1\n", "\n\n", "step-000000020"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    set_latest(*state, texts[i]);
    fixture_assert_holds(*state, 3);
  }
  set_latest(*state, "step-00000002\n");
  fixture_assert_holds(*state, 2);
}

static void test_a_step_saved_again_replaces_the_old_one(void **state) {
  save_steps(*state, 2, 0, (int64_t[]){5, 5, 5, -1});
  assert_int_equal(fixture_names(*state, "step-"), 1);
  fixture_assert_holds(*state, 5);
}

static void test_the_replaced_folder_is_opened_when_its_successor_never_came(void **state) {
  char a[512], b[512];
  save_steps(*state, 2, 0, (int64_t[]){4, 5, -1});
  snprintf(a, sizeof(a), "%s/step-00000005", (char *)*state);
  snprintf(b, sizeof(b), "%s/step-00000005.replaced", (char *)*state);
  assert_ok(orr_fs_rename(a, b)); // a crash between the two renames of a commit
  fixture_assert_holds(*state, 5);
  save_steps(*state, 2, 0, (int64_t[]){6, -1}); // it has its name back, and counts
  assert_false(orr_fs_exists(b));
  assert_true(holds(*state, 5));
  assert_int_equal(fixture_names(*state, "step-"), 2);
  fixture_assert_holds(*state, 6);
}

static void test_a_folder_that_cannot_be_written_is_named(void **state) {
  if (geteuid() == 0) {
    print_message("skipped: the permission half: root may write everywhere\n");
  } else {
    assert_int_equal(chmod(*state, 0500), 0);
    assert_int_equal(fixture_save(*state, 1, false, 1, NULL), ORR_EACCESS);
    assert_int_equal(chmod(*state, 0700), 0);
  }
  char path[512];
  snprintf(path, sizeof(path), "%s/file", (char *)*state);
  assert_ok(orr_fs_write_atomic(path, "x", 1));
  assert_int_not_equal(fixture_save(path, 1, false, 1, NULL), ORR_OK);
  assert_non_null(strstr(orr_status_message(), path));
}

// Not damage, and no reason to go on from an older one, which would in time replace it.
static void test_a_checkpoint_that_may_not_be_read_is_called_that(void **state) {
  static const char *const files[] = {"model-00003-of-00005.safetensors", "manifest.json"};
  const uid_t user = geteuid();
  char path[512];
  ckpt_reader *r = NULL;
  save_steps(*state, 0, 0, (int64_t[]){1, 2, -1});
  assert_int_equal(chmod(*state, 0755), 0);
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof(path), "%s/step-00000002/%s", (char *)*state, files[i]);
    assert_int_equal(chmod(path, 0), 0);
    if (user == 0) assert_int_equal(seteuid(65534), 0); // root may read everything
    const orr_code rc = ckpt_open(*state, &r);
    if (user == 0) assert_int_equal(seteuid(0), 0);
    assert_int_equal(rc, ORR_EACCESS);
    assert_non_null(strstr(orr_status_message(), "step-00000002"));
    assert_non_null(strstr(orr_status_message(), files[i]));
    assert_non_null(strstr(orr_status_message(), "Permission denied"));
    assert_int_equal(chmod(path, 0644), 0);
  }
}

int main(void) {
  orr_log_setup(ORR_LOG_ERROR, 0, 1); // the warnings are expected
#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, fixture_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(test_the_newest_and_the_multiples_are_kept),
      IN_FOLDER(test_keep_zero_keeps_all),
      IN_FOLDER(test_steps_of_a_run_that_was_rolled_back_stay_and_do_not_count),
      IN_FOLDER(test_what_latest_names_is_never_removed),
      IN_FOLDER(test_leftovers_of_crashed_saves_are_removed),
      IN_FOLDER(test_latest_missing_or_senseless_means_the_newest),
      IN_FOLDER(test_a_step_saved_again_replaces_the_old_one),
      IN_FOLDER(test_the_replaced_folder_is_opened_when_its_successor_never_came),
      IN_FOLDER(test_a_checkpoint_that_may_not_be_read_is_called_that),
      IN_FOLDER(test_a_folder_that_cannot_be_written_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
