// labels: quick faults
// The n-th operation of each kind fails, for n = 1, 2, ... until none is left: every time a clean
// error, the last good checkpoint loads, and the next save works and leaves nothing of the failed
// one.
#define FIXTURE_SMALL
#include "tests/checkpoints/fixture.h"

static const struct {
  orr_fault_kind kind;
  const char *name;
} kinds[] = {{ORR_FAULT_MALLOC, "malloc"}, {ORR_FAULT_OPEN, "open"},
             {ORR_FAULT_READ, "read"},     {ORR_FAULT_WRITE, "write"},
             {ORR_FAULT_FSYNC, "fsync"},   {ORR_FAULT_RENAME, "rename"}};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

// A commit may fail after its rename: then the new step is in place already, and whole.
static void assert_one_of_two_holds(const char *root, int64_t old, int64_t new_step) {
  ckpt_reader *r;
  bool equal;
  assert_ok(ckpt_open(root, &r));
  if (ckpt_reader_step(r) != old) assert_int_equal(ckpt_reader_step(r), new_step);
  assert_ok(fixture_check(r, &equal));
  assert_true(equal);
  ckpt_close(r);
}

static int open_files(void) {
  return fixture_names("/proc/self/fd", "");
}

// Fails operation n of a save of step 2 over an existing step 1; true when the fault fired.
static bool save_with_fault(const char *root, int ranks, bool async, orr_fault_kind kind, int n) {
  assert_ok(orr_fs_remove_tree(root));
  assert_ok(fixture_save(root, 1, false, 1, NULL));
  ckpt_writer *w[8] = {0};
  const int files = open_files();
  orr_status_clear();
  orr_fault_arm(kind, n);
  orr_code rc = fixture_create(root, ranks, async, 1, 0, w);
  bool created = rc == ORR_OK;
  if (created) rc = fixture_save_with(w, ranks, 2, NULL);
  bool fired = orr_fault_fired(kind);
  orr_fault_arm(kind, 0);
  assert_true(fired || rc == ORR_OK);
  if (rc != ORR_OK) assert_true(strlen(orr_status_message()) > 10);
  assert_one_of_two_holds(root, 1, 2);
  if (created) assert_ok(fixture_save_with(w, ranks, 3, NULL)); // the same writers try again
  for (int r = 0; created && r < ranks; r++) ckpt_writer_destroy(w[r]);
  if (!created) assert_ok(fixture_save(root, 1, false, 3, NULL));
  fixture_assert_holds(root, 3);
  assert_int_equal(fixture_names(root, ".tmp"), 0);
  assert_int_equal(open_files(), files);
  return fired;
}

static void sweep_saves(const char *root, int ranks, bool async) {
  for (int k = 0; k < KINDS; k++) {
    int n = 1;
    while (save_with_fault(root, ranks, async, kinds[k].kind, n)) n++;
    print_message("save by %d, %s: %d faults of kind %s\n", ranks, async ? "async" : "sync", n - 1,
                  kinds[k].name);
    assert_true(n > 1 || kinds[k].kind == ORR_FAULT_READ);
    // 12 tensor files, 2 indices, manifest, their folder, the root; `latest` and its folder
    if (kinds[k].kind == ORR_FAULT_FSYNC) assert_int_equal(n - 1, 19);
  }
}

static void test_save_survives_every_fault(void **state) {
  sweep_saves(*state, 1, false);
}
static void test_async_save_of_three_ranks_survives_every_fault(void **state) {
  sweep_saves(*state, 3, true);
}

// A step that exists already takes the way over two renames.
static void test_saving_a_step_again_survives_every_fault(void **state) {
  for (int k = 0; k < KINDS; k++)
    for (int n = 1, fired = 1; fired; n++) {
      assert_ok(orr_fs_remove_tree(*state));
      assert_ok(fixture_save(*state, 1, false, 2, NULL));
      orr_fault_arm(kinds[k].kind, n);
      orr_code rc = fixture_save(*state, 1, false, 2, NULL);
      fired = orr_fault_fired(kinds[k].kind);
      orr_fault_arm(kinds[k].kind, 0);
      assert_true(fired || rc == ORR_OK);
      fixture_assert_holds(*state, 2);
      assert_ok(fixture_save(*state, 1, false, 2, NULL));
      assert_int_equal(fixture_names(*state, ""), 4); // ., .., latest, step-00000002
    }
}

static orr_code load(const char *path, int64_t *step) {
  ckpt_reader *r;
  bool equal;
  ORR_TRY(ckpt_open(path, &r));
  *step = ckpt_reader_step(r);
  orr_code rc = fixture_check(r, &equal);
  if (rc == ORR_OK) rc = ckpt_verify(r);
  ckpt_close(r);
  if (rc == ORR_OK) assert_true(equal);
  return rc;
}

static void test_load_survives_every_fault(void **state) {
  char folder[512];
  assert_ok(fixture_save(*state, 1, false, 1, NULL));
  assert_ok(fixture_save(*state, 1, false, 2, NULL));
  snprintf(folder, sizeof(folder), "%s/step-00000002", (char *)*state);
  const char *const paths[] = {*state, folder};
  const int files = open_files();
  for (int p = 0; p < 2; p++)
    for (int k = 0; k < KINDS; k++) {
      int n = 1;
      for (bool fired = true; fired; n++) {
        int64_t step = 0;
        orr_status_clear();
        orr_fault_arm(kinds[k].kind, n);
        orr_code rc = load(paths[p], &step);
        fired = orr_fault_fired(kinds[k].kind);
        orr_fault_arm(kinds[k].kind, 0);
        assert_int_equal(open_files(), files);
        if (rc == ORR_OK)
          assert_true(step == 2 || (fired && p == 0 && step == 1)); // the one before it
        else
          assert_true(fired && strlen(orr_status_message()) > 10);
      }
      print_message("load %s: %d faults of kind %s\n", p ? "folder" : "root", n - 2, kinds[k].name);
    }
}

// `get` fails: as when a device copy does.
static orr_code get_fails(void *ctx, int s, int t, uint64_t first, size_t bytes, void *host) {
  int *left = ctx;
  int64_t step = 2;
  ORR_CHECK((*left)-- > 0, ORR_EUNSUPPORTED, "copy of tensor %d failed", t);
  return fixture_get(&step, s, t, first, bytes, host);
}

static void test_a_failing_copy_is_passed_on_and_leaves_no_trace(void **state) {
  ckpt_writer *w;
  assert_ok(fixture_save(*state, 1, false, 1, NULL));
  assert_ok(fixture_create(*state, 1, true, 1, 0, &w));
  for (int n = 0; n < 22; n += 7) {
    int left = n;
    assert_ok(ckpt_save_prepare(w, 2));
    assert_int_equal(ckpt_save_begin(w, 2, get_fails, &left), ORR_EUNSUPPORTED);
    assert_non_null(strstr(orr_status_message(), "copy of tensor"));
    ckpt_save_abandon(w);
    assert_int_equal(fixture_names(*state, ".tmp"), 0);
  }
  ckpt_writer_destroy(w);
  fixture_assert_holds(*state, 1);
}

int main(void) {
  orr_log_setup(ORR_LOG_ERROR, 0, 1); // the warnings are expected
#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, fixture_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(test_save_survives_every_fault),
      IN_FOLDER(test_async_save_of_three_ranks_survives_every_fault),
      IN_FOLDER(test_saving_a_step_again_survives_every_fault),
      IN_FOLDER(test_load_survives_every_fault),
      IN_FOLDER(test_a_failing_copy_is_passed_on_and_leaves_no_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
