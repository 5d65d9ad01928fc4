// labels: full
// Tokens, the tokenizer that made them and weights that learned them belong together: what does not
// is refused with both names, unless asked for. Checkpoints of small runs stand for tokenizers: a
// maker is known by its manifest alone.
#include "tests/train/small_run.h"

#include "base/mem.h"
#include "train/save/token_maker.h"

// ROOT/name holds tokens that the checkpoint ROOT/maker made.
static void tokens_by(small_run *r, const char *name, const char *maker, train_token_maker *m) {
  char path[512];
  assert_ok(train_token_maker_of(small_run_path(r, maker), m));
  char *mark = train_token_maker_mark(m->s, "0123456789abcdef0123456789abcdef"),
       *source = orr_format("frames of something%s", mark);
  assert_string_equal(train_token_maker_in(source).s, m->s);
  assert_ok(orr_fs_mkdirs(small_run_path(r, name)));
  assert_ok(data_shard_name_in(small_run_path(r, name), 0, path, sizeof path));
  small_run_shard_from(path, 60, SMALL_RUN_CODES, 8, source);
  assert_ok(data_index_build(small_run_path(r, name), NULL));
  orr_free(source);
  orr_free(mark);
}

static void says(const char *const parts[]) {
  for (; *parts; parts++)
    if (!strstr(orr_status_message(), *parts))
      fail_msg("wanted \"%s\", got: %s", *parts, orr_status_message());
}
#define SAYS(...) says((const char *const[]){__VA_ARGS__, NULL})

static void test_tokens_go_with_the_tokenizer_that_made_them_alone(void **state) {
  small_run *r = *state;
  train_token_maker a, b;
  char of_a[300], of_b[300], by_a[300], by_b[300], early[300], mixed[600];
  assert_ok(SMALL_RUN(r, "a", "none", "train.steps=6"));
  assert_ok(SMALL_RUN(r, "b", "none", "train.steps=6", "run.seed=9"));
  tokens_by(r, "by-a", "a/ckpt/step-00000006", &a);
  tokens_by(r, "by-b", "b/ckpt/step-00000006", &b);
  snprintf(of_a, sizeof of_a, "tokenizer.checkpoint=%s/a", r->root);
  snprintf(of_b, sizeof of_b, "tokenizer.checkpoint=%s/b/ckpt", r->root);
  snprintf(early, sizeof early, "tokenizer.checkpoint=%s/a/ckpt/step-00000003", r->root);
  snprintf(by_a, sizeof by_a, "data.train=[%s/by-a]", r->root);
  snprintf(by_b, sizeof by_b, "data.train=[%s/by-b]", r->root);
  snprintf(mixed, sizeof mixed, "data.train=[%s/by-a, %s/by-b]", r->root, r->root);

  assert_ok(SMALL_RUN(r, "one", "none", by_a, of_a, "train.steps=6"));
  assert_int_equal(SMALL_RUN(r, "two", "none", by_a, of_b, "train.steps=6"), ORR_ECONFIG);
  SAYS(a.s, b.s, "by-a", "data.any_tokenizer=true");
  assert_int_equal(SMALL_RUN(r, "two", "none", by_a, early, "train.steps=6"), ORR_ECONFIG);
  SAYS("a/ckpt/step-00000006 did: name that");
  assert_false(orr_fs_exists(small_run_path(r, "two/metrics.jsonl")));
  assert_int_equal(SMALL_RUN(r, "two", "none", mixed, "train.steps=6"), ORR_ECONFIG);
  SAYS(a.s, b.s);
  assert_ok(SMALL_RUN(r, "two", "none", by_a, of_b, "train.steps=6", "data.any_tokenizer=true"));
  char *said = small_run_said(r);
  assert_non_null(strstr(said, a.s));
  assert_non_null(strstr(said, b.s));
  orr_free(said);
  // not there: told, not refused
  assert_ok(SMALL_RUN(r, "three", "none", by_a, "tokenizer.checkpoint=/nowhere", "train.steps=6"));

  // What a model learned stays with it, for going on, fine-tuning and evaluation.
  assert_int_equal(SMALL_RUN(r, "one", "auto", by_b, of_b, "train.steps=8"), ORR_ECONFIG);
  SAYS(a.s, b.s, "one/ckpt/step-00000006 learned");
  char base[300];
  snprintf(base, sizeof base, "train.init_from=%s/one", r->root);
  assert_int_equal(SMALL_RUN(r, "four", "none", by_b, of_b, base, "train.steps=6"), ORR_ECONFIG);
  ckpt_reader *reader;
  assert_ok(ckpt_open(small_run_path(r, "one"), &reader));
  const train_token_maker taught = train_token_maker_taught(reader);
  ckpt_close(reader);
  assert_string_equal(taught.s, a.s);
  assert_ok(train_token_maker_pair("m", &taught, small_run_path(r, "a/ckpt/step-00000006"), false));
  small_run_path(r, "b/ckpt/step-00000006");
  assert_int_equal(train_token_maker_pair("m", &taught, r->path, false), ORR_EINVAL);
  SAYS(a.s, b.s, "--any-tokenizer");
  assert_ok(train_token_maker_pair("m", &taught, r->path, true));
}

static void test_a_source_that_names_no_tokenizer_says_nothing(void **state) {
  (void)state;
  static const char *const sources[] = {
      "",
      "random tokens",
      "; tokens by ",
      "; tokens by me from you",
      "; tokens by 0123456789abcdef0123456789abcdeX from 0123456789abcdef0123456789abcdef",
      "; tokens by 0123456789abcdef0123456789abcdef"};
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
    assert_string_equal(train_token_maker_in(sources[i]).s, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tokens_go_with_the_tokenizer_that_made_them_alone),
      cmocka_unit_test(test_a_source_that_names_no_tokenizer_says_nothing),
  };
  return cmocka_run_group_tests_name("train/token_maker", tests, small_run_setup,
                                     small_run_teardown);
}
