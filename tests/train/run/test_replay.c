// labels: full; wrap: data_loader_next
// Recorded steps trained again: equal to the bit whatever the run went through, and a difference is
// put down to what made it. This program stands between training and data_loader_next (linked with
// --wrap) to poison batches.
#include "tests/train/small_replay.h"

#include "base/hash.h"
#include "data/clips/clip_batch.h"
#include "data/clips/loader.h"

// Numbers of batches of the data's order, from 1, that hold an action that is no number.
typedef struct {
  int64_t first, last;
} poison;
static poison dose; // the wrapped function's signature leaves no other way in

orr_code __real_data_loader_next(data_loader *l, const data_clip_batch **b, double *wait_ms);
orr_code __wrap_data_loader_next(data_loader *l, const data_clip_batch **b, double *wait_ms);

orr_code __wrap_data_loader_next(data_loader *l, const data_clip_batch **b, double *wait_ms) {
  const orr_code rc = __real_data_loader_next(l, b, wait_ms);
  if (rc != ORR_OK) return rc;
  const int64_t number = 1 + (int64_t)(*b)->sample[0] / (*b)->B; // one rank: B is the batch
  if (number >= dose.first && number <= dose.last) (*b)->action[(*b)->A] = NAN;
  return rc;
}

static orr_code replay(small_run *r, const char *name, int64_t step, int64_t passes,
                       const char *const *more) {
  dist_world *world = NULL;
  assert_ok(dist_world_open(&world));
  const orr_code rc = small_replay_world(r, name, step, passes, more, world);
  dist_world_close(world);
  return rc;
}
#define REPLAY(r, name, step, passes, ...)                                                         \
  replay(r, name, step, passes, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static orr_hash128 files_of(small_run *r, const char *name) {
  static const char *const files[] = {"record.jsonl", "metrics.jsonl", "history.jsonl",
                                      "ckpt/latest"};
  orr_hash128 all[4];
  char path[512];
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/%s", name, files[i]);
    assert_ok(orr_hash_file(small_run_path(r, path), &all[i], NULL));
  }
  return orr_hash_bytes(all, sizeof all);
}

static void test_steps_come_out_the_same_and_nothing_is_written(void **state) {
  small_run *r = *state;
  assert_ok(SMALL_RUN(r, "plain", "none"));
  const orr_hash128 before = files_of(r, "plain");
  assert_ok(REPLAY(r, "plain", 2, 1)); // from the initial weights
  assert_int_equal(small_replay_lines(r, "equal"), 2);
  assert_ok(REPLAY(r, "plain", 12, 2)); // from step 9, twice
  assert_int_equal(small_replay_lines(r, "equal"), 6);
  assert_ok(REPLAY(r, "plain", 4, 1)); // right after a checkpoint
  assert_int_equal(small_replay_lines(r, "equal"), 1);
  assert_true(orr_hash_equal(files_of(r, "plain"), before));
}

static void test_a_skipped_step_is_repeated_as_one(void **state) {
  small_run *r = *state;
  dose = (poison){8, 8};
  assert_ok(SMALL_RUN(r, "nan", "none"));
  assert_ok(REPLAY(r, "nan", 9, 1));
  assert_int_equal(small_replay_lines(r, "skipped, equal"), 1);
  assert_int_equal(small_replay_lines(r, "equal"), 3);
  dose = (poison){0};
}

// The run is at step 10 when it goes back to step 6, and on with data 4 steps further.
static void test_a_run_that_went_back_is_repeated_on_the_data_that_it_went_on_with(void **state) {
  small_run *r = *state;
  dose = (poison){8, 10};
  assert_ok(SMALL_RUN(r, "back", "none", "guard.rewind_after=3"));
  dose = (poison){0};
  assert_ok(REPLAY(r, "back", 8, 1, "guard.rewind_after=3"));
  assert_int_equal(small_replay_lines(r, "equal"), 2);
  assert_ok(REPLAY(r, "back", 12, 1, "guard.rewind_after=3"));
  assert_int_equal(small_replay_lines(r, "equal"), 3);
}

static void test_a_run_that_was_resumed_is_repeated_as_it_went_last(void **state) {
  small_run *r = *state;
  assert_ok(SMALL_RUN(r, "resumed", "none", "train.steps=8"));
  char path[128];
  snprintf(path, sizeof path, "%s/resumed/ckpt/step-00000006", r->root);
  assert_ok(SMALL_RUN(r, "resumed", path)); // steps 7 and 8 were trained twice
  assert_ok(REPLAY(r, "resumed", 7, 1));
  assert_int_equal(REPLAY(r, "resumed", 5, 1), ORR_ECONFIG);
  small_replay_says("step 4 was trained with another configuration: train.steps: 8 -> 12");
}

static void test_a_file_that_is_full_gives_way_to_a_new_one(void **state) {
  small_run *r = *state;
  uint64_t bytes;
  const char *const few = "guard.record_bytes=6000";
  assert_ok(SMALL_RUN(r, "bounded", "none", few, "train.steps=60"));
  assert_ok(orr_fs_size(small_run_path(r, "bounded/record.1.jsonl"), &bytes));
  assert_in_range(bytes, 6000, 6300); // and the line that filled it
  assert_ok(orr_fs_size(small_run_path(r, "bounded/record.jsonl"), &bytes));
  assert_true(bytes < 6000);
  assert_ok(REPLAY(r, "bounded", 60, 1, few, "train.steps=60"));
  assert_int_equal(small_replay_lines(r, "equal"), 3);
  assert_int_equal(REPLAY(r, "bounded", 2, 1, few, "train.steps=60"), ORR_ENOTFOUND);
  small_replay_says("wanted from step 1 on");
}

static void test_steps_between_records_are_repeated_too(void **state) {
  small_run *r = *state;
  const char *const some = "guard.record_every=4";
  assert_ok(SMALL_RUN(r, "some", "none", some));
  assert_ok(REPLAY(r, "some", 8, 1, some));
  assert_int_equal(small_replay_lines(r, "not recorded"), 1);
  assert_int_equal(small_replay_lines(r, "equal"), 1);
  assert_int_equal(REPLAY(r, "some", 11, 1, some), ORR_ENOTFOUND);
  small_replay_says("none of steps 10 to 11");
  assert_ok(SMALL_RUN(r, "none", "none", "guard.record_every=0"));
  assert_int_equal(REPLAY(r, "none", 8, 1), ORR_ENOTFOUND);
  small_replay_says("no step is recorded");
}

static void test_data_that_changed_are_named_as_data(void **state) {
  small_run *r = *state;
  char path[512];
  assert_ok(SMALL_RUN(r, "data", "none"));
  snprintf(path, sizeof path, "%s/tokens/shard-00001.h5", r->root);
  small_run_shard(path, 77, SMALL_RUN_CODES, 6); // in the place of the one with seed 51
  snprintf(path, sizeof path, "%s/tokens", r->root);
  assert_ok(data_index_build(path, NULL));
  assert_int_equal(REPLAY(r, "data", 9, 2), ORR_EDIFFERS);
  small_replay_says("2 of 2 passes differ");
  small_replay_says("the batch differs; the data changed since: not the hardware");
  small_run_data(r, "tokens"); // as they were
  assert_ok(REPLAY(r, "data", 9, 1));
}

static void test_what_gives_other_bits_is_refused(void **state) {
  small_run *r = *state;
  assert_ok(SMALL_RUN(r, "bits", "none"));
  assert_int_equal(REPLAY(r, "bits", 8, 1, "train.micro_batch=2"), ORR_ECONFIG);
  small_replay_says("step 7 was trained with train.micro_batch 0, here it is 2");
  assert_int_equal(REPLAY(r, "bits", 8, 1, "optim.lr_peak=0.02"), ORR_ECONFIG);
  small_replay_says("optim.lr_peak: 0.01 -> 0.02");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_steps_come_out_the_same_and_nothing_is_written),
      cmocka_unit_test(test_a_skipped_step_is_repeated_as_one),
      cmocka_unit_test(test_a_run_that_went_back_is_repeated_on_the_data_that_it_went_on_with),
      cmocka_unit_test(test_a_run_that_was_resumed_is_repeated_as_it_went_last),
      cmocka_unit_test(test_a_file_that_is_full_gives_way_to_a_new_one),
      cmocka_unit_test(test_steps_between_records_are_repeated_too),
      cmocka_unit_test(test_data_that_changed_are_named_as_data),
      cmocka_unit_test(test_what_gives_other_bits_is_refused),
  };
  return cmocka_run_group_tests_name("train/repeat", tests, small_run_setup, small_run_teardown);
}
