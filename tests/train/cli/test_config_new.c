// labels: quick; needs: orrery
// `config new` from data to a world model: what it writes is trained as it is.
#include "tests/data/shards.h"
#include "tests/train/program.h"

typedef struct {
  char root[512], clips[600], tokens[600], run[600], err[600];
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  *state = f;
  const data_shard_format format = shards_format(16, 24, 0);
  snprintf(f->root, sizeof f->root, "%s", shards_folder("config-new"));
  snprintf(f->clips, sizeof f->clips, "%s/clips", f->root);
  snprintf(f->tokens, sizeof f->tokens, "%s/tokens", f->root);
  snprintf(f->run, sizeof f->run, "%s/tokenizer", f->root);
  snprintf(f->err, sizeof f->err, "%s/err", f->root);
  assert_ok(orr_fs_mkdirs(f->clips));
  shards_data_set(f->clips, &format, 1, 4, 9);
  assert_ok(data_index_build(f->clips, NULL));
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  folder_remove(f->root);
  free(f);
  return 0;
}

// The program ends with `code`; what it said is returned, orr_free.
static char *run(const fixture *f, int code, const char *const *words) {
  const int got = program_wait(program_start(words, f->err, true));
  char *text = folder_read(f->err);
  if (got != code) fail_msg("exit code %d, wanted %d: %s", got, code, text);
  return text;
}
#define RUN(f, ...) orr_free(run(f, 0, (const char *const[]){program_path, __VA_ARGS__, NULL}))

static void assert_says(char *text, const char *words) {
  if (!strstr(text, words)) fail_msg("no '%s' in: %s", words, text);
}

static void test_what_it_writes_is_trained_as_it_is(void **state) {
  const fixture *f = *state;
  char yaml[2][700], dir[2][700];
  for (int i = 0; i < 2; i++) {
    snprintf(yaml[i], sizeof yaml[i], "%s/%s.yaml", f->root, i ? "dynamics" : "tokenizer");
    snprintf(dir[i], sizeof dir[i], "run.dir=%s/%s", f->root, i ? "dynamics" : "tokenizer");
  }
  RUN(f, "config", "new", "tokenizer", "--data", f->clips, "--minutes", "600", "--out", yaml[0]);
  char *text = run(
      f, 0,
      (const char *const[]){program_path, "train", yaml[0], "--set", dir[0], "--dry-run", NULL});
  assert_says(text, "training takes about ");
  assert_says(text, " steps of ");
  orr_free(text);
  RUN(f, "train", yaml[0], "--set", dir[0], "--set", "train.steps=3", "--set", "run.threads=1",
      "--set", "tokenizer.width=32", "--set", "tokenizer.hidden=32", "--set", "tokenizer.heads=2",
      "--set", "tokenizer.kv_heads=2");
  RUN(f, "data", "tokenize", f->clips, "--tokenizer", f->run, "--out", f->tokens, "--threads", "1");
  // the tokens name their tokenizer
  RUN(f, "config", "new", "dynamics", "--data", f->tokens, "--minutes", "600", "--out", yaml[1]);
  RUN(f, "train", yaml[1], "--set", dir[1], "--dry-run");
  text = folder_read(yaml[1]);
  assert_says(text, "\n  actions: 2 ");
  assert_says(text, "\n  rows: ");
  assert_says(text, "# the tokenizer's");
  orr_free(text);
}

static void test_a_file_is_not_overwritten_and_words_are_checked(void **state) {
  const fixture *f = *state;
  char yaml[700];
  snprintf(yaml, sizeof yaml, "%s/there.yaml", f->root);
  assert_ok(orr_fs_write_atomic(yaml, "mine", 4));
  char *text = run(f, 1,
                   (const char *const[]){program_path, "config", "new", "tokenizer", "--data",
                                         f->clips, "--minutes", "600", "--out", yaml, NULL});
  assert_says(text, "is there already");
  orr_free(text);
  text = folder_read(yaml);
  assert_string_equal(text, "mine");
  orr_free(text);
  text = run(f, 2, (const char *const[]){program_path, "config", "new", "--data", f->clips, NULL});
  assert_says(text, "wanted tokenizer or dynamics");
  orr_free(text);
  text = run(f, 2, (const char *const[]){program_path, "config", "new", "dynamics", NULL});
  assert_says(text, "--data");
  orr_free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_it_writes_is_trained_as_it_is),
      cmocka_unit_test(test_a_file_is_not_overwritten_and_words_are_checked),
  };
  return cmocka_run_group_tests_name("train/cli/config_new", tests, setup, teardown);
}
