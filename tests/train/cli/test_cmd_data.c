// labels: quick
// `orrery data inspect|verify` and what the group says to bad usage.
#include "tests/data/shards.h"

#include "train/cli/cmd.h"

#define RUN(...)                                                                                   \
  run((const char *const[]){"data", __VA_ARGS__},                                                  \
      (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)) + 1)

static orr_code run(const char *const *words, int n) {
  char *argv[16];
  for (int i = 0; i < n; i++) argv[i] = (char *)(uintptr_t)words[i];
  argv[n] = NULL;
  return train_cmd_data(n, argv);
}

static void test_bad_usage_says_what_is_wanted(void **state) {
  char *none[] = {(char *)(uintptr_t) "data", NULL};
  assert_int_equal(train_cmd_data(1, none), ORR_ECONFIG);
  assert_message_names("generate", "tokenize", "inspect", "verify");
  assert_int_equal(RUN("inspekt"), ORR_ECONFIG);
  assert_message_names("inspekt", "did you mean inspect");
  assert_int_equal(RUN("import", "file.mp4"), ORR_ECONFIG);
  assert_message_names("import", "--out");
  assert_int_equal(RUN("verify"), ORR_ECONFIG);
  assert_message_names("DIR");
  assert_int_equal(RUN("inspect", "a", "--shet", "x"), ORR_ECONFIG);
  assert_message_names("--shet", "--sheet");
  assert_int_equal(RUN("--help"), ORR_OK);
}

static void test_generate_says_what_a_scene_of_a_library_wants(void **state) {
  assert_int_equal(RUN("generate", "--out", "x", "--scene", "coinran"), ORR_ECONFIG);
  assert_message_names("coinran", "wanted one of: tabletop");
  assert_int_equal(RUN("generate", "--out", "x", "--scene", "coinrun", "--levels", "7"),
                   ORR_ECONFIG);
  assert_message_names("--levels", "'7'", "FIRST:END");
  assert_int_equal(RUN("generate", "--out", "x", "--scene", "coinrun", "--mode", "eazy"),
                   ORR_ECONFIG);
  assert_message_names("--mode", "'eazy'", "easy or hard");
  assert_int_equal(RUN("generate", "--out", "x", "--library", "libenv.so"), ORR_ECONFIG);
  assert_message_names("tabletop", "--library");
}

static void test_generate_says_what_the_physics_scene_wants(void **state) {
  assert_int_equal(RUN("generate", "--out", "x", "--pairs"), ORR_ECONFIG);
  assert_message_names("--pairs", "physics", "tabletop");
  assert_int_equal(RUN("generate", "--out", "x", "--scene", "physics", "--concept", "love"),
                   ORR_ECONFIG);
  assert_message_names("--concept", "love", "all", "motion", "tool");
  assert_int_equal(
      RUN("generate", "--out", "x", "--scene", "physics", "--pairs", "--change", "mass"),
      ORR_ECONFIG);
  assert_message_names("--pairs", "--change", "one of them");
}

static double number(const json_t *j, const char *key) {
  return json_number_value(json_object_get(j, key));
}

static void test_inspect_writes_facts_and_sheet(void **state) {
  const char *dir = shards_folder("inspect");
  data_shard_format f = shards_format(8, 12, 0);
  char facts[1024], sheet[1024];
  uint64_t bytes = 0;
  json_t *j = NULL;
  shards_data_set(dir, &f, 2, 3, 9); // 9, 10, 11 frames, twice
  assert_int_equal(orr_fs_join(facts, sizeof facts, dir, "facts.json"), ORR_OK);
  assert_int_equal(orr_fs_join(sheet, sizeof sheet, dir, "sheet.png"), ORR_OK);
  assert_int_equal(RUN("inspect", dir, "--json", facts, "--sheet", sheet), ORR_OK);
  assert_int_equal(orr_fs_size(sheet, &bytes), ORR_OK);
  assert_true(bytes > 100);
  assert_int_equal(orr_json_load(facts, &j), ORR_OK);
  assert_true(number(j, "frames") == 60 && number(j, "episodes") == 6 && number(j, "shards") == 2);
  assert_true(number(j, "hours") == 60.0 / 10 / 3600);
  const json_t *left = json_array_get(json_object_get(j, "actions"), 0);
  assert_string_equal(json_string_value(json_object_get(left, "name")), "left");
  // actions go from 0 (episode 0, t 0) to 510 (episode 5, t 10)
  assert_true(number(left, "low") == 0 && number(left, "high") == 510);
  double count = 0, mean = 0;
  for (int e = 0; e < 6; e++) {
    for (int t = 0; t < 9 + e % 3; t++) mean += (t + 100 * e) / 60.0;
  }
  for (size_t i = 0; i < json_array_size(json_object_get(left, "bins")); i++) {
    count += json_number_value(json_array_get(json_object_get(left, "bins"), i));
  }
  assert_true(count == 60);
  assert_true(number(left, "mean") > mean - 1e-9 && number(left, "mean") < mean + 1e-9);
  json_decref(j);
  orr_fs_remove_tree(dir);
}

static void test_sheet_needs_frames(void **state) {
  const char *dir = shards_folder("inspect-tokens");
  data_shard_format f = shards_format(0, 0, 6);
  shards_data_set(dir, &f, 1, 3, 9);
  assert_int_equal(RUN("inspect", dir), ORR_OK);
  assert_int_equal(RUN("inspect", dir, "--sheet", "never.png"), ORR_EINVAL);
  assert_message_names(dir, "tokens only", "; ");
  assert_false(orr_fs_exists("never.png"));
  orr_fs_remove_tree(dir);
}

static void test_verify_fails_on_one_flipped_bit(void **state) {
  const char *dir = shards_folder("verify");
  data_shard_format f = shards_format(8, 12, 0);
  char path[1024], *text = NULL;
  size_t bytes = 0;
  shards_data_set(dir, &f, 2, 3, 9);
  assert_int_equal(RUN("verify", dir), ORR_OK);
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "index.json"), ORR_OK);
  unlink(path);
  assert_int_equal(RUN("verify", dir), ORR_ENOTFOUND);
  assert_message_names(dir, "verify --index");
  assert_int_equal(RUN("verify", dir, "--index"), ORR_OK);
  json_t *extra = json_pack("{s:{s:i}}", "forks", "prompt", 4), *j = NULL;
  assert_int_equal(data_index_build(dir, extra), ORR_OK);
  assert_int_equal(RUN("verify", dir, "--index"), ORR_OK); // keeps what the index says besides
  assert_int_equal(orr_json_load(path, &j), ORR_OK);
  assert_true(json_equal(json_object_get(j, "forks"), json_object_get(extra, "forks")));
  json_decref(extra);
  json_decref(j);
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "shard-00001.h5"), ORR_OK);
  assert_int_equal(orr_fs_read_all(path, &text, &bytes), ORR_OK);
  text[bytes / 2] ^= 4;
  assert_int_equal(orr_fs_write_atomic(path, text, bytes), ORR_OK);
  assert_int_not_equal(RUN("verify", dir), ORR_OK);
  assert_message_names(path);
  free(text);
  orr_fs_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bad_usage_says_what_is_wanted),
      cmocka_unit_test(test_generate_says_what_a_scene_of_a_library_wants),
      cmocka_unit_test(test_generate_says_what_the_physics_scene_wants),
      cmocka_unit_test(test_inspect_writes_facts_and_sheet),
      cmocka_unit_test(test_sheet_needs_frames),
      cmocka_unit_test(test_verify_fails_on_one_flipped_bit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
