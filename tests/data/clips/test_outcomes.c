// labels: quick
// What came of actions, as frames know it: shifted to the frames that actions led to, over strides,
// at the ends of episodes; and in batches beside the clips.
#include "tests/data/shards.h"

#include <math.h>

#include "data/clips/mix.h"
#include "data/shard/outcomes.h"

// Three episodes of 6, 4 and 1 frames. Frame t of the shard earns 10^-2 (t + 1).
enum { EPISODES = 3, FRAMES = 11 };
static const int64_t lengths[EPISODES] = {6, 4, 1};

typedef struct {
  bool reward, done, success;
  int ends[EPISODES];    // the row that says done; -1 = none
  uint8_t won[EPISODES]; // whether it succeeded
} told;

static void write_told(const char *path, const told *w) {
  data_shard_format f = shards_format(0, 0, 5);
  data_shard_writer *x = NULL;
  f.Q = 0, f.reward = w->reward, f.done = w->done, f.success = w->success;
  assert_int_equal(data_shard_writer_create(path, &f, DATA_FILTER_NONE, &x), ORR_OK);
  for (int e = 0, at = 0; e < EPISODES; at += (int)lengths[e++]) {
    int32_t tokens[6 * 5] = {0};
    float actions[6 * 2] = {0}, reward[6];
    uint8_t done[6] = {0};
    for (int t = 0; t < lengths[e]; t++) reward[t] = 0.01f * (float)(at + t + 1);
    if (w->ends[e] >= 0) done[w->ends[e]] = 1;
    const data_shard_rows rows = {.n = lengths[e],
                                  .tokens = tokens,
                                  .actions = actions,
                                  .reward = f.reward ? reward : NULL,
                                  .done = f.done ? done : NULL};
    assert_int_equal(data_shard_writer_append(x, &rows), ORR_OK);
    if (f.success) assert_int_equal(data_shard_writer_set_success(x, w->won[e]), ORR_OK);
    assert_int_equal(data_shard_writer_end_episode(x), ORR_OK);
  }
  assert_int_equal(data_shard_writer_finish(x), ORR_OK);
  data_shard_writer_destroy(x);
}

// Episode 0 ends in its row 3, so that frame 4 is done; episode 1 in its last row, which leads to
// no frame.
static const told all = {true, true, true, {3, 3, -1}, {1, 0, 1}};

static data_outcomes outcomes_of(const char *dir, const told *w) {
  char path[1024];
  data_shard *s = NULL;
  data_outcomes o;
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "x.h5"), ORR_OK);
  write_told(path, w);
  assert_int_equal(data_shard_open(path, &s), ORR_OK);
  assert_int_equal(data_outcomes_read(s, &o), ORR_OK);
  data_shard_close(s);
  return o;
}

static void expect(const float *got, const float *want, int n) {
  for (int i = 0; i < n; i++)
    if (isnan(want[i]) ? !isnan(got[i]) : fabsf(got[i] - want[i]) > 1e-6f)
      fail_msg("frame %d: %g, wanted %g", i, (double)got[i], (double)want[i]);
}

static void test_frames_know_what_led_to_them(void **state) {
  const char *dir = shards_folder("outcomes");
  data_outcomes o = outcomes_of(dir, &all);
  float reward[6], done[6], progress[6];
  data_outcomes_clip(&o, 0, 6, 1, reward, done, progress);
  expect(reward, (const float[]){NAN, 0.01f, 0.02f, 0.03f, 0.04f, 0.05f}, 6);
  expect(done, (const float[]){NAN, 0, 0, 0, 1, 1}, 6);
  expect(progress, (const float[]){0, 0.25f, 0.5f, 0.75f, 1, 1}, 6);
  data_outcomes_clip(&o, 6, 4, 1, reward, done, progress); // failed, and over in its last frame
  expect(reward, (const float[]){NAN, 0.07f, 0.08f, 0.09f}, 4);
  expect(done, (const float[]){NAN, 0, 0, 1}, 4);
  expect(progress, (const float[]){0, 0, 0, 0}, 4);
  data_outcomes_clip(&o, 1, 3, 2, reward, done, progress); // frames 1, 3, 5
  expect(reward, (const float[]){NAN, 0.05f, 0.09f}, 3);
  expect(done, (const float[]){NAN, 0, 1}, 3);
  data_outcomes_clip(&o, 10, 1, 1, reward, done, progress); // an episode of one frame
  expect(progress, (const float[]){0}, 1);
  data_outcomes_release(&o);
  orr_fs_remove_tree(dir);
}

static void test_what_a_shard_does_not_say_is_not_known(void **state) {
  const char *dir = shards_folder("outcomes-none");
  const told success_alone = {false, false, true, {-1, -1, -1}, {1, 1, 0}};
  data_outcomes o = outcomes_of(dir, &success_alone);
  float reward[6], done[6], progress[6];
  data_outcomes_clip(&o, 0, 6, 1, reward, done, progress);
  expect(reward, (const float[]){NAN, NAN, NAN, NAN, NAN, NAN}, 6);
  expect(done, (const float[]){NAN, NAN, NAN, NAN, NAN, NAN}, 6);
  expect(progress, (const float[]){0, 0.2f, 0.4f, 0.6f, 0.8f, 1}, 6); // in its last frame
  data_outcomes_release(&o);
  orr_fs_remove_tree(dir);
}

// A mixture of a set that says all and one that says nothing.
static void test_batches_carry_outcomes_beside_their_clips(void **state) {
  char root[512], told_dir[600], silent[600], path[1024];
  snprintf(root, sizeof root, "%s", shards_folder("outcomes-batch"));
  snprintf(told_dir, sizeof told_dir, "%s/told", root);
  snprintf(silent, sizeof silent, "%s/silent", root);
  const told nothing = {.ends = {-1, -1, -1}};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(orr_fs_mkdirs(i ? silent : told_dir), ORR_OK);
    assert_int_equal(data_shard_name_in(i ? silent : told_dir, 0, path, sizeof path), ORR_OK);
    write_told(path, i ? &nothing : &all);
    assert_int_equal(data_index_build(i ? silent : told_dir, NULL), ORR_OK);
  }
  const char *const dirs[] = {told_dir, silent};
  const int32_t branches[] = {0, 0};
  const data_mix_options o = {.dirs = dirs,
                              .branch_ids = branches,
                              .count = 2,
                              .kind = DATA_TOKENS,
                              .T = 3,
                              .stride = 1,
                              .S = 5,
                              .codes = CODES,
                              .A = 2,
                              .outcomes = true};
  data_mix *m = NULL;
  data_clip_batch *b = NULL;
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_OK);
  assert_int_equal(data_clip_batch_create(&o, 2, 0, &b), ORR_OK);
  assert_int_equal(data_mix_read_clip(m, 0, 2, b, 1), ORR_OK); // frames 2, 3, 4 of episode 0
  assert_int_equal(data_mix_read_clip(m, 1, 2, b, 0), ORR_OK);
  expect(b->reward, (const float[]){NAN, NAN, NAN, NAN, 0.03f, 0.04f}, 6);
  expect(b->done, (const float[]){NAN, NAN, NAN, NAN, 0, 1}, 6);
  expect(b->progress, (const float[]){NAN, NAN, NAN, 0.5f, 0.75f, 1}, 6);
  data_clip_batch_destroy(b);
  data_mix_close(m);
  orr_fs_remove_tree(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_frames_know_what_led_to_them),
      cmocka_unit_test(test_what_a_shard_does_not_say_is_not_known),
      cmocka_unit_test(test_batches_carry_outcomes_beside_their_clips),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
