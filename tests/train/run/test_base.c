// labels: quick
// train.init_from: a base that knows less than the model here keeps what it knows, and what is new
// begins at random; an exported file serves as well as a checkpoint.
#include "tests/train/small_run.h"

#include "checkpoints/checkpoint.h"
#include "checkpoints/export.h"
#include "train/save/base.h"

enum { D = 32 };

static float *tensor(const char *path, const char *file, const char *name, int64_t n) {
  ckpt_reader *r = NULL;
  float *v = orr_malloc((size_t)n * sizeof *v);
  assert_ok(ckpt_open_weights(path, &r));
  assert_ok(ckpt_read(r, file, name, 0, (size_t)n * sizeof *v, v));
  ckpt_close(r);
  return v;
}

// Two steps that change nothing, from ROOT/`from`.
static orr_code tune(small_run *r, const char *name, const char *from, const char *a,
                     const char *b) {
  char init[600];
  snprintf(init, sizeof init, "train.init_from=%s/%s", r->root, from);
  return SMALL_RUN(r, name, "none", init, "optim.lr_peak=0", "train.steps=6", a, b);
}

static void expect_said(small_run *r, const char *words) {
  char *said = small_run_said(r);
  if (!strstr(said, words)) fail_msg("'%s' is not in:\n%s", words, said);
  orr_free(said);
}

// Of two components: values in columns 0 and 1, which of them are valid in 2 and 3; of four there
// are twice as many.
static void check_actions(const float *base, const float *here) {
  for (int row = 0; row < D; row++)
    for (int half = 0; half < 2; half++)
      for (int a = 0; a < 4; a++) {
        const float got = here[row * 8 + half * 4 + a];
        if (a < 2)
          assert_memory_equal(&got, &base[row * 4 + half * 2 + a], sizeof got);
        else
          assert_true(got != 0.0f && fabsf(got) < 0.2f); // normal, 0.02 wide
      }
}

static void test_new_components_and_branches_begin_at_random_and_old_ones_are_kept(void **state) {
  small_run *r = *state;
  char base[512], tuned[512];
  assert_ok(SMALL_RUN(r, "base", "none"));
  assert_ok(tune(r, "tuned", "base", "model.actions=4", "model.branches=[arms, worlds]"));
  expect_said(r, "action components 3 to 4 are new: their columns begin at random; branch 'arms' "
                 "is new: its row begins at random");
  snprintf(base, sizeof base, "%s/base/ckpt", r->root);
  snprintf(tuned, sizeof tuned, "%s/tuned/ckpt", r->root);
  float *was = tensor(base, "optim", "ema.embed.action.weight", D * 4),
        *is = tensor(tuned, "model", "embed.action.weight", D * 8);
  check_actions(was, is);
  float *branch = tensor(base, "optim", "ema.embed.branch.weight", D),
        *both = tensor(tuned, "model", "embed.branch.weight", 2 * D);
  assert_memory_equal(both + D, branch, D * sizeof *branch); // by its name, not by its place
  for (int i = 0; i < D; i++) assert_true(both[i] != 0.0f);
  float *head = tensor(base, "optim", "ema.head.weight", D * 20),
        *same = tensor(tuned, "model", "head.weight", D * 20);
  assert_memory_equal(same, head, D * 20 * sizeof *head);
  orr_free(same);
  orr_free(head);
  orr_free(both);
  orr_free(branch);
  orr_free(is);
  orr_free(was);
}

static void test_what_is_new_does_not_change_what_the_base_makes_of_its_own(void **state) {
  small_run *r = *state;
  double alike[SMALL_RUN_STEPS_MAX], more[SMALL_RUN_STEPS_MAX];
  assert_ok(SMALL_RUN(r, "b2", "none"));
  assert_ok(tune(r, "alike", "b2", "model.actions=2", "model.branches=[worlds]"));
  assert_ok(tune(r, "more", "b2", "model.actions=3", "model.branches=[worlds, arms]"));
  assert_int_equal(small_run_losses(r, "alike", alike), 6);
  assert_int_equal(small_run_losses(r, "more", more), 6);
  // the missing component is zero and marked so: sums of three more zeros, in another order
  for (int i = 0; i < 6; i++) assert_true(fabs(alike[i] - more[i]) < 1e-5);
  assert_ok(tune(r, "heads", "b2", "model.done_weight=1", "model.progress_weight=1"));
  expect_said(r, "the head for done is new: it begins at random; the head for progress is new");
  assert_int_equal(small_run_losses(r, "heads", more), 6);
  for (int i = 0; i < 6; i++) assert_true(alike[i] == more[i]); // the loss is that of codes
}

static void test_a_base_with_more_is_refused_or_left_out_in_words(void **state) {
  small_run *r = *state;
  assert_ok(SMALL_RUN(r, "wide", "none", "model.actions=3", "model.branches=[worlds, arms]"));
  assert_int_equal(tune(r, "less", "wide", "model.actions=2", "model.branches=[worlds]"),
                   ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "3 action components, model.actions is 2"));
  assert_non_null(strstr(orr_status_message(), "set it to 3 or more"));
  assert_ok(tune(r, "one", "wide", "model.actions=3", "model.branches=[worlds]"));
  expect_said(r, "its branch 'arms' is left out");
  assert_int_equal(tune(r, "other", "wide", "model.actions=3", "model.hidden=48"), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "a checkpoint of another model"));
}

static void export_to(small_run *r, const char *run, const char *file, ckpt_export_dtype dtype,
                      bool named) {
  char from[512], to[512], *branches = NULL;
  ckpt_reader *reader = NULL;
  snprintf(from, sizeof from, "%s/%s", r->root, run);
  snprintf(to, sizeof to, "%s/%s", r->root, file);
  assert_ok(ckpt_open(from, &reader));
  assert_ok(train_base_branches(reader, &branches));
  assert_string_equal(branches, "[\"worlds\"]");
  const char *const more[] = {named ? "orrery.branches" : NULL, branches, NULL};
  assert_ok(ckpt_export(reader, to, dtype, true, more, NULL));
  free(branches);
  ckpt_close(reader);
}

static void test_an_exported_file_is_taken(void **state) {
  small_run *r = *state;
  double folder[SMALL_RUN_STEPS_MAX], file[SMALL_RUN_STEPS_MAX], half[SMALL_RUN_STEPS_MAX];
  assert_ok(SMALL_RUN(r, "b4", "none"));
  export_to(r, "b4", "b4.safetensors", CKPT_EXPORT_F32, true);
  export_to(r, "b4", "half.safetensors", CKPT_EXPORT_BF16, false);
  assert_ok(tune(r, "of_folder", "b4", "model.actions=3", "model.branches=[arms, worlds]"));
  assert_ok(
      tune(r, "of_file", "b4.safetensors", "model.actions=3", "model.branches=[arms, worlds]"));
  expect_said(r, "b4.safetensors; action component 3 is new");
  assert_ok(tune(r, "of_half", "half.safetensors", "model.actions=3",
                 "model.branches=[worlds, arms]")); // without names: in order
  small_run_losses(r, "of_folder", folder);
  small_run_losses(r, "of_half", half);
  assert_int_equal(small_run_losses(r, "of_file", file), 6);
  for (int i = 0; i < 6; i++) {
    assert_true(folder[i] == file[i]);
    assert_true(fabs(half[i] - file[i]) < 0.02 && half[i] != file[i]); // weights with 8 bits
  }
}

static void test_a_file_that_is_none_is_refused_by_name(void **state) {
  small_run *r = *state;
  folder_store(r->root, "words.safetensors", "these are words, and more of them");
  assert_int_equal(tune(r, "none", "words.safetensors", "model.actions=2", "train.batch=4"),
                   ORR_EFORMAT);
  assert_non_null(strstr(orr_status_message(), "words.safetensors"));
  assert_non_null(strstr(orr_status_message(), "not a safetensors file"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_new_components_and_branches_begin_at_random_and_old_ones_are_kept),
      cmocka_unit_test(test_what_is_new_does_not_change_what_the_base_makes_of_its_own),
      cmocka_unit_test(test_a_base_with_more_is_refused_or_left_out_in_words),
      cmocka_unit_test(test_an_exported_file_is_taken),
      cmocka_unit_test(test_a_file_that_is_none_is_refused_by_name),
  };
  return cmocka_run_group_tests(tests, small_run_setup, small_run_teardown);
}
