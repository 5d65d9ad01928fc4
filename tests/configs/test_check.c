// labels: quick
// Rules between rows, the hash and the difference of two configurations.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "configs/config.h"

#define SETS_MAX 6

static cfg *with(const char *const *sets) {
  cfg *c = NULL;
  assert_int_equal(cfg_create(&c), ORR_OK);
  for (int i = 0; i < SETS_MAX && sets[i]; i++) {
    if (cfg_set(c, sets[i]) != ORR_OK) fail_msg("%s", orr_status_message());
  }
  return c;
}

#define WITH(...) with((const char *const[SETS_MAX]){__VA_ARGS__})

static void test_settings_that_cannot_work_together_are_refused_by_name(void **state) {
  static const struct {
    const char *sets[SETS_MAX], *words;
  } cases[] = {
      {{"model.width=250"}, "model.width 250 is not divisible by model.heads 4"},
      {{"model.heads=3", "model.width=255", "model.kv_heads=3"},
       "model.heads 3 gives a head width of 85"},
      {{"model.width=24", "model.kv_heads=1"}, "head width of 6, wanted a multiple of 4"},
      {{"model.kv_heads=3"}, "model.heads 4 is not divisible by model.kv_heads 3"},
      {{"train.stage=tokenizer", "tokenizer.heads=5"},
       "tokenizer.width 128 is not divisible by tokenizer.heads 5"},
      {{"tokenizer.levels=[8, 5, 5]"}, "tokenizer.levels multiply to 200, but model.codes is 1000"},
      {{"tokenizer.levels=[]"}, "tokenizer.levels is empty"},
      {{"tokenizer.levels=[65536, 65536, 65536, 65536, 65536]"},
       "the first 2 multiply to 4294967296"},
      {{"tokenizer.rows=4"},
       "4 x 8 tokens a frame (tokenizer.rows, .cols), but the model takes 8 x 8"},
      {{"run.exact=true", "train.group=3"}, "is not divisible by train.group 3"},
      {{"run.exact=true", "train.group=4", "train.micro_batch=2"},
       "train.micro_batch 2 is not a multiple of train.group 4"},
      {{"run.exact=true", "data.frames=15"}, "data.frames 15 are cut into 2 parts"},
      {{"run.exact=true", "model.hidden=772"}, "model.hidden 772 are cut into 8 slices"},
      {{"run.exact=true", "model.kv_heads=2", "dist.tp=4"}, "dist.tp 4 and model.kv_heads 2"},
      {{"run.exact=true", "dist.cp=4"}, "dist.cp 4: wanted 1 or 2"},
      {{"run.exact=true", "data.frames=2", "dist.cp=2", "dist.tp=2"},
       "are not divisible by dist.tp 2"},
      {{"run.exact=true", "train.stage=tokenizer", "tokenizer.hidden=772"},
       "tokenizer.hidden 772 are cut into 8 slices"},
      {{"run.exact=true", "train.stage=tokenizer", "tokenizer.kv_heads=2", "dist.tp=4"},
       "dist.tp 4 and tokenizer.kv_heads 2"},
      {{"run.exact=true", "dist.nvls=true"}, "set nvls false"},
      {{"data.frames=1"}, "data.frames is 1, wanted at least 2"},
      {{"model.time_every=9"}, "model.time_every 9 is above model.layers 8"},
      {{"model.branches=[]"}, "model.branches is empty"},
      {{"model.branches=[a, b, a]"}, "model.branches names 'a' twice"},
      {{"data.train=[x]", "data.branch=[cooking]"},
       "data.branch: 'cooking' is none of model.branches"},
      {{"data.train=[x, y]", "data.weights=[1]"}, "data.weights has 1 entries, wanted 2"},
      {{"data.train=[x, y]", "data.weights=[0, 0]"}, "data.weights are all 0"},
      {{"data.branch=[worlds]"}, "data.branch has 1 entries, wanted 0"},
      {{"data.train=[\"\"]"}, "data.train: folder 1 is empty"},
      {{"optim.warmup_steps=900"},
       "optim.warmup_steps 900 and optim.decay_steps 200 do not fit into train.steps 1000"},
      {{"optim.schedule=cosine", "optim.warmup_steps=1001"}, "do not fit into train.steps 1000"},
      {{"data.frames=16", "data.frames_start=3"}, "data.frames_start 3 does not become"},
      {{"data.frames=16", "data.frames_start=4", "dist.cp=2"},
       "data.frames_start 4 with dist.cp 2"},
      {{"eval.every=5"}, "eval.every is 5, but eval.data names no data set"},
      {{"eval.every=5", "eval.data=[x]"}, "tokenizer.checkpoint is empty"},
      {{"train.batch=6", "train.micro_batch=4"}, "not divisible by train.micro_batch 4"},
      {{"train.batch=8", "dist.dp=3"}, "train.batch 8 is not divisible by dist.dp 3"},
      {{"train.batch=8", "dist.dp=4", "train.micro_batch=4"}, "2 clips a rank"},
      {{"dist.tp=3"}, "model.heads 4 is not divisible by dist.tp 3"},
      {{"model.hidden=770", "dist.tp=4"}, "model.hidden 770 is not divisible by dist.tp 4"},
      {{"run.dir="}, "run.dir is empty"},
      {{"ckpt.every=300", "ckpt.keep_every=500"},
       "ckpt.keep_every 500 is not a multiple of ckpt.every 300"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cfg *c = with(cases[i].sets);
    orr_code rc = cfg_check(c);
    if (rc != ORR_ECONFIG || !strstr(orr_status_message(), cases[i].words)) {
      fail_msg("case %zu: %s '%s' lacks '%s'", i, orr_code_name(rc), orr_status_message(),
               cases[i].words);
    }
    cfg_destroy(c);
  }
}

static void test_settings_that_fit_pass(void **state) {
  static const char *const cases[][SETS_MAX] = {
      {NULL},
      {"model.heads=8", "model.kv_heads=2", "dist.tp=8"},
      {"data.train=[x, y]", "data.weights=[0, 2]", "data.branch=[worlds, avatars]"},
      {"optim.warmup_steps=800"},
      {"optim.schedule=constant", "optim.warmup_steps=1000"},
      {"train.batch=8", "dist.dp=4", "train.micro_batch=2"},
      {"train.stage=tokenizer", "tokenizer.levels=[3]", "tokenizer.rows=4", "data.frames=1"},
      {"ckpt.every=0", "ckpt.keep_every=500"},
      // of the model that is not trained nothing is asked
      {"train.stage=tokenizer", "model.width=250", "model.heads=3", "model.time_every=9"},
      {"tokenizer.width=250"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cfg *c = with(cases[i]);
    if (cfg_check(c) != ORR_OK) fail_msg("case %zu: %s", i, orr_status_message());
    cfg_destroy(c);
  }
}

static void test_all_that_cannot_work_is_told_at_once(void **state) {
  cfg *c =
      WITH("model.width=250", "data.frames=1", "optim.warmup_steps=900", "ckpt.keep_every=700");
  assert_int_equal(cfg_check(c), ORR_ECONFIG);
  const char *const parts[] = {
      "4 faults:", "\n  1. model.width 250 is not divisible by model.heads 4",
      "\n  2. data.frames is 1, wanted at least 2", "\n  3. optim.warmup_steps 900",
      "\n  4. ckpt.keep_every 700"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (!strstr(orr_status_message(), parts[i]))
      fail_msg("'%s' lacks '%s'", orr_status_message(), parts[i]);
  cfg_destroy(c);
}

static orr_hash128 hash_of(const cfg *c) {
  orr_hash128 h;
  assert_int_equal(cfg_hash(c, &h), ORR_OK);
  return h;
}

// One assignment, and whether it belongs to what decides the trained weights.
static void test_hash_and_difference_see_what_decides_the_weights_and_nothing_else(void **state) {
  static const struct {
    const char *set, *difference;
  } cases[] = {
      {"run.seed=2", "run.seed: 1 -> 2\n"},
      {"run.precision=fp32", "run.precision: auto -> fp32\n"},
      {"train.steps=2000", "train.steps: 1000 -> 2000\n"}, // the schedule depends on it
      {"train.batch=16", "train.batch: 8 -> 16\n"},
      {"train.init_from=x", "train.init_from: \"\" -> \"x\"\n"},
      {"optim.lr_peak=1e-3", "optim.lr_peak: 0.0003 -> 0.001\n"},
      {"optim.ema_decay=0", "optim.ema_decay: 0.999 -> 0.0\n"},
      {"data.train=[a]", "data.train: [] -> [\"a\"]\n"},
      {"model.width=512", "model.width: 256 -> 512\n"},
      {"tokenizer.levels=[8, 5, 5]", "tokenizer.levels: [8, 5, 5, 5] -> [8, 5, 5]\n"},
      {"run.dir=elsewhere", ""},
      {"run.threads=3", ""},
      {"run.device=cpu", ""},
      {"train.micro_batch=2", ""},
      {"train.recompute=true", ""},
      {"train.max_wall_s=60", ""},
      {"data.prefetch=9", ""},
      {"data.prefetch_bytes=9", ""},
      {"data.unpack_threads=9", ""},
      {"data.chunk_cache_bytes=9", ""},
      {"dist.tp=2", ""},
      {"dist.bucket_bytes=2048", ""},
      {"ckpt.every=5", ""},
      {"eval.clips=5", ""},
  };
  cfg *base = WITH(NULL);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cfg *c = WITH(cases[i].set);
    char *difference = NULL;
    bool equal = *cases[i].difference == 0;
    assert_int_equal(cfg_diff(base, c, &difference), ORR_OK);
    assert_string_equal(difference, cases[i].difference);
    if (orr_hash_equal(hash_of(base), hash_of(c)) != equal) fail_msg("hash and %s", cases[i].set);
    orr_free(difference);
    cfg_destroy(c);
  }
  cfg_destroy(base);
}

static void test_every_configuration_that_comes_along_is_good(void **state) {
  glob_t files;
  assert_int_equal(glob(ORR_SOURCE_DIR "/configs/*.yaml", 0, NULL, &files), 0);
  assert_true(files.gl_pathc >= 3);
  for (size_t i = 0; i < files.gl_pathc; i++) {
    cfg *c = WITH(NULL);
    orr_code rc = cfg_read_file(c, files.gl_pathv[i]);
    if (rc == ORR_OK) rc = cfg_check(c);
    if (rc != ORR_OK) fail_msg("%s: %s", files.gl_pathv[i], orr_status_message());
    cfg_destroy(c);
  }
  globfree(&files);
}

// `yaml` as a file, with assignments over it.
static cfg *read_over(const char *yaml, const char *const *sets, char words[512]) {
  char path[] = "/tmp/orrery-lengths-XXXXXX";
  cfg *c = NULL;
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, yaml, strlen(yaml)), (int)strlen(yaml));
  close(fd);
  assert_int_equal(cfg_create(&c), ORR_OK);
  const orr_code rc = cfg_read(c, path, sets, words, 512);
  unlink(path);
  if (rc != ORR_OK) fail_msg("%s", orr_status_message());
  return c;
}

static void expect_lengths(const char *yaml, const char *const *sets, int64_t warmup, int64_t decay,
                           const char *said) {
  char words[512];
  cfg *c = read_over(yaml, sets, words);
  assert_int_equal(c->optim.warmup_steps, warmup);
  assert_int_equal(c->optim.decay_steps, decay);
  assert_string_equal(words, said);
  cfg_destroy(c);
}
#define SETS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void test_warm_up_and_decay_shrink_with_the_steps_unless_they_were_set(void **state) {
  static const char file[] = "train: {steps: 700}\noptim: {warmup_steps: 100, decay_steps: 600}\n";
  expect_lengths(file, SETS("train.steps=20"), 2, 17,
                 "optim.warmup_steps 100 of 700 steps becomes 2, optim.decay_steps 600 of 700 "
                 "steps becomes 17");
  expect_lengths(file, SETS("train.steps=700"), 100, 600, "");
  expect_lengths(file, SETS("train.steps=90000"), 100, 600, "");
  expect_lengths(file, SETS("train.steps=15", "optim.warmup_steps=2"), 2, 12,
                 "optim.decay_steps 600 of 700 steps becomes 12");
  expect_lengths(file, SETS("train.steps=3", "optim.schedule=cosine"), 1, 600,
                 "optim.warmup_steps 100 of 700 steps becomes 1"); // its decay is all of the rest
  expect_lengths("train: {steps: 20}\n", SETS(), 2, 4,
                 "optim.warmup_steps 100 of 1000 steps becomes 2, optim.decay_steps 200 of 1000 "
                 "steps becomes 4"); // the defaults
}

static void test_lengths_that_were_set_are_refused_where_they_do_not_fit(void **state) {
  static const char good[] = "train: {steps: 700}\noptim: {warmup_steps: 100, decay_steps: 600}\n",
                    bad[] = "train: {steps: 700}\noptim: {warmup_steps: 100, decay_steps: 601}\n";
  char words[512];
  cfg *all[] = {
      read_over(bad, SETS(), words),
      read_over(good, SETS("train.steps=20", "optim.decay_steps=21"), words),
      read_over(good, SETS("optim.warmup_steps=101"), words),
  };
  for (int i = 0; i < 3; i++) {
    assert_int_equal(cfg_check(all[i]), ORR_ECONFIG);
    assert_non_null(strstr(orr_status_message(), "do not fit into train.steps"));
    cfg_destroy(all[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_warm_up_and_decay_shrink_with_the_steps_unless_they_were_set),
      cmocka_unit_test(test_lengths_that_were_set_are_refused_where_they_do_not_fit),
      cmocka_unit_test(test_settings_that_cannot_work_together_are_refused_by_name),
      cmocka_unit_test(test_settings_that_fit_pass),
      cmocka_unit_test(test_all_that_cannot_work_is_told_at_once),
      cmocka_unit_test(test_hash_and_difference_see_what_decides_the_weights_and_nothing_else),
      cmocka_unit_test(test_every_configuration_that_comes_along_is_good),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
