// labels: full
// What a run leaves to its device: run.precision auto is decided once, and stays so wherever the
// run goes on. A lower run.isa plays a CPU without bfloat16 units.
#include "kernels/kern.h"
#include "tests/train/small_run.h"

static bool native(void) {
  kern *k = NULL;
  assert_ok(kern_create(KERN_DEVICE_AUTO, 1, &k));
  const bool is = k->bf16_pays;
  kern_destroy(k);
  return is;
}

static bool has_isa(kern_isa isa) {
  kern *k = NULL;
  const kern_setup setup = {.device = KERN_DEVICE_CPU, .isa = isa, .threads = 1, .node_ranks = 1};
  const bool has = kern_open(&setup, &k) == ORR_OK;
  kern_destroy(k);
  orr_status_clear();
  return has;
}

// That the configuration which the run wrote says so.
static void expect_written(small_run *r, const char *run, const char *precision) {
  char file[64], line[64];
  snprintf(file, sizeof file, "%s/config.yaml", run);
  snprintf(line, sizeof line, "precision: %s\n", precision);
  char *text = folder_text(r->root, file);
  if (!strstr(text, line)) fail_msg("%s: no '%s' in\n%s", file, line, text);
  orr_free(text);
}

static const char *const words[] = {"fp32", "bf16"};

static void test_auto_is_what_the_device_is_good_at(void **state) {
  small_run *r = *state;
  assert_ok(SMALL_RUN(r, "here", "auto", "run.precision=auto", "train.steps=6"));
  expect_written(r, "here", words[native()]);
}

static void test_a_cpu_without_bfloat16_units_takes_fp32(void **state) {
  small_run *r = *state;
  if (!has_isa(KERN_ISA_AVX2)) skip(); // a CPU from before it
  assert_ok(SMALL_RUN(r, "lower", "auto", "run.precision=auto", "train.steps=6", "run.isa=avx2",
                      "run.device=cpu"));
  expect_written(r, "lower", "fp32");
  char *said = small_run_said(r);
  assert_non_null(strstr(said, "no bfloat16 units"));
  orr_free(said);
}

// Runs that took each of the two go on with it, here where auto would mean one of them.
static void test_a_run_that_goes_on_keeps_what_it_has(void **state) {
  small_run *r = *state;
  char ckpt[512], config[512], set[64];
  for (int bf16 = 0; bf16 < 2; bf16++) {
    snprintf(set, sizeof set, "run.precision=%s", words[bf16]);
    snprintf(ckpt, sizeof ckpt, "%s/kept/ckpt/step-00000003", r->root);
    snprintf(config, sizeof config, "%s/kept/config.yaml", r->root);
    assert_ok(SMALL_RUN(r, "kept", "none", set, "train.steps=6"));
    assert_ok(SMALL_RUN(r, "kept", "auto", "run.precision=auto", "train.steps=8"));
    expect_written(r, "kept", words[bf16]);
    assert_int_equal(unlink(config), 0); // then the checkpoint has it
    assert_ok(SMALL_RUN(r, "kept", "auto", "run.precision=auto", "train.steps=9"));
    expect_written(r, "kept", words[bf16]);
    assert_ok(SMALL_RUN(r, "kept", ckpt, "run.precision=auto", "train.steps=9"));
    expect_written(r, "kept", words[bf16]);
    char *said = small_run_said(r);
    assert_null(strstr(said, "run.precision"));
    orr_free(said);
    assert_ok(SMALL_RUN(r, "kept", "none", "run.precision=auto", "train.steps=6"));
    expect_written(r, "kept", words[native()]); // a new run decides anew
  }
}

static void test_an_instruction_set_that_the_cpu_lacks_is_refused(void **state) {
  small_run *r = *state;
  if (has_isa(KERN_ISA_AMX)) skip(); // it lacks none
  assert_int_equal(SMALL_RUN(r, "none", "auto", "run.device=cpu", "run.isa=amx"), ORR_EUNSUPPORTED);
  assert_non_null(strstr(orr_status_message(), "run.isa amx"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_auto_is_what_the_device_is_good_at),
      cmocka_unit_test(test_a_cpu_without_bfloat16_units_takes_fp32),
      cmocka_unit_test(test_a_run_that_goes_on_keeps_what_it_has),
      cmocka_unit_test(test_an_instruction_set_that_the_cpu_lacks_is_refused),
  };
  return cmocka_run_group_tests_name("train: precision", tests, small_run_setup,
                                     small_run_teardown);
}
