// labels: quick
// orrery ckpt: what it says about a checkpoint, what it finds wrong, what it exports.
#define FIXTURE_SMALL
#include "tests/checkpoints/fixture.h"

#include <math.h>

#include "base/json.h"
#include "train/cli/cmd.h"

// Runs the command with these words, ended by NULL; its stdout goes to ROOT/stdout.
static orr_code run(const char *root, const char *const *words) {
  char *argv[16] = {"ckpt"}, path[512];
  int argc = 1;
  for (; words[argc - 1]; argc++) argv[argc] = (char *)words[argc - 1];
  snprintf(path, sizeof(path), "%s/stdout", root);
  fflush(stdout);
  int kept = dup(1), fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(fd, 1);
  orr_code rc = train_cmd_ckpt(argc, argv);
  fflush(stdout);
  dup2(kept, 1);
  close(kept);
  close(fd);
  return rc;
}
#define RUN(root, ...) run(root, (const char *const[]){__VA_ARGS__, NULL})

static void assert_printed(const char *root, const char *words) {
  char *text = folder_text(root, "stdout");
  if (!strstr(text, words)) fail_msg("'%s' is not in:\n%s", words, text);
  orr_free(text);
}

// RUN/ckpt with one checkpoint of step 3; returns ROOT/ckpt.
static const char *saved(const char *root, char path[512]) {
  json_t *meta = json_pack("{s:s, s:s, s:i, s:{s:i}}", "config", "model: {width: 96}\n",
                           "config_hash", "abc123", "samples", 77, "layout", "dp", 2);
  snprintf(path, 512, "%s/ckpt", root);
  assert_ok(fixture_save(path, 2, false, 3, meta));
  json_decref(meta);
  return path;
}

static void test_inspect_shows_step_meta_files_and_statistics(void **state) {
  char ckpt[512], out[512];
  json_t *j;
  snprintf(out, sizeof(out), "%s/out.json", (char *)*state);
  saved(*state, ckpt);
  assert_ok(RUN(*state, "inspect", *state, "--json", out)); // the run's folder
  assert_printed(*state, "step         3\n");
  assert_printed(*state, "config_hash  abc123\n");
  assert_printed(*state, "layout       {\"dp\":2}\n");
  assert_printed(*state, "model-00001-of-00005.safetensors");
  assert_printed(*state, "[1000, 25]");
  assert_ok(orr_json_load(out, &j));
  assert_int_equal(json_array_size(json_object_get(j, "tensors")), 2 * FIXTURE_TENSORS + 4);
  const json_t *t = json_array_get(json_object_get(j, "tensors"), 4);
  double sum = 0, squares = 0;
  const int64_t n = 25000;
  for (int64_t i = 0; i < n; i++) {
    double v = fixture_value(3, 0, 4, (uint64_t)i);
    sum += v;
    squares += v * v;
  }
  /* the same sums in float64: equal up to rounding, measured 0 */
  assert_true(fabs(json_real_value(json_object_get(t, "mean")) - sum / n) < 1e-12);
  assert_true(fabs(json_real_value(json_object_get(t, "std")) -
                   sqrt(squares / n - sum / n * sum / n)) < 1e-12);
  assert_int_equal(json_integer_value(json_object_get(t, "not_finite")), 0);
  json_decref(j);
}

static void test_inspect_config_prints_what_the_manifest_holds(void **state) {
  char ckpt[512];
  assert_ok(RUN(*state, "inspect", saved(*state, ckpt), "--config"));
  assert_printed(*state, "model: {width: 96}\n");
}

static void test_verify_tells_whole_from_damaged(void **state) {
  char ckpt[512], folder[600], file[700];
  saved(*state, ckpt);
  snprintf(folder, sizeof(folder), "%s/step-00000003", ckpt);
  assert_ok(RUN(*state, "verify", folder));
  assert_printed(*state, "whole, step 3");
  snprintf(file, sizeof(file), "%s/model-00003-of-00005.safetensors", folder);
  int fd = open(file, O_WRONLY);
  assert_int_equal(pwrite(fd, "x", 1, 50000), 1);
  close(fd);
  assert_int_equal(RUN(*state, "verify", folder), ORR_ECORRUPT);
  assert_non_null(strstr(orr_status_message(), "model-00003-of-00005.safetensors: extent 0"));
}

static void test_export_writes_the_file_that_was_asked_for(void **state) {
  char ckpt[512], out[512];
  uint64_t half = 0, whole = 0;
  saved(*state, ckpt);
  snprintf(out, sizeof(out), "%s/out.safetensors", (char *)*state);
  assert_ok(RUN(*state, "export", ckpt, "--out", out));
  assert_ok(orr_fs_size(out, &half));
  assert_ok(RUN(*state, "export", ckpt, "--out", out, "--dtype", "f32", "--ema"));
  assert_ok(orr_fs_size(out, &whole));
  assert_int_equal(whole - 4096, 2 * (half - 4096)); // 4096 of header
  assert_printed(*state, "averaged weights of step 3 in f32");
}

static void test_bad_usage_is_named(void **state) {
  char ckpt[512];
  saved(*state, ckpt);
  assert_int_equal(RUN(*state, "repair", ckpt), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "got 'repair', wanted inspect, verify or export"));
  assert_int_equal(RUN(*state, "inspect"), ORR_ECONFIG);
  assert_int_equal(RUN(*state, "export", ckpt), ORR_ECONFIG);
  assert_int_equal(RUN(*state, "export", ckpt, "--out", "x", "--dtype", "fp8"), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "--dtype fp8, wanted bf16 or f32"));
  assert_int_equal(RUN(*state, "verify", "/nonexistent"), ORR_ENOTFOUND);
}

int main(void) {
  orr_log_setup(ORR_LOG_ERROR, 0, 1);
#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, fixture_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(test_inspect_shows_step_meta_files_and_statistics),
      IN_FOLDER(test_inspect_config_prints_what_the_manifest_holds),
      IN_FOLDER(test_verify_tells_whole_from_damaged),
      IN_FOLDER(test_export_writes_the_file_that_was_asked_for),
      IN_FOLDER(test_bad_usage_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
