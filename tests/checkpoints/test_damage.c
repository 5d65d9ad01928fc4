// labels: quick faults
// Torn files and flipped bits: always noticed, always named, and a root falls back to the
// checkpoint before.
#define FIXTURE_SMALL
#include "tests/checkpoints/fixture.h"

#include <inttypes.h>

#include "base/json.h"
#include "checkpoints/manifest.h"

static void make_two(const char *root) {
  assert_ok(fixture_save(root, 1, false, 1, NULL));
  assert_ok(fixture_save(root, 1, false, 2, NULL));
}

static void newest_file(char *out, size_t size, const char *root, const char *name) {
  snprintf(out, size, "%s/step-00000002/%s", root, name);
}

// Opens step 2 by its own path and reads everything: the outcome. Never the wrong values.
static orr_code load_newest(const char *root) {
  char path[512];
  ckpt_reader *r;
  bool equal = true;
  newest_file(path, sizeof(path), root, "");
  ORR_TRY(ckpt_open(path, &r));
  orr_code rc = fixture_check(r, &equal);
  if (rc == ORR_OK) rc = ckpt_verify(r);
  ckpt_close(r);
  assert_true(equal);
  return rc;
}

static void assert_damage_of(const char *root, const char *name) {
  assert_int_not_equal(load_newest(root), ORR_OK);
  if (!strstr(orr_status_message(), name))
    fail_msg("'%s' does not name %s", orr_status_message(), name);
  fixture_assert_holds(root, 1);
}

static void flip_bit(const char *path, uint64_t byte, int bit) {
  unsigned char c;
  int fd = open(path, O_RDWR);
  assert_true(fd >= 0);
  assert_int_equal(pread(fd, &c, 1, (off_t)byte), 1);
  c ^= (unsigned char)(1 << bit);
  assert_int_equal(pwrite(fd, &c, 1, (off_t)byte), 1);
  close(fd);
}

// Flips one bit at a time, the first and last bytes of the file and every `stride`-th between.
static void flip_through(const char *root, const char *name, uint64_t stride) {
  char path[512];
  uint64_t bytes = 0;
  int flips = 0;
  newest_file(path, sizeof(path), root, name);
  assert_ok(orr_fs_size(path, &bytes));
  for (uint64_t at = 0; at < bytes; flips++) {
    flip_bit(path, at, (int)(at % 8));
    assert_damage_of(root, name);
    flip_bit(path, at, (int)(at % 8));
    if (at < 16 || at + 16 >= bytes)
      at++;
    else
      at = at + stride < bytes - 16 ? at + stride : bytes - 16;
  }
  assert_ok(load_newest(root));
  print_message("%s: %d flips in %" PRIu64 " bytes\n", name, flips, bytes);
}

static void test_a_flipped_bit_of_a_tensor_file_is_noticed_and_named(void **state) {
  make_two(*state);
  flip_through(*state, "model-00001-of-00005.safetensors", 311);
  flip_through(*state, "optim-00001-of-00007.safetensors", 997);
}

static void test_a_flipped_bit_of_a_text_file_is_noticed_and_named(void **state) {
  make_two(*state);
  flip_through(*state, "manifest.json", 13);
  flip_through(*state, "model.safetensors.index.json", 37);
}

static void cut_file(const char *root, const char *name, uint64_t bytes) {
  char path[512];
  newest_file(path, sizeof(path), root, name);
  assert_int_equal(truncate(path, (off_t)bytes), 0);
}

static void save_newest_again(const char *root) {
  assert_ok(fixture_save(root, 1, false, 2, NULL));
  assert_ok(load_newest(root));
}

static void test_a_truncated_file_is_noticed_and_named(void **state) {
  static const char *const names[] = {"model-00003-of-00005.safetensors", "manifest.json",
                                      "optim.safetensors.index.json"};
  make_two(*state);
  for (int i = 0; i < 3; i++) {
    char path[512];
    uint64_t bytes = 0;
    newest_file(path, sizeof(path), *state, names[i]);
    assert_ok(orr_fs_size(path, &bytes));
    const uint64_t cuts[] = {0, 1, 7, 8, 9, 100, 4095, 4096, 4097, bytes / 2, bytes - 2};
    for (size_t c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
      if (cuts[c] >= bytes) continue;
      cut_file(*state, names[i], cuts[c]);
      assert_damage_of(*state, names[i]);
      save_newest_again(*state);
    }
  }
}

static void test_a_file_that_was_stretched_with_zeros_is_noticed(void **state) {
  make_two(*state);
  cut_file(*state, "model-00002-of-00005.safetensors", 5000);
  cut_file(*state, "model-00002-of-00005.safetensors", 1000000);
  assert_damage_of(*state, "model-00002-of-00005.safetensors");
  save_newest_again(*state);
  // As a file system does after a power cut: the size is right, the data never arrived.
  char path[512];
  uint64_t bytes = 0;
  newest_file(path, sizeof(path), *state, "model-00002-of-00005.safetensors");
  assert_ok(orr_fs_size(path, &bytes));
  cut_file(*state, "model-00002-of-00005.safetensors", 8192);
  cut_file(*state, "model-00002-of-00005.safetensors", bytes);
  assert_damage_of(*state, "model-00002-of-00005.safetensors");
}

static void test_a_missing_file_is_noticed_and_named(void **state) {
  static const char *const names[] = {"model-00001-of-00005.safetensors", "manifest.json",
                                      "model.safetensors.index.json"};
  make_two(*state);
  for (int i = 0; i < 3; i++) {
    char path[512];
    newest_file(path, sizeof(path), *state, names[i]);
    assert_int_equal(unlink(path), 0);
    assert_damage_of(*state, i == 1 ? "manifest" : names[i]);
    save_newest_again(*state);
  }
}

static void test_when_all_are_damaged_the_root_is_refused_not_taken_for_empty(void **state) {
  char path[512];
  ckpt_reader *r;
  make_two(*state);
  for (int step = 1; step <= 2; step++) {
    snprintf(path, sizeof(path), "%s/step-%08d/model-00001-of-00005.safetensors", (char *)*state,
             step);
    flip_bit(path, 9000, 3);
  }
  assert_int_equal(ckpt_open(*state, &r), ORR_ECORRUPT);
  assert_non_null(strstr(orr_status_message(), *state));
}

// A run resumes from the checkpoint before a damaged one and comes to its step again.
static void test_a_damaged_step_is_replaced_when_it_is_saved_again(void **state) {
  char path[512];
  make_two(*state);
  newest_file(path, sizeof(path), *state, "model-00001-of-00005.safetensors");
  flip_bit(path, 9000, 3);
  fixture_assert_holds(*state, 1);
  assert_ok(fixture_save(*state, 3, true, 2, NULL));
  fixture_assert_holds(*state, 2);
}

static void assert_manifest_refused(const char *root, const char *key, json_t *value,
                                    const char *says) {
  char path[512];
  json_t *j;
  ckpt_manifest m;
  newest_file(path, sizeof(path), root, "manifest.json");
  assert_ok(orr_json_load(path, &j));
  json_object_set_new(j, key, value);
  assert_ok(orr_json_store(path, j));
  json_decref(j);
  newest_file(path, sizeof(path), root, "");
  assert_int_not_equal(ckpt_manifest_load(path, &m), ORR_OK);
  if (!strstr(orr_status_message(), says))
    fail_msg("'%s' does not say '%s'", orr_status_message(), says);
  save_newest_again(root);
}

static void test_foreign_and_edited_manifests_are_refused(void **state) {
  make_two(*state);
  assert_manifest_refused(*state, "format", json_string("other"), "format 'other'");
  assert_manifest_refused(*state, "version", json_integer(2),
                          "version 2, this program reads version 1");
  assert_manifest_refused(*state, "step", json_integer(3), "damaged or edited");
  assert_manifest_refused(*state, "meta", json_pack("{s:i}", "samples", 5), "damaged or edited");
  assert_manifest_refused(*state, "files", json_array(), "damaged or edited");
}

int main(void) {
  orr_log_setup(ORR_LOG_ERROR, 0, 1); // the warnings are expected
#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, fixture_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(test_a_flipped_bit_of_a_tensor_file_is_noticed_and_named),
      IN_FOLDER(test_a_flipped_bit_of_a_text_file_is_noticed_and_named),
      IN_FOLDER(test_a_truncated_file_is_noticed_and_named),
      IN_FOLDER(test_a_file_that_was_stretched_with_zeros_is_noticed),
      IN_FOLDER(test_a_missing_file_is_noticed_and_named),
      IN_FOLDER(test_when_all_are_damaged_the_root_is_refused_not_taken_for_empty),
      IN_FOLDER(test_a_damaged_step_is_replaced_when_it_is_saved_again),
      IN_FOLDER(test_foreign_and_edited_manifests_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
