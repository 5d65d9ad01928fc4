// labels: quick
// Files and paths: what is read is what was written, failures name path and cause, and a failed
// atomic write leaves the old file.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/home.h"
#include "tests/base/folder.h"

static char *in(const char *dir, const char *name, char out[512]) {
  assert_int_equal(orr_fs_join(out, 512, dir, name), ORR_OK);
  return out;
}

static void assert_holds(const char *path, const char *wanted) {
  char *text = NULL;
  size_t bytes = 0;
  assert_int_equal(orr_fs_read_all(path, &text, &bytes), ORR_OK);
  assert_int_equal(bytes, strlen(wanted));
  assert_string_equal(text, wanted);
  orr_free(text);
}

static void test_join_puts_exactly_one_slash_and_refuses_what_does_not_fit(void **state) {
  char out[8];
  assert_int_equal(orr_fs_join(out, sizeof out, "a", "b"), ORR_OK);
  assert_string_equal(out, "a/b");
  assert_int_equal(orr_fs_join(out, sizeof out, "a/", "b"), ORR_OK);
  assert_string_equal(out, "a/b");
  assert_int_equal(orr_fs_join(out, sizeof out, "", "b"), ORR_OK);
  assert_string_equal(out, "b");
  assert_int_equal(orr_fs_join(out, sizeof out, "abc", "defg"), ORR_EINVAL);
}

static void test_mkdirs_makes_all_parents_and_accepts_what_is_there(void **state) {
  char path[512];
  in(*state, "a/b//c/", path);
  assert_int_equal(orr_fs_mkdirs(path), ORR_OK);
  assert_int_equal(orr_fs_mkdirs(path), ORR_OK);
  assert_true(orr_fs_is_dir(path));
  in(*state, "file", path);
  assert_int_equal(orr_fs_write_atomic(path, "x", 1), ORR_OK);
  in(*state, "file/below", path);
  assert_int_equal(orr_fs_mkdirs(path), ORR_EIO);
  assert_message_names("/file: is a file, wanted a folder");
}

static void test_written_files_read_back_and_replace_older_ones(void **state) {
  char path[512];
  in(*state, "text", path);
  assert_int_equal(orr_fs_write_atomic(path, "first", 5), ORR_OK);
  assert_holds(path, "first");
  assert_int_equal(orr_fs_write_atomic(path, "2nd", 3), ORR_OK);
  assert_holds(path, "2nd");
  assert_int_equal(orr_fs_write_atomic(path, "", 0), ORR_OK);
  assert_holds(path, "");
}

static void test_temporary_files_of_killed_writers_are_swept(void **state) {
  static const char *const left[] = {"text.tmp-99999999", "text.tmp-88888888", "other.tmp-1"},
                           *const kept[] = {"text.tmp-", "text.tmp-1x", "text.tmp", "text.bak-1"};
  char path[512], written[512];
  for (int i = 0; i < 3; i++) folder_store(*state, left[i], "half");
  for (int i = 0; i < 4; i++) folder_store(*state, kept[i], "a user's");
  in(*state, "text.tmp-77777777", written); // by a writer that is at it
  const int fd = open(written, O_WRONLY | O_CREAT, 0600);
  assert_int_equal(flock(fd, LOCK_EX), 0);
  folder_store(*state, "text", "new");
  for (int i = 0; i < 3; i++) {
    in(*state, left[i], path);
    assert_int_equal(orr_fs_exists(path), i == 2); // another name's
  }
  assert_true(orr_fs_exists(written));
  close(fd);
  orr_fs_sweep(*state, NULL);
  assert_false(orr_fs_exists(path));
  assert_false(orr_fs_exists(written));
  for (int i = 0; i < 4; i++) {
    in(*state, kept[i], path);
    assert_true(orr_fs_exists(path));
  }
}

static void test_missing_truncated_and_wrong_kinds_are_named(void **state) {
  char path[512], *text = NULL;
  unsigned char piece[16];
  size_t bytes = 0;
  int fd = -1;
  in(*state, "missing", path);
  assert_int_equal(orr_fs_read_all(path, &text, &bytes), ORR_ENOTFOUND);
  assert_message_names(path);
  assert_int_equal(orr_fs_read_all(*state, &text, &bytes), ORR_EFORMAT);
  assert_message_names("got a folder, wanted a file");
  in(*state, "short", path);
  assert_int_equal(orr_fs_write_atomic(path, "12345", 5), ORR_OK);
  assert_int_equal(orr_fs_open(path, O_RDONLY, 0, &fd), ORR_OK);
  assert_int_equal(orr_fs_pread_all(fd, path, piece, 4, 1), ORR_OK);
  assert_memory_equal(piece, "2345", 4);
  assert_int_equal(orr_fs_pread_all(fd, path, piece, 5, 1), ORR_EFORMAT);
  assert_message_names("ends at byte 5, 1 of 5 bytes short");
  close(fd);
}

static void test_remove_tree_takes_everything_and_a_missing_one_is_fine(void **state) {
  char path[512], file[512];
  in(*state, "tree", path);
  in(*state, "tree/a/b", file);
  assert_int_equal(orr_fs_mkdirs(file), ORR_OK);
  in(*state, "tree/a/file", file);
  assert_int_equal(orr_fs_write_atomic(file, "x", 1), ORR_OK);
  in(*state, "outside", file);
  assert_int_equal(orr_fs_write_atomic(file, "kept", 4), ORR_OK);
  char link[512];
  in(*state, "tree/link", link);
  assert_int_equal(symlink(file, link), 0);
  assert_int_equal(orr_fs_remove_tree(path), ORR_OK);
  assert_false(orr_fs_exists(path));
  assert_holds(file, "kept"); // the link went, not what it points to
  assert_int_equal(orr_fs_remove_tree(path), ORR_OK);
}

// After SQLite: fail the 1st, 2nd, ... operation of each kind until none is left to fail.
static void test_a_failed_atomic_write_keeps_the_old_file_and_leaves_no_other(void **state) {
  static const orr_fault_kind kinds[] = {ORR_FAULT_OPEN, ORR_FAULT_WRITE, ORR_FAULT_FSYNC,
                                         ORR_FAULT_RENAME};
  char dir[512], path[512], beside[600];
  in(*state, "sweep", dir);
  assert_int_equal(orr_fs_mkdirs(dir), ORR_OK);
  in(dir, "file", path);
  snprintf(beside, sizeof beside, "%s.tmp-%ld", path, (long)getpid());
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    int failures = 0;
    for (int n = 1;; n++) {
      assert_int_equal(orr_fs_write_atomic(path, "old", 3), ORR_OK);
      orr_fault_arm(kinds[k], n);
      orr_code rc = orr_fs_write_atomic(path, "new", 3);
      if (!orr_fault_fired(kinds[k])) break;
      failures++;
      assert_int_equal(rc, kinds[k] == ORR_FAULT_WRITE ? ORR_EFULL : ORR_EIO);
      assert_false(orr_fs_exists(beside));
      // Only the sync of the folder comes after the rename: then either file may be there.
      bool renamed = (kinds[k] == ORR_FAULT_FSYNC || kinds[k] == ORR_FAULT_OPEN) && n == 2;
      assert_holds(path, renamed ? "new" : "old");
    }
    orr_fault_arm(kinds[k], 0);
    assert_true(failures >= 1);
  }
}

static void test_a_full_disk_is_named_with_a_remedy(void **state) {
  char path[512];
  in(*state, "file", path);
  orr_fault_arm(ORR_FAULT_WRITE, 1);
  assert_int_equal(orr_fs_write_atomic(path, "text", 4), ORR_EFULL);
  assert_message_names("No space left on device; free some space");
  assert_message_names(path);
}

static void assert_expands(const char *path, const char *wanted) {
  orr_path out;
  assert_int_equal(orr_home_expand(path, out, sizeof out), ORR_OK);
  assert_string_equal(out, wanted);
}

static void test_the_home_is_written_out_and_nothing_becomes_a_folder_of_that_name(void **state) {
  static const char *const refused[] = {"~", "~other/x", "$SCRATCH/x", "a/${USER}/b", "~/$USER"};
  orr_path out, home;
  assert_int_equal(setenv("HOME", "/tmp/my home", 1), 0);
  assert_true(orr_home(home, sizeof home));
  assert_string_equal(home, "/tmp/my home");
  assert_expands("~/runs/x", "/tmp/my home/runs/x");
  static const char *const kept[] = {"",        "runs/x", "/a/~/b",       "a~b",
                                     "costs$5", "$",      "s3://b/$KEY/x"};
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) assert_expands(kept[i], kept[i]);
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    assert_int_equal(orr_home_expand(refused[i], out, sizeof out), ORR_ECONFIG);
    assert_message_names(refused[i]);
  }
  // what is there already is meant
  char there[512];
  in(*state, "$odd", there);
  assert_int_equal(orr_fs_write_atomic(there, "x", 1), ORR_OK);
  assert_expands(there, there);
  // without the variable it is the user's entry; without room it is an error
  assert_int_equal(unsetenv("HOME"), 0);
  assert_true(orr_home(home, sizeof home));
  assert_int_equal(orr_home_expand("~/runs", out, 4), ORR_EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_temporary_files_of_killed_writers_are_swept,
                                      folder_setup, folder_teardown),
      cmocka_unit_test(test_join_puts_exactly_one_slash_and_refuses_what_does_not_fit),
      cmocka_unit_test(test_mkdirs_makes_all_parents_and_accepts_what_is_there),
      cmocka_unit_test(test_written_files_read_back_and_replace_older_ones),
      cmocka_unit_test(test_missing_truncated_and_wrong_kinds_are_named),
      cmocka_unit_test(test_remove_tree_takes_everything_and_a_missing_one_is_fine),
      cmocka_unit_test(test_a_failed_atomic_write_keeps_the_old_file_and_leaves_no_other),
      cmocka_unit_test(test_a_full_disk_is_named_with_a_remedy),
      cmocka_unit_test(test_the_home_is_written_out_and_nothing_becomes_a_folder_of_that_name),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
