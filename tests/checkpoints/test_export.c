// labels: quick
// Other people's readers: an exported file, and the checkpoint's own files, give equal values in a
// plain Python script and, where it is installed, in the safetensors package.
#define FIXTURE_SMALL
#include "tests/checkpoints/fixture.h"

#include <sys/wait.h>

#include "checkpoints/export.h"
#include "checkpoints/safetensors.h"
#include "kernels/bf16.h"

#define PYTHON "/usr/bin/python3"

static ckpt_reader *saved(const char *root) {
  ckpt_reader *r = NULL;
  assert_ok(fixture_save(root, 2, false, 3, NULL));
  assert_ok(ckpt_open(root, &r));
  return r;
}

// An exported file, read by the strict parser.
static unsigned char *read_export(const char *path, ckpt_table *t) {
  char *bytes;
  size_t size;
  uint64_t header_bytes = 0;
  assert_ok(orr_fs_read_all(path, &bytes, &size));
  assert_ok(ckpt_safetensors_length(path, (unsigned char *)bytes, size, &header_bytes));
  assert_ok(ckpt_safetensors_parse(path, bytes, header_bytes, size, t));
  return (unsigned char *)bytes;
}

static void check_export(const char *root, ckpt_export_dtype dtype, bool ema, int set) {
  char path[512];
  uint64_t bytes = 0, size = 0;
  ckpt_table t;
  ckpt_reader *r = saved(root);
  snprintf(path, sizeof(path), "%s/out.safetensors", root);
  assert_ok(ckpt_export(r, path, dtype, ema, NULL, &bytes));
  ckpt_close(r);
  assert_ok(orr_fs_size(path, &size));
  assert_int_equal(bytes, size);
  unsigned char *file = read_export(path, &t);
  assert_int_equal(t.count, FIXTURE_TENSORS);
  for (int i = 0; i < t.count; i++) {
    const ckpt_entry *e = &t.entries[i];
    assert_string_equal(e->name, fixture_tensors[i].name);
    assert_memory_equal(e->shape, fixture_tensors[i].shape, (size_t)e->ndim * 8);
    for (uint64_t k = 0; k < fixture_count(&fixture_tensors[i]); k++) {
      float wanted = fixture_value(3, set, i, k);
      uint16_t half = kern_f32_to_bf16(wanted);
      if (dtype == CKPT_EXPORT_F32)
        assert_memory_equal(file + e->offset + 4 * k, &wanted, 4);
      else
        assert_memory_equal(file + e->offset + 2 * k, &half, 2);
    }
  }
  ckpt_table_release(&t);
  orr_free(file);
}

static void test_f32_export_holds_the_weights_bit_for_bit(void **state) {
  check_export(*state, CKPT_EXPORT_F32, false, 0);
}
static void test_bf16_export_rounds_to_nearest_even(void **state) {
  check_export(*state, CKPT_EXPORT_BF16, false, 0);
}
static void test_ema_export_has_the_models_names(void **state) {
  check_export(*state, CKPT_EXPORT_F32, true, 2);
}

static void test_export_survives_every_fault_and_keeps_the_old_file(void **state) {
  static const orr_fault_kind kinds[] = {ORR_FAULT_MALLOC, ORR_FAULT_OPEN,  ORR_FAULT_READ,
                                         ORR_FAULT_WRITE,  ORR_FAULT_FSYNC, ORR_FAULT_RENAME};
  char path[512];
  uint64_t bytes, old = 0;
  ckpt_reader *r = saved(*state);
  snprintf(path, sizeof(path), "%s/out.safetensors", (char *)*state);
  assert_ok(ckpt_export(r, path, CKPT_EXPORT_F32, false, NULL, &old));
  for (int k = 0; k < 6; k++)
    for (int n = 1, fired = 1; fired; n++) {
      orr_fault_arm(kinds[k], n);
      orr_code rc = ckpt_export(r, path, CKPT_EXPORT_F32, false, NULL, NULL);
      fired = orr_fault_fired(kinds[k]);
      orr_fault_arm(kinds[k], 0);
      assert_true(fired || rc == ORR_OK);
      assert_ok(orr_fs_size(path, &bytes));
      assert_int_equal(bytes, old);
      assert_int_equal(fixture_names(*state, "out"), 1);
    }
  ckpt_close(r);
}

static void test_ema_of_a_run_without_one_is_refused(void **state) {
  char path[512];
  const ckpt_plan plan = {fixture_sets, 1, 0};
  ckpt_writer_options o = fixture_options(*state, 0, 1, false);
  ckpt_writer *w;
  ckpt_reader *r;
  assert_ok(ckpt_writer_create(&plan, &o, &w));
  assert_ok(fixture_save_with(&w, 1, 3, NULL));
  ckpt_writer_destroy(w);
  assert_ok(ckpt_open(*state, &r));
  snprintf(path, sizeof(path), "%s/out.safetensors", (char *)*state);
  assert_int_equal(ckpt_export(r, path, CKPT_EXPORT_F32, true, NULL, NULL), ORR_ENOTFOUND);
  assert_non_null(strstr(orr_status_message(), "kept no moving average"));
  assert_int_equal(fixture_names(*state, "out"), 0);
  ckpt_close(r);
}

// Exit status of the script on this folder; 77 = what it needs is not installed.
static int run_script(const char *script, const char *folder) {
  char path[512];
  snprintf(path, sizeof(path), "%s/tests/checkpoints/%s", ORR_SOURCE_DIR, script);
  pid_t child = fork();
  if (child == 0) {
    execl(PYTHON, PYTHON, path, folder, (char *)NULL);
    _exit(77);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The values that a reader must find, as plain files beside the checkpoint: NAME.raw.
static void write_wanted(const char *root) {
  char path[512];
  int64_t step = 3;
  for (int t = 0; t < FIXTURE_TENSORS; t++) {
    size_t bytes = fixture_count(&fixture_tensors[t]) * 4;
    char *raw = malloc(bytes);
    fixture_get(&step, 0, t, 0, bytes, raw);
    snprintf(path, sizeof(path), "%s/%s.raw", root, fixture_tensors[t].name);
    assert_ok(orr_fs_write_atomic(path, raw, bytes));
    free(raw);
  }
}

static void check_script(const char *root, const char *script) {
  assert_ok(fixture_save(root, 3, true, 3, NULL));
  write_wanted(root);
  int status = run_script(script, root);
  if (status == 77) {
    print_message("skipped: %s or a module that %s needs is not installed\n", PYTHON, script);
    skip();
  }
  assert_int_equal(status, 0);
}

static void test_a_short_python_script_reads_equal_values(void **state) {
  check_script(*state, "read_plain.py");
}
static void test_the_safetensors_package_reads_equal_values(void **state) {
  check_script(*state, "read_package.py");
}

int main(void) {
#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, fixture_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(test_f32_export_holds_the_weights_bit_for_bit),
      IN_FOLDER(test_bf16_export_rounds_to_nearest_even),
      IN_FOLDER(test_ema_export_has_the_models_names),
      IN_FOLDER(test_export_survives_every_fault_and_keeps_the_old_file),
      IN_FOLDER(test_ema_of_a_run_without_one_is_refused),
      IN_FOLDER(test_a_short_python_script_reads_equal_values),
      IN_FOLDER(test_the_safetensors_package_reads_equal_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
