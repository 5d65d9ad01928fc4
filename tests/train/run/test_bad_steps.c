// labels: full; wrap: data_loader_next train_schedule_lr
// Poisoned batches in a run, from a file or from between: skipped, told of, and, in a row, a reason
// to go back. Weights that an update ruined: repaired. This program stands between the loop and
// data_loader_next (linked with --wrap) to poison what training gets, and train_schedule_lr to make
// an update go the wrong way.
#include "tests/train/small_replay.h"

#include "data/clips/clip_batch.h"
#include "data/clips/loader.h"
#include "data/set/verify.h"
#include "train/observe/goodput.h"

// Numbers of batches of the data's order, from 1; `first` to `last` are poisoned: with an action
// that is no number, or, `calm`, with codes that none of the other batches has.
typedef struct {
  int64_t first, last;
  bool calm;
} poison;
static poison dose; // the wrapped function's signature leaves no other way in

orr_code __real_data_loader_next(data_loader *l, const data_clip_batch **b, double *wait_ms);
orr_code __wrap_data_loader_next(data_loader *l, const data_clip_batch **b, double *wait_ms);

orr_code __wrap_data_loader_next(data_loader *l, const data_clip_batch **b, double *wait_ms) {
  const orr_code rc = __real_data_loader_next(l, b, wait_ms);
  if (rc != ORR_OK) return rc;
  const int64_t number = 1 + (int64_t)(*b)->sample[0] / (*b)->B; // one rank: B is the batch
  const bool bad = number >= dose.first && number <= dose.last;
  if (bad && !dose.calm) (*b)->action[(*b)->A] = NAN;
  for (int64_t i = 0; dose.calm && i < (*b)->B * (*b)->T * (*b)->S; i++)
    (*b)->tokens[i] = bad ? 7 : 1;
  return rc;
}

static int64_t leap; // number of the step whose update goes the wrong way, and far; likewise

double __real_train_schedule_lr(const cfg *c, int64_t step);
double __wrap_train_schedule_lr(const cfg *c, int64_t step);

double __wrap_train_schedule_lr(const cfg *c, int64_t step) {
  return step == leap ? -5.0 : __real_train_schedule_lr(c, step);
}

// How often an event stands in ROOT/name/history.jsonl; *last (=) the last one's sentence.
static int events(small_run *r, const char *name, const char *event, char last[512]) {
  char path[512], line[2048];
  int n = 0;
  snprintf(path, sizeof path, "%s/%s/history.jsonl", r->root, name);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f)) {
    json_t *j = json_loads(line, 0, NULL);
    if (strcmp(json_string_value(json_object_get(j, "event")), event) == 0) {
      const char *words = json_string_value(json_object_get(j, "words"));
      snprintf(last, 512, "%s", words ? words : "");
      n++;
    }
    json_decref(j);
  }
  fclose(f);
  return n;
}

static int64_t manifest_number(small_run *r, const char *folder, const char *key) {
  char path[512];
  json_t *j = NULL;
  snprintf(path, sizeof path, "%s/%s/manifest.json", r->root, folder);
  assert_ok(orr_json_load(path, &j));
  const json_t *v = json_object_get(json_object_get(j, "meta"), key);
  if (!v) v = json_object_get(j, key);
  assert_true(json_is_integer(v));
  const int64_t number = json_integer_value(v);
  json_decref(j);
  return number;
}

static void test_a_batch_that_is_no_number_is_skipped_and_training_goes_on(void **state) {
  small_run *r = *state;
  double plain[SMALL_RUN_STEPS_MAX], loss[SMALL_RUN_STEPS_MAX];
  char words[512];
  dose = (poison){0};
  assert_ok(SMALL_RUN(r, "plain", "none"));
  dose = (poison){8, 8, false};
  assert_ok(SMALL_RUN(r, "nan", "none"));
  assert_int_equal(small_run_losses(r, "plain", plain), 12);
  assert_int_equal(small_run_losses(r, "nan", loss), 12);
  assert_int_equal(events(r, "nan", "skipped", words), 1);
  assert_non_null(strstr(words, "the loss is not finite"));
  assert_non_null(strstr(words, "update skipped, 1 in a row"));
  for (int i = 0; i < 12; i++) {
    if (i < 7) assert_true(loss[i] == plain[i]);
    if (i > 7) assert_true(isfinite(loss[i]) && fabs(loss[i] - plain[i]) < 0.5); // of about 3
  }
}

// One action of one file is no number. Three of the 66 clips, of 4 frames each, hold it.
static void test_actions_of_a_file_that_are_no_numbers_are_skipped_by_name(void **state) {
  small_run *r = *state;
  char path[512], words[512], data[128];
  double loss[SMALL_RUN_STEPS_MAX];
  int64_t clips, again;
  dose = (poison){0};
  small_run_data(r, "bad");
  snprintf(path, sizeof path, "%s/bad/shard-00001.h5", r->root);
  small_run_poison(path, 51, 2, 5);
  assert_ok(data_index_build(small_run_path(r, "bad"), NULL));
  snprintf(data, sizeof data, "data.train=[%s/bad]", r->root);
  assert_ok(SMALL_RUN(r, "file", "none", data, "train.steps=17"));
  const uint64_t steps = small_run_skipped(r, "file", &clips);
  assert_true(steps != 0);
  assert_int_equal(clips, 3);
  assert_int_equal(small_run_losses(r, "file", loss), 17);
  for (int i = 0; i < 17; i++) assert_true(isfinite(loss[i]) || steps >> (i + 1) & 1);
  assert_int_equal(events(r, "file", "skipped", words), __builtin_popcountll(steps));
  // frames of an episode: 8, 9, 10, 8, ..; row 17 + 4 leads to frame 5 of the third one
  assert_non_null(
      strstr(words, "shard-00001.h5: episode 2: /actions[21,0] is nan; update skipped"));
  char *said = small_run_said(r);
  assert_non_null(strstr(said, "shard-00001.h5: episode 2"));
  orr_free(said);
  // The same steps when the run was interrupted on its way.
  assert_ok(SMALL_RUN(r, "parts", "none", data, "train.steps=8"));
  assert_ok(SMALL_RUN(r, "parts", "auto", data, "train.steps=17"));
  assert_true(small_run_skipped(r, "parts", &again) == steps && again == clips);
  // What checks data says that it is an error.
  data_index *x = NULL;
  assert_ok(data_index_open(small_run_path(r, "bad"), &x));
  assert_int_equal(data_verify_shard(x, 1), ORR_EFORMAT);
  assert_message_names("shard-00001.h5", "/actions[21,0]", "nan");
  data_index_close(x);
}

// The model has learned that there is one code only (loss 0.1 at step 30, measured) when a batch of
// another one comes.
static void test_a_batch_unlike_the_others_is_skipped_and_training_goes_on(void **state) {
  small_run *r = *state;
  double loss[SMALL_RUN_STEPS_MAX];
  char words[512];
  dose = (poison){30, 30, true};
  assert_ok(SMALL_RUN(r, "spike", "none", "train.steps=40", "guard.window=8", "guard.z=6"));
  assert_int_equal(small_run_losses(r, "spike", loss), 40);
  assert_int_equal(events(r, "spike", "skipped", words), 1);
  assert_non_null(strstr(words, "the loss is a spike"));
  char *said = small_run_said(r);
  assert_non_null(strstr(said, "step 30: the loss is a spike"));
  orr_free(said);
  assert_true(loss[29] > 10.0 * loss[28]);
  assert_true(loss[30] < 2.0 * loss[28]); // as if nothing had been
}

#define CALM "guard.window=8", "guard.z=6", "optim.decay_steps=0", "guard.rewind_after=6"

// The model has learned that there is one code only when one update throws its weights far off.
// Every batch is a spike then, those of before too.
static void test_weights_that_one_update_ruined_are_repaired_by_training_on(void **state) {
  small_run *r = *state;
  double loss[SMALL_RUN_STEPS_MAX], parts[SMALL_RUN_STEPS_MAX];
  char words[512];
  dose = (poison){1000, 1000, true};
  leap = 30;
  assert_ok(SMALL_RUN(r, "ruined", "none", CALM, "ckpt.every=0", "train.steps=60"));
  assert_int_equal(small_run_losses(r, "ruined", loss), 60);
  assert_true(loss[30] > 10.0 * loss[29]);
  assert_true(loss[31] > 10.0 * loss[29] && loss[32] > 10.0 * loss[29]); // refused, as the first
  assert_true(loss[59] < 2.0 * loss[29]);                                // repaired
  assert_in_range(events(r, "ruined", "accepting", words), 1, 3);
  assert_non_null(strstr(words, "the weights are at fault"));
  // The same to the bit when the run ends and is resumed among the refused steps, after the last
  // of them, and while training repairs.
  static const char *const ends[] = {"train.steps=32", "train.steps=33", "train.steps=36",
                                     "train.steps=40"};
  for (int i = 0; i < 4; i++) assert_ok(SMALL_RUN(r, "cut", "auto", CALM, "ckpt.every=0", ends[i]));
  assert_int_equal(small_run_losses(r, "cut", parts), 40);
  for (int i = 0; i < 40; i++) assert_true(parts[i] == loss[i]);
  // And when it is replayed.
  dist_world *world = NULL;
  assert_ok(dist_world_open(&world));
  const char *const again[] = {CALM, "ckpt.every=0", "train.steps=60", NULL};
  assert_ok(small_replay_world(r, "ruined", 45, 1, again, world));
  assert_int_equal(small_replay_lines(r, "equal"), 45);
  dist_world_close(world);
  leap = 0;
}

// Batches of another kind, one after the other: what was accepted before still is good.
static void test_a_stretch_of_poisoned_batches_is_not_put_down_to_the_weights(void **state) {
  small_run *r = *state;
  double loss[SMALL_RUN_STEPS_MAX];
  char words[512];
  dose = (poison){30, 34, true};
  assert_ok(SMALL_RUN(r, "stretch", "none", CALM, "train.steps=40"));
  assert_int_equal(small_run_losses(r, "stretch", loss), 40);
  assert_int_equal(events(r, "stretch", "skipped", words), 5);
  assert_int_equal(events(r, "stretch", "accepting", words), 0);
  char *said = small_run_said(r);
  assert_non_null(strstr(said, "step 32: batch 25, accepted before with loss"));
  assert_non_null(strstr(said, "the weights are not at fault"));
  orr_free(said);
  assert_true(loss[34] < 2.0 * loss[28]); // as if nothing had been
}

// All data is of another kind from there on, and there is no way back.
static void test_data_that_stays_of_another_kind_is_accepted_in_the_end(void **state) {
  small_run *r = *state;
  double loss[SMALL_RUN_STEPS_MAX];
  char words[512];
  dose = (poison){30, 1000, true};
  assert_ok(SMALL_RUN(r, "other", "none", CALM, "ckpt.every=0", "train.steps=60"));
  assert_int_equal(small_run_losses(r, "other", loss), 60);
  assert_int_equal(events(r, "other", "skipped", words), 6);
  assert_int_equal(events(r, "other", "accepting", words), 1);
  assert_non_null(strstr(words, "6 steps in a row were skipped, and there is no checkpoint"));
  assert_true(loss[59] < 0.5 * loss[29]);
}

// Batches 8 to 10 are poisoned. The run is at step 10 when it gives up, goes back to step 6, the
// last checkpoint before the first bad step, and goes on with batch 11 as its step 7.
static void test_three_bad_steps_in_a_row_send_the_run_back_and_over_the_data(void **state) {
  small_run *r = *state;
  double loss[SMALL_RUN_STEPS_MAX], whole[SMALL_RUN_STEPS_MAX];
  char words[512];
  dose = (poison){8, 10, false};
  assert_ok(SMALL_RUN(r, "back", "none", "guard.rewind_after=3", "train.steps=12"));
  assert_int_equal(small_run_losses(r, "back", loss), 12);
  for (int i = 0; i < 12; i++) assert_true(isfinite(loss[i]));
  assert_int_equal(events(r, "back", "skipped", words), 3);
  assert_int_equal(events(r, "back", "rewound", words), 1);
  assert_string_equal(words,
                      "3 steps in a row were skipped: from step 10 back to step 6, and on with "
                      "data 4 steps further");
  assert_int_equal(manifest_number(r, "back/ckpt/step-00000012", "ahead_steps"), 4);
  assert_int_equal(manifest_number(r, "back/ckpt/step-00000012", "samples"), (12 + 4) * 4);
  // A run that is interrupted after it went back ends in the same weights: the next steps are those
  // of one that was not.
  const char *const longer = "train.steps=15";
  assert_ok(SMALL_RUN(r, "back", "auto", "guard.rewind_after=3", longer));
  assert_ok(SMALL_RUN(r, "whole", "none", "guard.rewind_after=3", longer));
  assert_int_equal(small_run_losses(r, "back", loss), 15);
  assert_int_equal(small_run_losses(r, "whole", whole), 15);
  for (int i = 12; i < 15; i++) assert_true(isfinite(loss[i]));
  // schedules end elsewhere (steps 12 and 15): only steps before either's decay are the same
  for (int i = 0; i < 8; i++) assert_true(loss[i] == whole[i]);
}

static void test_a_run_that_went_back_too_often_ends_with_the_reason(void **state) {
  small_run *r = *state;
  dose = (poison){5, 1000, false};
  const orr_code rc =
      SMALL_RUN(r, "lost", "none", "guard.rewind_after=2", "guard.rewinds=1", "train.steps=12");
  assert_int_equal(rc, ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "went back 1 times already (guard.rewinds)"));
  char words[512];
  assert_int_equal(events(r, "lost", "failed", words), 1);
}

static void test_without_a_checkpoint_the_run_ends_and_says_so(void **state) {
  dose = (poison){5, 1000, false};
  const orr_code rc =
      SMALL_RUN(*state, "bare", "none", "guard.rewind_after=2", "ckpt.every=0", "train.steps=12");
  assert_int_equal(rc, ORR_ENOTFOUND);
  assert_non_null(strstr(orr_status_message(), "there is no checkpoint to go back to"));
}

// Sets a bit of the first token of episode 0 of a shard of the data set, in the file itself.
static void flip_token(const char *path, uint64_t seed) {
  uint16_t row[SMALL_RUN_S];
  char *bytes = NULL;
  size_t size, at = 0;
  for (uint64_t i = 0; i < SMALL_RUN_S; i++)
    row[i] = (uint16_t)orr_rng_below(seed, ORR_STREAM_TEST, 0, i, SMALL_RUN_CODES);
  assert_ok(orr_fs_read_all(path, &bytes, &size));
  while (at + sizeof row <= size && memcmp(bytes + at, row, sizeof row) != 0) at++;
  assert_true(at + sizeof row <= size);
  bytes[at + 1] |= 16;
  assert_ok(orr_fs_write_atomic(path, bytes, size));
  orr_free(bytes);
}

static void test_a_flipped_token_is_for_data_verify_to_judge(void **state) {
  small_run *r = *state;
  char dir[512], shard[512], set[600];
  dose = (poison){0};
  small_run_data(r, "flipped");
  snprintf(dir, sizeof dir, "%s/flipped", r->root);
  assert_ok(data_shard_name_in(dir, 0, shard, sizeof shard));
  flip_token(shard, 50);
  snprintf(set, sizeof set, "data.train=[%s]", dir);
  assert_int_equal(SMALL_RUN(r, "flip", "none", set), ORR_EFORMAT);
  assert_non_null(strstr(orr_status_message(), "/tokens["));
  assert_non_null(strstr(orr_status_message(), "`orrery data verify`"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_batch_that_is_no_number_is_skipped_and_training_goes_on),
      cmocka_unit_test(test_actions_of_a_file_that_are_no_numbers_are_skipped_by_name),
      cmocka_unit_test(test_a_batch_unlike_the_others_is_skipped_and_training_goes_on),
      cmocka_unit_test(test_weights_that_one_update_ruined_are_repaired_by_training_on),
      cmocka_unit_test(test_a_stretch_of_poisoned_batches_is_not_put_down_to_the_weights),
      cmocka_unit_test(test_data_that_stays_of_another_kind_is_accepted_in_the_end),
      cmocka_unit_test(test_three_bad_steps_in_a_row_send_the_run_back_and_over_the_data),
      cmocka_unit_test(test_a_run_that_went_back_too_often_ends_with_the_reason),
      cmocka_unit_test(test_without_a_checkpoint_the_run_ends_and_says_so),
      cmocka_unit_test(test_a_flipped_token_is_for_data_verify_to_judge),
  };
  return cmocka_run_group_tests_name("train/bad_steps", tests, small_run_setup, small_run_teardown);
}
