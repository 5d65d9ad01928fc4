// labels: quick; needs: orrery
// An evaluation from end to end on models of a few steps: the clips it takes, how actions lie
// beside frames, what is in its results. Clips show the number of the action that led to each frame
// (tests/data/shards.h), so that a shifted one cannot pass.
#include "tests/data/shards.h"
#include "tests/train/program.h"

#include <math.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/pictures/packed.h"
#include "train/eval/eval.h"
#include "train/eval/arithmetic.h"
#include "train/eval/measure.h"
#include "train/eval/set.h"

enum {
  HEIGHT = 16,
  WIDTH = 24,
  PIXELS = HEIGHT * WIDTH,
  EPISODES = 8,
  LENGTH = 9,
  PROMPT = 3,
  ALONE = 40
};

typedef struct {
  char root[512];
  kern *k;
  train_loaded_model *dynamics, *tokenizer;
} fixture;

// Data set ROOT/name of one shard with `episodes` episodes of `length` frames; `forks`: pairs with
// one past.
static void make_set(const fixture *f, const char *name, int episodes, int64_t length, bool forks) {
  char dir[1024], path[1100];
  const data_shard_format format = shards_format(HEIGHT, WIDTH, 0);
  int64_t lengths[EPISODES];
  for (int i = 0; i < episodes; i++) lengths[i] = length;
  snprintf(dir, sizeof dir, "%s/%s", f->root, name);
  assert_ok(orr_fs_mkdirs(dir));
  snprintf(path, sizeof path, "%s/shard-00000.h5", dir);
  assert_ok(shards_write(path, &format, DATA_FILTER_NONE, 0, lengths, episodes, 0));
  json_t *extra = forks ? json_pack("{s:{s:i}}", "forks", "prompt", PROMPT + 1) : NULL;
  assert_ok(data_index_build(dir, extra));
  json_decref(extra);
}

static void run_program(const fixture *f, const char *const *words) {
  char err[600];
  snprintf(err, sizeof err, "%s/err", f->root);
  program_wait_ok(program_start(words, err, true), err);
}

static void train_models(const fixture *f) {
  char yaml[4096], path[600], tokens[600], clips[600], tokenizer[600];
  snprintf(path, sizeof path, "%s/tokenizer.yaml", f->root);
  snprintf(clips, sizeof clips, "%s/clips", f->root);
  snprintf(tokens, sizeof tokens, "%s/tokens", f->root);
  snprintf(tokenizer, sizeof tokenizer, "%s/tokenizer/ckpt", f->root);
  static const char common[] =
      "optim: {lr_peak: 0.01, warmup_steps: 2, decay_steps: 2}\n"
      "tokenizer: {patch: 8, rows: 2, cols: 3, levels: [5, 4], width: 32, heads: 4, kv_heads: 4, "
      "hidden: 40, layers: 1, checkpoint: '%s'}\n"
      "model: {rows: 2, cols: 3, codes: 20, registers: 1, width: 32, heads: 4, kv_heads: 4, "
      "hidden: 40, layers: 2, time_every: 2, actions: 3, branches: [worlds]}\n";
  char shared[1400];
  snprintf(shared, sizeof shared, common, tokenizer);
  snprintf(yaml, sizeof yaml,
           "run: {dir: %s/tokenizer, threads: 1, precision: fp32}\n"
           "train: {stage: tokenizer, steps: 10, batch: 4}\ndata: {train: [%s], frames: 4}\n%s",
           f->root, clips, shared);
  assert_ok(orr_fs_write_atomic(path, yaml, strlen(yaml)));
  run_program(f, (const char *const[]){program_path, "train", path, NULL});
  run_program(f, (const char *const[]){program_path, "data", "tokenize", clips, "--tokenizer",
                                       tokenizer, "--out", tokens, "--threads", "1", NULL});
  snprintf(path, sizeof path, "%s/dynamics.yaml", f->root);
  snprintf(yaml, sizeof yaml,
           "run: {dir: %s/dynamics, threads: 1, precision: fp32}\n"
           "train: {stage: dynamics, steps: 10, batch: 4}\ndata: {train: [%s], frames: 4}\n%s",
           f->root, tokens, shared);
  assert_ok(orr_fs_write_atomic(path, yaml, strlen(yaml)));
  run_program(f, (const char *const[]){program_path, "train", path, NULL});
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  char path[600];
  *state = f;
  orr_log_setup(ORR_LOG_ERROR, 0, 1);
  snprintf(f->root, sizeof f->root, "%s", shards_folder("eval"));
  make_set(f, "clips", EPISODES, LENGTH, false);
  make_set(f, "forks", EPISODES, LENGTH, true);
  make_set(f, "alone", 1, ALONE, false);
  train_models(f);
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &f->k));
  assert_ok(kern_commit(f->k));
  snprintf(path, sizeof path, "%s/dynamics/ckpt", f->root);
  assert_ok(train_loaded_model_open(path, CFG_STAGE_DYNAMICS, true, f->k, &f->dynamics));
  snprintf(path, sizeof path, "%s/tokenizer/ckpt", f->root);
  assert_ok(train_loaded_model_open(path, CFG_STAGE_TOKENIZER, true, f->k, &f->tokenizer));
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  train_loaded_model_close(f->tokenizer);
  train_loaded_model_close(f->dynamics);
  kern_destroy(f->k);
  const orr_code rc = orr_fs_remove_tree(f->root);
  free(f);
  return rc == ORR_OK ? 0 : -1;
}

static train_episodes *open_set(const fixture *f, const char *name) {
  char dir[600];
  train_episodes *e = NULL;
  snprintf(dir, sizeof dir, "%s/%s", f->root, name);
  assert_ok(train_episodes_open(dir, NULL, &e));
  return e;
}

// -- clips ----------------------------------------------------------------------------------

static orr_code load_clips(const fixture *f, train_episodes *episodes, train_codec *codec,
                           int64_t clips, int64_t horizon, train_eval_set *s) {
  const train_eval_wish wish = {clips, PROMPT, horizon, 7};
  return train_eval_set_load(episodes, f->dynamics, codec, &wish, s);
}

static void test_actions_lie_at_the_frame_they_led_to(void **state) {
  const fixture *f = *state;
  train_episodes *episodes = open_set(f, "clips");
  train_codec *codec = NULL;
  train_eval_set s;
  assert_ok(train_codec_create(f->tokenizer, 5, &codec)); // portions that do not divide the clips
  assert_ok(load_clips(f, episodes, codec, EPISODES, 4, &s));
  assert_int_equal(s.E, EPISODES);
  assert_int_equal(s.T, PROMPT + 4);
  for (int64_t i = 0; i < s.E * s.T; i++) {
    const train_eval_window w = s.window[i / s.T];
    const int64_t t = i % s.T, at = w.start + t;
    const float *a = s.action + i * 2 * s.A;
    assert_int_equal(w.episode, i / s.T); // as many clips as episodes of one length
    assert_int_equal(s.has[i], t > 0);
    assert_int_equal(s.frames[i * PIXELS * 3], shards_shown(w.episode, at));
    // the set has 2 of the model's 3 components
    assert_true(a[0] == (t ? shards_action(w.episode, at - 1) : 0.0f) && a[1] == -a[0] &&
                a[2] == 0.0f);
    assert_true(a[3] == (float)(t > 0) && a[4] == a[3] && a[5] == 0.0f);
    assert_true(s.state[i * s.Q] == (float)w.episode && s.state[i * s.Q + 1] == (float)at);
  }
  int32_t again[LENGTH * 6];
  for (int64_t clip = 0; clip < s.E; clip++) { // frames and tokens belong together
    assert_ok(train_codec_encode(codec, s.frames + clip * s.T * PIXELS * 3, s.T, again));
    assert_memory_equal(again, s.tokens + clip * s.T * 6, (size_t)(s.T * 6) * sizeof *again);
  }
  train_eval_set_release(&s);
  train_codec_destroy(codec);
  train_episodes_close(episodes);
}

static void test_windows_lie_throughout_episodes(void **state) {
  const fixture *f = *state;
  train_codec *codec = NULL;
  train_eval_set s;
  bool began[LENGTH] = {0};
  assert_ok(train_codec_create(f->tokenizer, 8, &codec));
  train_episodes *episodes = open_set(f, "clips");
  assert_ok(load_clips(f, episodes, codec, 3 * EPISODES, 2, &s)); // 5 of 5 frames in each episode
  assert_int_equal(s.E, 3 * EPISODES);
  for (int64_t i = 0; i < s.E; i++) {
    assert_true(s.window[i].start + s.T <= LENGTH);
    assert_true(i == 0 || s.window[i].episode > s.window[i - 1].episode ||
                s.window[i].start > s.window[i - 1].start);
    began[s.window[i].start] = true;
  }
  for (int64_t t = 0; t + s.T <= LENGTH; t++) assert_true(began[t]);
  train_eval_set_release(&s);
  assert_ok(load_clips(f, episodes, codec, 1000, 2, &s)); // all that there are
  assert_int_equal(s.E, 5 * EPISODES);
  train_eval_set_release(&s);
  train_episodes_close(episodes);
  episodes = open_set(f, "alone"); // one recording alone is enough
  assert_ok(load_clips(f, episodes, codec, 4, 2, &s));
  assert_int_equal(s.E, 4);
  for (int64_t i = 0; i < s.E; i++)
    assert_true(s.window[i].start >= 9 * i && s.window[i].start < 9 * (i + 1));
  train_eval_set_release(&s);
  train_episodes_close(episodes);
  train_codec_destroy(codec);
}

static void test_clips_have_the_stride_of_training(void **state) {
  const fixture *f = *state;
  train_episodes *episodes = open_set(f, "clips");
  train_codec *codec = NULL;
  train_eval_set s;
  assert_ok(train_codec_create(f->tokenizer, 8, &codec));
  f->dynamics->c->data.stride = 2; // 9 frames of an episode are 5
  assert_ok(load_clips(f, episodes, codec, EPISODES, 2, &s));
  for (int64_t i = 0; i < s.E * s.T; i++) {
    const train_eval_window w = s.window[i / s.T];
    const int64_t t = i % s.T, at = w.start + 2 * t;
    assert_int_equal(s.frames[i * PIXELS * 3], shards_shown(w.episode, at));
    assert_true(s.state[i * s.Q + 1] == (float)at);
    assert_true(s.action[i * 2 * s.A] == (t ? shards_action(w.episode, at - 1) : 0.0f));
  }
  train_eval_set_release(&s);
  assert_int_equal(load_clips(f, episodes, codec, 4, 3, &s), ORR_EINVAL);
  assert_message_names("of 5 frames", "stride 2", "clips of 6 frames");
  f->dynamics->c->data.stride = 1;
  train_codec_destroy(codec);
  train_episodes_close(episodes);
}

static void test_fewer_clips_are_spread_and_pairs_stay_together(void **state) {
  const fixture *f = *state;
  train_codec *codec = NULL;
  train_eval_set s;
  assert_ok(train_codec_create(f->tokenizer, 8, &codec));
  train_episodes *episodes = open_set(f, "clips");
  assert_ok(load_clips(f, episodes, codec, 4, 2, &s));
  assert_false(s.forks);
  for (int64_t i = 0; i < 4; i++) assert_int_equal(s.window[i].episode / 2, i);
  train_eval_set_release(&s);
  train_episodes_close(episodes);
  episodes = open_set(f, "forks");
  assert_ok(load_clips(f, episodes, codec, 5, 2, &s));
  assert_true(s.forks);
  assert_int_equal(s.E, 4);               // whole pairs
  assert_int_equal(s.prompt, PROMPT + 1); // where the set's futures part
  const float first[] = {0, 1, 4, 5};
  for (int64_t i = 0; i < 4; i++) {
    assert_true(s.state[i * s.T * s.Q] == first[i]);
    assert_int_equal(s.window[i].start, 0); // where their futures part is after the prompt
  }
  train_eval_set_release(&s);
  train_episodes_close(episodes);
  train_codec_destroy(codec);
}

static void test_clips_that_are_too_short_or_too_few_are_refused(void **state) {
  const fixture *f = *state;
  train_codec *codec = NULL;
  train_eval_set s;
  train_episodes *episodes = open_set(f, "clips");
  assert_ok(train_codec_create(f->tokenizer, 8, &codec));
  assert_int_equal(load_clips(f, episodes, codec, 4, LENGTH, &s), ORR_EINVAL);
  assert_message_names("of 9 frames", "clips of 12 frames", "--horizon");
  assert_int_equal(load_clips(f, episodes, codec, 1, 2, &s), ORR_EINVAL);
  assert_message_names("1 clips", "at least 2",
                       "a larger --clips"); // which is true: there are more
  train_episodes_close(episodes);
  episodes = open_set(f, "forks");
  assert_int_equal(load_clips(f, episodes, codec, 3, 2, &s), ORR_EINVAL);
  assert_message_names("pairs", "at least 4", "a larger --clips");
  train_codec_destroy(codec);
  train_episodes_close(episodes);
}

// -- results --------------------------------------------------------------------------------

static double psnr(const uint8_t *a, const uint8_t *b) {
  double sum = 0.0;
  for (int i = 0; i < PIXELS * 3; i++) sum += (a[i] - b[i]) * (a[i] - b[i]) / (255.0 * 255.0);
  return -10.0 * log10(sum / (PIXELS * 3));
}

// Mean PSNR over the windows of frame PROMPT + k beside the last prompt frame.
static double persistence(const json_t *windows, int64_t k) {
  double mean = 0.0;
  uint8_t a[PIXELS * 3], b[PIXELS * 3];
  const json_t *w;
  size_t n;
  json_array_foreach((json_t *)(uintptr_t)windows, n, w) {
    const int64_t episode = json_integer_value(json_object_get(w, "episode")),
                  prompt = json_integer_value(json_object_get(w, "start")) + PROMPT;
    for (int64_t i = 0; i < PIXELS * 3; i++) {
      a[i] = shards_pixel(episode, prompt + k, i);
      b[i] = shards_pixel(episode, prompt - 1, i);
    }
    mean += psnr(a, b) / (double)json_array_size(windows);
  }
  return mean;
}

static double number(const json_t *j, const char *key) {
  if (!json_is_number(json_object_get(j, key))) fail_msg("no number '%s'", key);
  return json_number_value(json_object_get(j, key));
}

static double at(const json_t *j, const char *key, size_t k) {
  const json_t *v = json_array_get(json_object_get(j, key), k);
  if (!json_is_number(v)) fail_msg("no number %s[%d]", key, (int)k);
  return json_number_value(v);
}

static json_t *evaluate_as(const fixture *f, const char *set, uint64_t seed, bool carry) {
  const train_eval_options o = {.clips = EPISODES,
                                .prompt = PROMPT,
                                .horizon = 5,
                                .steps = 2,
                                .temperature = 1.0,
                                .choice_temperature = 2.0,
                                .carry = carry,
                                .seed = seed};
  train_episodes *episodes = open_set(f, set);
  train_eval *e = NULL;
  json_t *j = NULL;
  char strip[600];
  uint64_t bytes = 0;
  assert_ok(train_eval_create(f->dynamics, f->tokenizer, episodes, &o, &e));
  assert_ok(train_eval_run(e, &j));
  snprintf(strip, sizeof strip, "%s/strip.png", f->root);
  assert_ok(train_eval_strip(e, strip, 2));
  assert_ok(orr_fs_size(strip, &bytes));
  assert_true(bytes > 100);
  train_eval_destroy(e);
  train_episodes_close(episodes);
  return j;
}

static json_t *evaluate(const fixture *f, const char *set, uint64_t seed) {
  return evaluate_as(f, set, seed, false);
}

// What is carried changes what is seen, not what is thought.
static void test_what_is_carried_changes_pictures_alone(void **state) {
  json_t *plain = evaluate(*state, "clips", 7), *carried = evaluate_as(*state, "clips", 7, true);
  static const char *const same[] = {"tokenizer_psnr", "action_shuffle_ratio"};
  for (int i = 0; i < 2; i++) assert_true(number(plain, same[i]) == number(carried, same[i]));
  for (size_t k = 0; k < 5; k++) {
    assert_true(at(plain, "distinct_codes_ratio", k) == at(carried, "distinct_codes_ratio", k));
    assert_true(at(plain, "persistence_psnr", k) == at(carried, "persistence_psnr", k));
  }
  assert_true(at(plain, "psnr", 0) != at(carried, "psnr", 0));
  assert_true(at(plain, "random_action_psnr", 0) != at(carried, "random_action_psnr", 0));
  json_decref(carried);
  json_decref(plain);
}

static void test_results_have_every_horizon_and_hang_together(void **state) {
  json_t *j = evaluate(*state, "clips", 7);
  const char *const curves[] = {"psnr", "persistence_psnr", "random_action_psnr",
                                "brightness_ratio", "distinct_codes_ratio"};
  for (int i = 0; i < 5; i++) assert_int_equal(json_array_size(json_object_get(j, curves[i])), 5);
  const json_t *windows = json_object_get(j, "windows");
  assert_int_equal(json_array_size(windows), EPISODES);
  // float64 over the same bytes: only the order of sums differs
  for (size_t k = 0; k < 5; k++)
    assert_true(fabs(at(j, "persistence_psnr", k) - persistence(windows, (int64_t)k)) < 1e-9);
  assert_true(fabs(number(j, "delta_psnr") - (at(j, "psnr", 3) - at(j, "random_action_psnr", 3))) <
              1e-9);
  assert_true(number(j, "tokenizer_psnr") > 3.0);
  assert_true(number(j, "action_shuffle_ratio") > 0.0);
  assert_true(isfinite(number(j, "drift")) && number(j, "loss") > 0.0);
  assert_null(json_object_get(j, "effect_corr"));    // no forks
  assert_null(json_object_get(j, "position_error")); // another scene's state
  json_decref(j);
}

// Two clips of a prompt frame and one more, frames of one pixel and two codes.
static void test_sinking_is_told_by_horizon_against_the_recording(void **state) {
  uint8_t frames[2][2][3] = {{{9, 9, 9}, {100, 100, 100}}, {{9, 9, 9}, {0, 0, 60}}};
  int32_t tokens[2][2][2] = {{{1, 1}, {1, 2}}, {{1, 1}, {3, 4}}};
  const uint8_t predicted[2][3] = {{50, 50, 50}, {0, 30, 0}};
  const int32_t codes[2][2] = {{5, 5}, {6, 7}};
  const train_eval_set s = {
      .E = 2, .T = 2, .prompt = 1, .S = 2, .frames = frames[0][0], .tokens = tokens[0][0]};
  const train_films f = {
      .set = &s, .horizon = 1, .bytes = 3, .predicted = predicted[0], .predicted_tokens = codes[0]};
  json_t *j = json_object();
  assert_ok(train_measure_sinking.take(&f, j));
  assert_true(fabs(at(j, "brightness_ratio", 0) - 0.5) < 1e-12);
  assert_true(fabs(at(j, "distinct_codes_ratio", 0) - 0.75) < 1e-12);
  json_decref(j);
}

static void test_an_evaluation_repeats_bit_for_bit(void **state) {
  json_t *a = evaluate(*state, "clips", 7), *b = evaluate(*state, "clips", 7),
         *c = evaluate(*state, "clips", 8);
  assert_true(json_equal(a, b));
  assert_false(json_equal(a, c));
  json_decref(c);
  json_decref(b);
  json_decref(a);
}

static void test_forked_clips_measure_the_effect_of_actions(void **state) {
  json_t *j = evaluate(*state, "forks", 7);
  assert_true(fabs(number(j, "effect_corr")) <= 1.0);
  const json_t *iou = json_object_get(j, "changed_iou");
  assert_non_null(iou);
  assert_int_equal(number(j, "prompt"), PROMPT + 1);
  json_decref(j);
}

// -- what does not fit together -------------------------------------------------------------

// The program fails with that code and a message that has both words.
static void expect_code(const fixture *f, int code, const char *const *words, const char *a,
                        const char *b) {
  char err[600];
  snprintf(err, sizeof err, "%s/err", f->root);
  assert_int_equal(program_wait(program_start(words, err, true)), code);
  char *text = folder_read(err);
  if (!strstr(text, a) || !strstr(text, b)) fail_msg("no '%s' or no '%s' in: %s", a, b, text);
  orr_free(text);
}
#define EXPECT_FAILURE(f, a, b, ...)                                                               \
  expect_code(f, 1, (const char *const[]){program_path, __VA_ARGS__, NULL}, a, b)
#define RUN_PROGRAM(f, ...) run_program(f, (const char *const[]){program_path, __VA_ARGS__, NULL})

static const char *in(const fixture *f, const char *name, char out[600]) {
  snprintf(out, 600, "%s/%s", f->root, name);
  return out;
}

static void test_frames_of_another_size_are_refused_before_they_are_read(void **state) {
  const fixture *f = *state;
  const data_shard_format format = shards_format(HEIGHT + 8, WIDTH, 0);
  const int64_t lengths[] = {LENGTH, LENGTH};
  char model[600], large[600], path[700], film[600];
  assert_ok(orr_fs_mkdirs(in(f, "large", large)));
  snprintf(path, sizeof path, "%s/shard-00000.h5", large);
  assert_ok(shards_write(path, &format, DATA_FILTER_NONE, 0, lengths, 2, 0));
  assert_ok(data_index_build(large, NULL));
  in(f, "dynamics", model);
  EXPECT_FAILURE(f, "24 x 24", "16 x 24", "eval", model, "--data", large, "--clips", "2");
  EXPECT_FAILURE(f, "24 x 24", "16 x 24", "rollout", model, "--data", large, "--out",
                 in(f, "film.gif", film));
}

static int64_t codes_of(const fixture *f, const char *name) {
  char path[600];
  data_shard *s = NULL;
  assert_ok(data_shard_open(in(f, name, path), &s));
  const int64_t codes = data_shard_get_format(s)->codes;
  data_shard_close(s);
  return codes;
}

static void test_another_tokenizer_is_refused_and_its_tokens_are_made_anew(void **state) {
  const fixture *f = *state;
  char yaml[600], dir[620], model[600], clips[600], first[600], other[600], tokens[600];
  in(f, "tokenizer.yaml", yaml);
  in(f, "dynamics", model);
  in(f, "clips", clips);
  in(f, "tokenizer", first);
  in(f, "other", other);
  in(f, "again", tokens);
  snprintf(dir, sizeof dir, "run.dir=%s", other);
  RUN_PROGRAM(f, "train", yaml, "--set", dir, "--set", "tokenizer.levels=[4, 4]", "--set",
              "model.codes=16", "--set", "train.steps=4");
  EXPECT_FAILURE(f, "16 codes", "wants 20", "eval", model, "--data", clips, "--tokenizer", other);
  RUN_PROGRAM(f, "data", "tokenize", clips, "--tokenizer", first, "--out", tokens);
  assert_int_equal(codes_of(f, "again/shard-00000.h5"), 20);
  RUN_PROGRAM(f, "data", "tokenize", clips, "--tokenizer", other, "--out", tokens);
  assert_int_equal(codes_of(f, "again/shard-00000.h5"), 16);
}

static void test_bad_lines_of_an_actions_file_are_named_by_their_place(void **state) {
  const fixture *f = *state;
  static const struct {
    const char *text, *line, *words;
  } bad[] = {{"0 1\n\n0 1 2\n", "line 3", "has 3 numbers, wanted 2"},
             {"0 1\n0\n", "line 2", "has 1 numbers, wanted 2"},
             {"\n0 nan\n", "line 2", "'nan' is no finite number"},
             {"0 1e999\n", "line 1", "no finite number"},
             {"0 x\n", "line 1", "'x' is no finite number"},
             {"\n\n", "no action in it", "2 numbers"},
             {"x,y\n0,1\n", "no column", "there are: x, y"}};
  char model[600], clips[600], actions[600], film[600];
  in(f, "dynamics", model);
  in(f, "clips", clips);
  in(f, "actions", actions);
  in(f, "film.gif", film);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_ok(orr_fs_write_atomic(actions, bad[i].text, strlen(bad[i].text)));
    EXPECT_FAILURE(f, bad[i].line, bad[i].words, "rollout", model, "--data", clips, "--actions",
                   actions, "--prompt", "2", "--frames", "3", "--out", film);
  }
  static const char *const good[] = {"[0, 1]\n\n1;0", "right,t,left\n0,7,1\n0.5,8,0\n"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_ok(orr_fs_write_atomic(actions, good[i], strlen(good[i])));
    RUN_PROGRAM(f, "rollout", model, "--data", clips, "--actions", actions, "--prompt", "2",
                "--frames", "3", "--out", film);
  }
}

// A line a frame that the model has drawn, numbered from the prompt on.
static void test_a_rollout_tells_how_surprised_the_model_was(void **state) {
  const fixture *f = *state;
  char model[600], clips[600], film[600], file[600], *text = NULL;
  size_t bytes = 0;
  in(f, "dynamics", model);
  in(f, "clips", clips);
  in(f, "film.gif", film);
  in(f, "surprise.jsonl", file);
  RUN_PROGRAM(f, "rollout", model, "--data", clips, "--prompt", "2", "--frames", "3", "--out", film,
              "--surprise", file);
  assert_ok(orr_fs_read_all(file, &text, &bytes));
  const char *line = text;
  for (int t = 2; t < 5; t++) {
    int frame = 0, end = 0;
    double nats = 0;
    assert_int_equal(sscanf(line, "{\"frame\": %d, \"surprise\": %lf}\n%n", &frame, &nats, &end),
                     2);
    assert_int_equal(frame, t);
    assert_true(nats > 0 && nats < 10); // twenty codes: three nats, if they were drawn evenly
    line += end;
  }
  assert_int_equal(*line, 0);
  orr_free(text);
}

static void test_an_exam_is_refused_where_it_cannot_be_sat(void **state) {
  const fixture *f = *state;
  char dynamics[600], tokenizer[600];
  in(f, "dynamics", dynamics);
  in(f, "tokenizer", tokenizer);
  EXPECT_FAILURE(f, "holds a tokenizer", "for dynamics models", "exam", tokenizer);
  static const struct {
    const char *option, *value, *says, *wants;
  } bad[] = {{"--concept", "love", "--concept is 'love'", "lists the concepts"},
             {"--range", "beyond", "--range is 'beyond'", "inside or outside"},
             {"--size", "64", "decides the size", "belongs to --examinee"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    expect_code(
        f, 2,
        (const char *const[]){program_path, "exam", dynamics, bad[i].option, bad[i].value, NULL},
        bad[i].says, bad[i].wants);
}

// Whether the picture shows a frame, each of its pixels scale x scale.
static bool holds(const data_picture *p, const uint8_t *frame, int64_t scale) {
  for (int64_t top = 0; top + HEIGHT * scale <= p->height; top++)
    for (int64_t left = 0; left + WIDTH * scale <= p->width; left++) {
      int64_t i = 0;
      for (; i < PIXELS * scale * scale; i++) {
        const int64_t y = i / (WIDTH * scale), x = i % (WIDTH * scale);
        if (memcmp(p->rgb + ((top + y) * p->width + left + x) * 3,
                   frame + (y / scale * WIDTH + x / scale) * 3, 3) != 0)
          break;
      }
      if (i == PIXELS * scale * scale) return true;
    }
  return false;
}

static void frame_of(int64_t episode, int64_t t, uint8_t out[PIXELS * 3]) {
  for (int64_t i = 0; i < PIXELS * 3; i++) out[i] = shards_pixel(episode, t, i);
}

static bool shows(const data_picture *p, int64_t t) {
  uint8_t frame[PIXELS * 3];
  frame_of(0, t, frame);
  return holds(p, frame, 1);
}

// The picture at ROOT/name; valid until data_packed is used again.
static data_picture picture_of(const fixture *f, const char *name, data_packed *packed) {
  char path[600], *bytes = NULL;
  size_t size = 0;
  data_picture picture;
  snprintf(path, sizeof path, "%s/%s", f->root, name);
  assert_ok(orr_fs_read_all(path, &bytes, &size));
  assert_ok(data_packed_decode(packed, path, (const uint8_t *)bytes, size, &picture));
  orr_free(bytes);
  return picture;
}

static void test_a_rollout_starts_where_it_is_told(void **state) {
  const fixture *f = *state;
  char model[600], alone[600], film[600];
  data_packed *packed = NULL;
  in(f, "dynamics", model);
  in(f, "alone", alone);
  in(f, "film.png", film);
  assert_ok(data_packed_create(&packed));
  static const int64_t starts[] = {0, 17, 34};
  for (int i = 0; i < 3; i++) {
    const int64_t start = starts[i];
    char number[8];
    snprintf(number, sizeof number, "%d", (int)start);
    RUN_PROGRAM(f, "rollout", model, "--data", alone, "--start", number, "--prompt", "2",
                "--frames", "4", "--beside", "--scale", "1", "--out", film);
    const data_picture picture = picture_of(f, "film.png", packed);
    for (int64_t t = 0; t < ALONE; t++)
      assert_int_equal(shows(&picture, t), t >= start && t < start + 6);
  }
  data_packed_destroy(packed);
  EXPECT_FAILURE(f, "episode 0 has 1 frames from frame 39", "a smaller --start", "rollout", model,
                 "--data", alone, "--start", "39", "--prompt", "2", "--frames", "4", "--out", film);
  EXPECT_FAILURE(f, "episode 0 has 0 frames from frame 40", "a smaller --start", "rollout", model,
                 "--data", alone, "--start", "40", "--prompt", "2", "--frames", "4", "--out", film);
}

static void decoded_frame(train_codec *codec, int64_t episode, int64_t t, uint8_t out[PIXELS * 3]) {
  int32_t index[6];
  uint8_t frame[PIXELS * 3];
  frame_of(episode, t, frame);
  assert_ok(train_codec_encode(codec, frame, 1, index));
  assert_ok(train_codec_decode(codec, index, 1, out));
}

// What the model is given is what its tokenizer makes of the last prompt frame: it stands in the
// strip, and held still it is the baseline that no loss of the tokenizer flatters.
static void test_the_decoded_prompt_is_shown_and_is_a_baseline(void **state) {
  const fixture *f = *state;
  json_t *j = evaluate(f, "clips", 7);
  train_codec *codec = NULL;
  data_packed *packed = NULL;
  assert_ok(train_codec_create(f->tokenizer, 1, &codec));
  assert_ok(data_packed_create(&packed));
  double mean[5] = {0};
  const json_t *windows = json_object_get(j, "windows"), *w;
  size_t i;
  uint8_t real[PIXELS * 3], given[PIXELS * 3];
  json_array_foreach((json_t *)(uintptr_t)windows, i, w) {
    const int64_t episode = json_integer_value(json_object_get(w, "episode")),
                  prompt = json_integer_value(json_object_get(w, "start")) + PROMPT;
    decoded_frame(codec, episode, prompt - 1, given);
    for (int64_t k = 0; k < 5; k++) {
      frame_of(episode, prompt + k, real);
      mean[k] += psnr(real, given) / EPISODES;
    }
    if (i > 0) continue; // the first clip is in the strip
    const data_picture strip = picture_of(f, "strip.png", packed);
    assert_true(holds(&strip, given, 2));
    frame_of(episode, prompt - 1, real);
    assert_true(holds(&strip, real, 2));
    frame_of(episode, prompt + 1, real); // every second horizon
    assert_true(holds(&strip, real, 2));
  }
  for (size_t k = 0; k < 5; k++)
    assert_true(fabs(at(j, "decoded_persistence_psnr", k) - mean[k]) < 1e-9);
  const char *const similar[] = {"ssim", "persistence_ssim", "decoded_persistence_ssim"};
  for (int c = 0; c < 3; c++)
    for (size_t k = 0; k < 5; k++) assert_true(fabs(at(j, similar[c], k)) <= 1);
  data_packed_destroy(packed);
  train_codec_destroy(codec);
  json_decref(j);
}

static void test_a_tokenizer_is_measured_alone(void **state) {
  const fixture *f = *state;
  char model[600], clips[600], json[600], strip[600];
  in(f, "tokenizer", model);
  in(f, "clips", clips);
  in(f, "eval.json", json);
  in(f, "originals.png", strip);
  RUN_PROGRAM(f, "eval", model, "--data", clips, "--clips", "100", "--json", json, "--strip",
              strip); // 100 x 16 frames asked for: all there are
  json_t *j = NULL;
  train_codec *codec = NULL;
  data_packed *packed = NULL;
  uint8_t real[PIXELS * 3], decoded[PIXELS * 3];
  int32_t index[6];
  bool used[20] = {0};
  double mean = 0, sharp[2] = {0};
  assert_ok(orr_json_load(json, &j));
  assert_ok(train_codec_create(f->tokenizer, 1, &codec));
  assert_ok(data_packed_create(&packed));
  const data_picture picture = picture_of(f, "originals.png", packed);
  int64_t originals = 0, reconstructions = 0;
  for (int64_t e = 0; e < EPISODES; e++)
    for (int64_t t = 0; t < LENGTH; t++) {
      frame_of(e, t, real);
      assert_ok(train_codec_encode(codec, real, 1, index));
      assert_ok(train_codec_decode(codec, index, 1, decoded));
      mean += psnr(real, decoded) / (EPISODES * LENGTH);
      for (int s = 0; s < 6; s++) used[index[s]] = true;
      sharp[0] += (double)train_measure_detail(real, HEIGHT, WIDTH);
      sharp[1] += (double)train_measure_detail(decoded, HEIGHT, WIDTH);
      const bool shown = holds(&picture, real, 2);
      originals += shown;
      reconstructions += shown && holds(&picture, decoded, 2);
    }
  int64_t codes = 0;
  for (int c = 0; c < 20; c++) codes += used[c];
  assert_int_equal(number(j, "frames"), EPISODES * LENGTH);
  // with packed weights or alone in a portion a sum may round otherwise: a step of a byte here and
  // there
  assert_true(fabs(number(j, "tokenizer_psnr") - mean) < 1e-3);
  assert_true(fabs(number(j, "tokenizer_sharpness") - sharp[1] / sharp[0]) < 1e-3);
  assert_true(number(j, "tokenizer_ssim") < 1 && number(j, "tokenizer_ssim") > -1);
  assert_int_equal(number(j, "codes"), 20);
  assert_int_equal(number(j, "codes_used"), codes);
  assert_true(number(j, "code_perplexity") >= 1 && number(j, "code_perplexity") <= (double)codes);
  assert_int_equal(originals, 16);
  assert_int_equal(reconstructions, 16);
  expect_code(f, 2,
              (const char *const[]){program_path, "eval", model, "--data", clips, "--tokenizer",
                                    model, NULL},
              "holds a tokenizer", "--tokenizer");
  data_packed_destroy(packed);
  train_codec_destroy(codec);
  json_decref(j);
}

// stderr of a rollout beside the real frames under the actions of a file.
static char *rollout_words(const fixture *f, const char *actions, const char *film) {
  char model[600], alone[600], file[600], out[600], err[600];
  in(f, "err", err);
  in(f, "own", file);
  assert_ok(orr_fs_write_atomic(file, actions, strlen(actions)));
  RUN_PROGRAM(f, "rollout", in(f, "dynamics", model), "--data", in(f, "alone", alone), "--start",
              "3", "--prompt", "2", "--frames", "3", "--beside", "--actions", file, "--out",
              in(f, film, out));
  return folder_read(err);
}

static void test_real_frames_of_other_actions_are_marked_as_another_future(void **state) {
  const fixture *f = *state;
  static const char *const films[] = {"own.png", "own.gif", "own.mp4"};
  for (int i = 0; i < 3; i++) {
    // those that led from frames 4, 5 and 6 on: the recorded ones
    char *same = rollout_words(f, "4 -4\n5 -5\n6 -6\n", films[i]);
    char *other = rollout_words(f, "4 -4\n5 -5\n6 -7\n", films[i]);
    if (strstr(same, "another future")) fail_msg("marked: %s", same);
    if (!strstr(other, "another future")) fail_msg("not marked: %s", other);
    orr_free(other);
    orr_free(same);
  }
}

// Whoever recorded the data thinks in its old units: 300 where the ranges of the import made it 1.
static void test_actions_in_the_units_of_the_recordings_are_told(void **state) {
  const fixture *f = *state;
  char path[700], dir[600];
  data_shard_format format = shards_format(HEIGHT, WIDTH, 0);
  const int64_t lengths[] = {LENGTH, LENGTH};
  assert_ok(orr_fs_mkdirs(in(f, "ranged", dir)));
  snprintf(path, sizeof path, "%s/shard-00000.h5", dir);
  assert_ok(shards_write(path, &format, DATA_FILTER_NONE, 0, lengths, 2, 0));
  json_t *extra = json_pack("{s:{s:[[f,f],[f,f]]}}", "import", "ranges", -300., 300., -1., 1.);
  assert_ok(data_index_build(dir, extra));
  json_decref(extra);
  for (int far = 0; far < 2; far++) {
    char model[600], file[600], film[600], err[600];
    const char *const words = far ? "300 0\n" : "1 -1\n";
    assert_ok(orr_fs_write_atomic(in(f, "units", file), words, strlen(words)));
    RUN_PROGRAM(f, "rollout", in(f, "dynamics", model), "--data", dir, "--prompt", "2", "--frames",
                "2", "--actions", file, "--out", in(f, "units.png", film));
    char *said = folder_read(in(f, "err", err));
    assert_int_equal(strstr(said, "actions up to 300, but those of") != NULL, far);
    assert_int_equal(strstr(said, "were mapped to -1..1") != NULL, far);
    orr_free(said);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_actions_lie_at_the_frame_they_led_to),
      cmocka_unit_test(test_windows_lie_throughout_episodes),
      cmocka_unit_test(test_clips_have_the_stride_of_training),
      cmocka_unit_test(test_fewer_clips_are_spread_and_pairs_stay_together),
      cmocka_unit_test(test_clips_that_are_too_short_or_too_few_are_refused),
      cmocka_unit_test(test_results_have_every_horizon_and_hang_together),
      cmocka_unit_test(test_what_is_carried_changes_pictures_alone),
      cmocka_unit_test(test_sinking_is_told_by_horizon_against_the_recording),
      cmocka_unit_test(test_an_evaluation_repeats_bit_for_bit),
      cmocka_unit_test(test_forked_clips_measure_the_effect_of_actions),
      cmocka_unit_test(test_frames_of_another_size_are_refused_before_they_are_read),
      cmocka_unit_test(test_another_tokenizer_is_refused_and_its_tokens_are_made_anew),
      cmocka_unit_test(test_a_rollout_tells_how_surprised_the_model_was),
      cmocka_unit_test(test_an_exam_is_refused_where_it_cannot_be_sat),
      cmocka_unit_test(test_a_rollout_starts_where_it_is_told),
      cmocka_unit_test(test_the_decoded_prompt_is_shown_and_is_a_baseline),
      cmocka_unit_test(test_a_tokenizer_is_measured_alone),
      cmocka_unit_test(test_real_frames_of_other_actions_are_marked_as_another_future),
      cmocka_unit_test(test_actions_in_the_units_of_the_recordings_are_told),
      cmocka_unit_test(test_bad_lines_of_an_actions_file_are_named_by_their_place),
  };
  return cmocka_run_group_tests_name("train/eval", tests, setup, teardown);
}
