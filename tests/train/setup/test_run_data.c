// labels: quick
// The data of a run before it begins: all that is wrong with all sets is told at once, and nothing
// is asked that the stage does not use.
#include "tests/data/shards.h"

#include "configs/config.h"
#include "train/setup/run_data.h"

enum { SETS = 4 };

// Two data sets of 16 x 24 frames with 2 action components, one with tokens, in a folder.
typedef struct {
  char root[512], frames[600], tokens[600], none[600];
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  *state = f;
  snprintf(f->root, sizeof f->root, "%s", shards_folder("run-data"));
  snprintf(f->frames, sizeof f->frames, "%s/frames", f->root);
  snprintf(f->tokens, sizeof f->tokens, "%s/tokens", f->root);
  snprintf(f->none, sizeof f->none, "%s/none", f->root);
  for (int i = 0; i < 2; i++) {
    const char *dir = i ? f->tokens : f->frames;
    const data_shard_format format = shards_format(i ? 0 : 16, i ? 0 : 24, i ? 6 : 0);
    assert_ok(orr_fs_mkdirs(dir));
    shards_data_set(dir, &format, 1, 3, 9); // of the branch "worlds"
    assert_ok(data_index_build(dir, NULL));
  }
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  folder_remove(f->root);
  free(f);
  return 0;
}

static cfg *config(const char *const *sets) {
  cfg *c = NULL;
  assert_ok(cfg_create(&c));
  for (int i = 0; sets[i]; i++) assert_ok(cfg_set(c, sets[i]));
  return c;
}

static void set_train(cfg *c, const char *a, const char *b) {
  char text[1300];
  snprintf(text, sizeof text, b ? "data.train=[%s, %s]" : "data.train=[%s]", a, b);
  assert_ok(cfg_set(c, text));
}

// What train and a dry run say; the code.
static orr_code look(const cfg *c, bool elsewhere) {
  orr_faults f = {0};
  data_mix_options o;
  int32_t ids[SETS];
  ORR_TRY(train_run_data_look(c, elsewhere, &f));
  const orr_code rc = orr_faults_end(&f);
  char words[ORR_STATUS_MESSAGE_MAX];
  orr_status_copy(words, sizeof words);
  if (elsewhere) return rc;
  assert_int_equal(train_run_data_options(c, NULL, ids, &o), rc); // the same when training begins
  if (rc != ORR_OK) assert_string_equal(orr_status_message(), words);
  return rc;
}

static void assert_names(const char *const *parts) {
  for (; *parts; parts++)
    if (!strstr(orr_status_message(), *parts))
      fail_msg("'%s' lacks '%s'", orr_status_message(), *parts);
}
#define NAMES(...) assert_names((const char *const[]){__VA_ARGS__, NULL})

static void test_a_tokenizer_asks_for_neither_actions_nor_branches(void **state) {
  const fixture *f = *state;
  cfg *c = config((const char *const[]){"train.stage=tokenizer", "tokenizer.rows=2",
                                        "tokenizer.cols=3", "data.frames=2", "model.actions=1",
                                        "model.branches=[avatars]", NULL});
  set_train(c, f->frames, NULL);
  assert_ok(look(c, false));
  cfg_destroy(c);
}

static void test_all_faults_of_all_sets_are_told_at_once(void **state) {
  const fixture *f = *state;
  cfg *c = config((const char *const[]){"model.rows=2", "model.cols=4", "model.codes=800",
                                        "data.frames=40", "model.actions=1",
                                        "model.branches=[avatars]", NULL});
  set_train(c, f->none, f->tokens);
  assert_int_equal(look(c, false), ORR_ENOTFOUND);
  NAMES("6 faults:", "1. ", "none: no such folder", "branch 'worlds' is not in model.branches",
        "6 tokens a frame, wanted 8", "a tokenizer of 900 codes, wanted 800",
        "2 action components, wanted at most 1", "no episode has the 40 frames of a clip");
  cfg_destroy(c);
}

static void test_frames_of_another_size_and_kind(void **state) {
  const fixture *f = *state;
  cfg *c = config((const char *const[]){"train.stage=tokenizer", "data.frames=2", NULL});
  set_train(c, f->frames, f->tokens);
  assert_int_equal(look(c, false), ORR_EINVAL);
  NAMES("2 faults:", "frames are 16 x 24 (height x width), wanted 64 x 64",
        "holds tokens only, wanted frames");
  cfg_destroy(c);
}

static void test_what_lies_on_other_machines_is_passed_over(void **state) {
  const fixture *f = *state;
  cfg *c = config((const char *const[]){"train.stage=tokenizer", "data.frames=2", NULL});
  set_train(c, f->none, NULL);
  assert_ok(look(c, true));
  set_train(c, f->none, f->frames); // what is here is looked at all the same
  assert_int_equal(look(c, true), ORR_EINVAL);
  NAMES("frames are 16 x 24");
  cfg_destroy(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_tokenizer_asks_for_neither_actions_nor_branches),
      cmocka_unit_test(test_all_faults_of_all_sets_are_told_at_once),
      cmocka_unit_test(test_frames_of_another_size_and_kind),
      cmocka_unit_test(test_what_lies_on_other_machines_is_passed_over),
  };
  return cmocka_run_group_tests_name("train/setup/run_data", tests, setup, teardown);
}
