// labels: quick
// Clips of data sets and mixtures: contents, alignment, order, bad input.
#include "tests/data/shards.h"

#include <math.h>

#include "base/mem.h"
#include "data/clips/clip_batch.h"
#include "data/clips/mix.h"

#define SIDE 8

static void copy_path(char *out, const char *path) {
  snprintf(out, 512, "%s", path);
}

static data_mix_options frame_options(const char *const *dirs, int count, int64_t T,
                                      int64_t stride) {
  return (data_mix_options){.dirs = dirs,
                            .count = count,
                            .kind = DATA_FRAMES,
                            .T = T,
                            .stride = stride,
                            .height = SIDE,
                            .width = SIDE,
                            .A = 3,
                            .state = true};
}

static data_mix_options token_options(const char *const *dirs, int count, int64_t T) {
  return (data_mix_options){.dirs = dirs,
                            .count = count,
                            .kind = DATA_TOKENS,
                            .T = T,
                            .stride = 1,
                            .S = 5,
                            .codes = CODES,
                            .A = 2};
}

// Row `row` is a clip of one episode: its state says which, and everything else must follow from
// it.
static void check_clip(const data_clip_batch *b, int64_t row, int64_t stride) {
  const float *state = b->state + row * b->T * 3;
  int64_t episode = (int64_t)state[0], first = (int64_t)state[1];
  for (int64_t t = 0; t < b->T; t++) {
    int64_t frame = first + t * stride, pixels = SIDE * SIDE * 3;
    const uint8_t *x = b->frames + (row * b->T + t) * pixels;
    const float *a = b->action + (row * b->T + t) * b->A,
                *valid = b->valid + (row * b->T + t) * b->A;
    assert_true(state[t * 3] == (float)episode && state[t * 3 + 1] == (float)frame);
    for (int64_t i = 0; i < pixels; i++) assert_int_equal(x[i], shards_pixel(episode, frame, i));
    if (t == 0) assert_true(a[0] == 0 && a[1] == 0);
    // the frame shows the action that led to it
    if (t > 0) assert_true((uint8_t)((int64_t)a[0] % 256) == x[0] && a[1] == -a[0]);
    assert_true(a[2] == 0 && valid[0] == 1 && valid[1] == 1 && valid[2] == 0);
  }
}

static void test_action_t_led_to_frame_t(void **state) {
  const char *dir = shards_folder("mix-align");
  data_shard_format f = shards_format(SIDE, SIDE, 0);
  shards_data_set(dir, &f, 3, 4, 9);
  for (int64_t stride = 1; stride <= 3; stride++) {
    data_mix_options o = frame_options(&dir, 1, 4, stride);
    data_mix *m = NULL;
    data_clip_batch *b = NULL;
    assert_int_equal(data_mix_open(&o, 1, &m), ORR_OK);
    assert_int_equal(data_mix_state_width(m), 3);
    assert_int_equal(data_clip_batch_create(&o, 1, 3, &b), ORR_OK);
    uint64_t wanted = 0; // one clip for each frame with room
    for (int64_t e = 0; e < 12; e++) wanted += (uint64_t)(9 + e % 3 - 3 * stride);
    assert_true(data_mix_clips(m) == wanted);
    for (uint64_t g = 0; g < wanted; g++) {
      assert_int_equal(data_mix_read(m, g, b, 0), ORR_OK);
      assert_true(b->sample[0] == g);
      check_clip(b, 0, stride);
    }
    data_clip_batch_destroy(b);
    data_mix_close(m);
  }
  orr_fs_remove_tree(dir);
}

static void test_every_clip_comes_once_an_epoch(void **state) {
  const char *dir = shards_folder("mix-epoch");
  data_shard_format f = shards_format(SIDE, SIDE, 0);
  shards_data_set(dir, &f, 3, 4, 9);
  data_mix_options o = frame_options(&dir, 1, 5, 1);
  data_mix *m = NULL;
  data_clip_batch *b = NULL;
  assert_int_equal(data_mix_open(&o, 7, &m), ORR_OK);
  assert_int_equal(data_clip_batch_create(&o, 1, 3, &b), ORR_OK);
  for (uint64_t epoch = 0, n = data_mix_clips(m); epoch < 2; epoch++) {
    int seen[12][12] = {{0}};
    for (uint64_t g = 0; g < n; g++) {
      assert_int_equal(data_mix_read(m, epoch * n + g, b, 0), ORR_OK);
      seen[(int)b->state[0]][(int)b->state[1]]++;
    }
    for (int64_t e = 0; e < 12; e++) {
      for (int64_t t = 0; t < 12; t++) assert_int_equal(seen[e][t], t + 5 <= 9 + e % 3);
    }
  }
  data_clip_batch_destroy(b);
  data_mix_close(m);
  orr_fs_remove_tree(dir);
}

static void test_clips_in_file_order(void **state) {
  const char *dir = shards_folder("mix-file-order");
  data_shard_format f = shards_format(SIDE, SIDE, 0);
  shards_data_set(dir, &f, 2, 2, 6); // episodes of 6, 7, 8, 6 frames
  data_mix_options o = frame_options(&dir, 1, 6, 1);
  static const int places[][2] = {{0, 0}, {1, 0}, {1, 1}, {2, 0}, {2, 1}, {2, 2}, {3, 0}};
  data_mix *m = NULL;
  data_clip_batch *b = NULL;
  assert_int_equal(data_mix_open(&o, 7, &m), ORR_OK);
  assert_int_equal(data_clip_batch_create(&o, 2, 3, &b), ORR_OK);
  assert_true(data_mix_clips(m) == 7);
  for (int i = 6; i >= 0; i--) {
    assert_int_equal(data_mix_read_clip(m, 0, (uint64_t)i, b, 1), ORR_OK);
    assert_true(b->state[6 * 3] == places[i][0] && b->state[6 * 3 + 1] == places[i][1]);
    check_clip(b, 1, 1);
  }
  assert_int_equal(data_mix_read_clip(m, 0, 7, b, 0), ORR_EINVAL);
  assert_message_names(dir, "clip 7", "has 7");
  assert_int_equal(data_mix_read_clip(m, 1, 0, b, 0), ORR_EINVAL);
  data_clip_batch_destroy(b);
  data_mix_close(m);
  orr_fs_remove_tree(dir);
}

static void test_mixture_keeps_its_shares_and_branches(void **state) {
  char dirs[2][512];
  copy_path(dirs[0], shards_folder("mix-share-a"));
  copy_path(dirs[1], shards_folder("mix-share-b"));
  const char *const list[] = {dirs[0], dirs[1]};
  data_shard_format f = shards_format(0, 0, 5);
  shards_data_set(dirs[0], &f, 1, 3, 9);
  shards_data_set(dirs[1], &f, 2, 5, 12);
  data_mix_options o = token_options(list, 2, 4);
  o.branch_ids = (const int32_t[]){4, 2};
  for (int by_weight = 0; by_weight < 2; by_weight++) {
    data_mix *m = NULL;
    data_clip_batch *b = NULL;
    int64_t given[2] = {0};
    o.weights = by_weight ? (const double[]){0.8, 0.2} : NULL;
    assert_int_equal(data_mix_open(&o, 7, &m), ORR_OK);
    assert_int_equal(data_clip_batch_create(&o, 1, 0, &b), ORR_OK);
    double share = by_weight ? 0.8 : (6 + 7 + 8) / (double)data_mix_clips(m);
    for (uint64_t g = 0; g < 2 * data_mix_clips(m); g++) {
      assert_int_equal(data_mix_read(m, g, b, 0), ORR_OK);
      assert_true(b->branch[0] == 4 || b->branch[0] == 2);
      given[b->branch[0] == 2]++;
      assert_true(fabs((double)given[0] - share * (double)(g + 1)) < 1 + 1e-9);
    }
    data_clip_batch_destroy(b);
    data_mix_close(m);
  }
  orr_fs_remove_tree(dirs[0]);
  orr_fs_remove_tree(dirs[1]);
}

static void test_what_does_not_fit_is_named(void **state) {
  char pixels[512], codes[512];
  copy_path(pixels, shards_folder("mix-frames"));
  copy_path(codes, shards_folder("mix-tokens"));
  const char *const p = pixels, *const c = codes;
  data_shard_format f = shards_format(SIDE, SIDE, 0), g = shards_format(0, 0, 5);
  shards_data_set(pixels, &f, 1, 3, 9);
  shards_data_set(codes, &g, 1, 3, 9);
  data_mix *m = NULL;
  data_mix_options o = frame_options(&p, 1, 4, 1);
  o.height = 16;
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_EINVAL);
  assert_message_names(pixels, "8 x 8", "16 x 8", "; ");
  o = frame_options(&p, 1, 4, 1);
  o.A = 1;
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_EINVAL);
  assert_message_names(pixels, "2 action", "at most 1", "model.actions");
  o = frame_options(&p, 1, 12, 1); // the longest episode has 11
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_EINVAL);
  assert_message_names(pixels, "12 frames", "; ");
  o = frame_options(&c, 1, 4, 1);
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_EINVAL);
  assert_message_names(codes, "tokens only", "; ");
  o = token_options(&p, 1, 4);
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_EINVAL);
  assert_message_names(pixels, "frames only", "tokenize");
  o = token_options(&c, 1, 4);
  o.S = 64;
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_EINVAL);
  assert_message_names(codes, "5 tokens", "64", "; ");
  o = token_options(&c, 1, 4);
  o.codes = 512;
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_EINVAL);
  assert_message_names(codes, "900 codes", "512", "; ");
  orr_fs_remove_tree(pixels);
  orr_fs_remove_tree(codes);
}

static void test_folders_that_are_no_data_set_are_named(void **state) {
  const char *dir = shards_folder("mix-empty");
  data_mix_options o = frame_options(&dir, 1, 4, 1);
  data_mix *m = NULL;
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_ENOTFOUND);
  assert_message_names(dir, "index.json", "; ");
  const char *nowhere = "/nowhere/at/all";
  o.dirs = &nowhere;
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_ENOTFOUND);
  assert_message_names(nowhere, "no such folder");
  o.count = 0;
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_EINVAL);
  assert_message_names("no data set", "data.train");
  orr_fs_remove_tree(dir);
}

static void test_shard_changed_behind_the_index_is_named(void **state) {
  const char *dir = shards_folder("mix-changed");
  data_shard_format f = shards_format(SIDE, SIDE, 0), g = shards_format(SIDE, SIDE, 0);
  shards_data_set(dir, &f, 1, 3, 9);
  data_mix_options o = frame_options(&dir, 1, 4, 1);
  data_mix *m = NULL;
  data_clip_batch *b = NULL;
  char path[1024];
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "shard-00000.h5"), ORR_OK);
  assert_int_equal(data_clip_batch_create(&o, 1, 3, &b), ORR_OK);
  assert_int_equal(data_mix_open(&o, 1, &m), ORR_OK);
  g.fps = 25;
  assert_int_equal(shards_write(path, &g, DATA_FILTER_NONE, 0, (int64_t[]){9, 10, 11}, 3, 0),
                   ORR_OK);
  assert_int_equal(data_mix_read(m, 0, b, 0), ORR_EINVAL);
  assert_message_names(path, "fps is 25", "10", "; ");
  assert_int_equal(shards_write(path, &f, DATA_FILTER_NONE, 0, (int64_t[]){9, 10, 12}, 3, 0),
                   ORR_OK);
  assert_int_equal(data_mix_read(m, 0, b, 0), ORR_EFORMAT);
  assert_message_names(path, "index", "; ");
  unlink(path);
  assert_int_equal(data_mix_read(m, 0, b, 0), ORR_ENOTFOUND);
  assert_message_names(path);
  data_mix_close(m);
  data_clip_batch_destroy(b);
  orr_fs_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_action_t_led_to_frame_t),
      cmocka_unit_test(test_every_clip_comes_once_an_epoch),
      cmocka_unit_test(test_clips_in_file_order),
      cmocka_unit_test(test_mixture_keeps_its_shares_and_branches),
      cmocka_unit_test(test_what_does_not_fit_is_named),
      cmocka_unit_test(test_folders_that_are_no_data_set_are_named),
      cmocka_unit_test(test_shard_changed_behind_the_index_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
