// labels: quick
// The windows that an evaluation takes: spread over all that a data set holds, fixed by the seed.
#include "tests/data/shards.h"

#include <string.h>

#include "data/set/windows.h"

// count[c] of `clips`: how often a window of some seed is clip c.
static void draw(int64_t clips, int64_t count, uint64_t seed, int64_t *out) {
  for (int64_t i = 0; i < count; i++) out[i] = data_windows_clip(clips, count, seed, i);
}

static void test_one_window_lies_in_each_equal_portion(void **state) {
  for (uint64_t seed = 0; seed < 50; seed++) {
    int64_t at[7];
    draw(1000, 7, seed, at);
    for (int64_t i = 0; i < 7; i++)
      assert_true(at[i] >= 1000 * i / 7 && at[i] < 1000 * (i + 1) / 7);
  }
}

static void test_all_clips_are_taken_once_where_as_many_are_wanted(void **state) {
  int64_t at[11];
  draw(11, 11, 3, at);
  for (int64_t i = 0; i < 11; i++) assert_int_equal(at[i], i);
  draw(11, 10, 3, at); // portions of one clip, and one of two
  for (int64_t i = 1; i < 10; i++) assert_true(at[i] > at[i - 1]);
}

static void
test_every_clip_of_a_portion_is_drawn_by_some_seed_and_one_seed_draws_the_same(void **state) {
  bool drawn[30] = {0};
  int64_t a[3], b[3];
  for (uint64_t seed = 0; seed < 400; seed++) { // a clip is missed with (9/10)^400 < 1e-18
    draw(30, 3, seed, a);
    for (int i = 0; i < 3; i++) drawn[a[i]] = true;
  }
  for (int c = 0; c < 30; c++) assert_true(drawn[c]);
  draw(1000000, 3, 7, a);
  draw(1000000, 3, 7, b);
  assert_memory_equal(a, b, sizeof a);
  draw(1000000, 3, 8, b);
  assert_memory_not_equal(a, b, sizeof a);
}

static void test_counts_beyond_32_bits_do_not_overflow(void **state) {
  const int64_t clips = INT64_C(1) << 60, count = 1000000,
                last = data_windows_clip(clips, count, 1, count - 1);
  assert_true(last < clips && last >= clips - clips / count - 1);
}

static void test_clips_are_counted_over_all_shards(void **state) {
  const data_shard_format f = shards_format(0, 0, 4);
  const char *dir = shards_folder("windows");
  data_index *x = NULL;
  shards_data_set(dir, &f, 3, 3, 10); // episodes of 10, 11 and 12 frames
  assert_int_equal(data_index_build(dir, NULL), ORR_OK);
  assert_int_equal(data_index_open(dir, &x), ORR_OK);
  assert_int_equal(data_windows_clips(x, 10, 1), 3 * (1 + 2 + 3));
  assert_int_equal(data_windows_clips(x, 4, 3), 3 * (1 + 2 + 3)); // the same span
  assert_int_equal(data_windows_clips(x, 13, 1), 0);
  data_index_close(x);
  folder_remove(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_window_lies_in_each_equal_portion),
      cmocka_unit_test(test_all_clips_are_taken_once_where_as_many_are_wanted),
      cmocka_unit_test(
          test_every_clip_of_a_portion_is_drawn_by_some_seed_and_one_seed_draws_the_same),
      cmocka_unit_test(test_counts_beyond_32_bits_do_not_overflow),
      cmocka_unit_test(test_clips_are_counted_over_all_shards),
  };
  return cmocka_run_group_tests_name("data/set/windows", tests, NULL, NULL);
}
