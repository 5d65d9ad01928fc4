// labels: quick faults; needs: hdf5
// Sweeps: the n-th malloc, open, read, write, fsync, rename fails while a shard and its index are
// written and while they are read. A clean error each time, no leak (the dev preset's ASan looks),
// and the data set that was there before still reads.
#include "tests/data/h5_leaks.h"

#include "base/fault.h"
#include "data/clips/clip_batch.h"
#include "data/clips/loader.h"
#include "data/clips/mix.h"
#include "data/set/verify.h"

static const char *const kinds[ORR_FAULT_KINDS] = {
    [ORR_FAULT_MALLOC] = "malloc", [ORR_FAULT_OPEN] = "open",   [ORR_FAULT_READ] = "read",
    [ORR_FAULT_WRITE] = "write",   [ORR_FAULT_FSYNC] = "fsync", [ORR_FAULT_RENAME] = "rename",
    [ORR_FAULT_HTTP] = "http",
};

typedef orr_code (*action)(const char *dir);

// Fails the 1st, 2nd, ... call of a kind until the action no longer meets the fault. Returns how
// many did.
static int64_t sweep(orr_fault_kind kind, action act, const char *dir,
                     void (*check)(const char *dir)) {
  for (int64_t n = 1; n < 5000; n++) {
    orr_status_clear();
    h5_mark mark = h5_mark_make();
    orr_fault_arm(kind, n);
    orr_code rc = act(dir);
    bool fired = orr_fault_fired(kind);
    orr_fault_arm(kind, 0);
    assert_h5_holds_nothing_since(mark);
    if (!fired) {
      assert_int_equal(rc, ORR_OK);
      return n - 1;
    }
    if (rc == ORR_OK) fail_msg("%s number %d failed and nobody noticed", kinds[kind], (int)n);
    assert_true(orr_status_message()[0] != 0);
    check(dir);
  }
  fail_msg("the sweep over %s never ended", kinds[kind]);
  return 0;
}

static void shard_path(char *out, const char *dir) {
  assert_int_equal(orr_fs_join(out, 1024, dir, "shard-00000.h5"), ORR_OK);
}

// A shard of several chunks, twice as long as the one that was there before.
static orr_code write_shard(const char *dir) {
  const int64_t lengths[] = {60, 60, 60};
  data_shard_format f = shards_format(32, 64, 5);
  char path[1024];
  shard_path(path, dir);
  return shards_write(path, &f, DATA_FILTER_NONE, 0, lengths, 3, 11);
}

static void old_shard_reads(const char *dir) {
  data_shard *s = NULL;
  char path[1024], temporary[1100];
  uint8_t frame[32 * 64 * 3];
  shard_path(path, dir);
  snprintf(temporary, sizeof temporary, "%s.tmp", path);
  assert_false(orr_fs_exists(temporary));
  assert_int_equal(data_shard_open(path, &s), ORR_OK);
  // the fsync of the folder comes last: then the new shard is there already
  assert_true(data_shard_frames(s) == 90 || data_shard_frames(s) == 180);
  assert_int_equal(data_shard_read_frames(s, 59, 1, 1, frame), ORR_OK);
  assert_int_equal(frame[5], shards_pixel(data_shard_frames(s) == 90 ? 1 : 0,
                                          data_shard_frames(s) == 90 ? 29 : 59, 5));
  data_shard_close(s);
}

static void old_data_set(const char *dir, data_filter filter) {
  const int64_t lengths[] = {30, 30, 30};
  data_shard_format f = shards_format(32, 64, 5);
  char path[1024];
  shard_path(path, dir);
  assert_int_equal(shards_write(path, &f, filter, 0, lengths, 3, 0), ORR_OK);
  assert_int_equal(data_index_build(dir, NULL), ORR_OK);
}

static void test_failing_writer_leaves_the_old_shard(void **state) {
  static const orr_fault_kind swept[] = {ORR_FAULT_MALLOC, ORR_FAULT_OPEN, ORR_FAULT_WRITE,
                                         ORR_FAULT_FSYNC, ORR_FAULT_RENAME};
  const char *dir = shards_folder("faults-write");
  for (size_t i = 0; i < sizeof swept / sizeof swept[0]; i++) {
    old_data_set(dir, DATA_FILTER_NONE);
    int64_t failed = sweep(swept[i], write_shard, dir, old_shard_reads);
    print_message("%s: %d faults\n", kinds[swept[i]], (int)failed);
    assert_true(failed >= 1);
  }
  orr_fs_remove_tree(dir);
}

static orr_code build_index(const char *dir) {
  return data_index_build(dir, NULL);
}

static void data_set_is_whole(const char *dir) {
  data_index *x = NULL;
  assert_int_equal(data_index_open(dir, &x), ORR_OK);
  assert_int_equal(data_verify_shard(x, 0), ORR_OK);
  data_index_close(x);
}

static void test_failing_index_leaves_the_old_one(void **state) {
  static const orr_fault_kind swept[] = {ORR_FAULT_MALLOC, ORR_FAULT_OPEN,  ORR_FAULT_READ,
                                         ORR_FAULT_WRITE,  ORR_FAULT_FSYNC, ORR_FAULT_RENAME};
  const char *dir = shards_folder("faults-index");
  old_data_set(dir, DATA_FILTER_NONE);
  for (size_t i = 0; i < sizeof swept / sizeof swept[0]; i++) {
    assert_true(sweep(swept[i], build_index, dir, data_set_is_whole) >= 1);
  }
  orr_fs_remove_tree(dir);
}

static orr_code read_batches(const char *dir) {
  data_mix_options o = {.dirs = &dir,
                        .count = 1,
                        .kind = DATA_FRAMES,
                        .T = 8,
                        .stride = 2,
                        .height = 32,
                        .width = 64,
                        .A = 2,
                        .state = true};
  data_loader_options lo = {.batch = 3, .ranks = 1, .prefetch = 2, .workers = 2};
  data_mix *m = NULL;
  data_loader *l = NULL;
  const data_clip_batch *b = NULL;
  orr_code rc = data_mix_open(&o, 1, &m);
  if (rc == ORR_OK) rc = data_loader_create(m, &o, &lo, &l);
  for (int i = 0; rc == ORR_OK && i < 4; i++) rc = data_loader_next(l, &b, NULL);
  data_loader_destroy(l);
  data_mix_close(m);
  return rc;
}

static orr_code read_batches_in_turn(const char *dir) {
  data_mix_options o = {.dirs = &dir,
                        .count = 1,
                        .kind = DATA_FRAMES,
                        .T = 8,
                        .stride = 2,
                        .height = 32,
                        .width = 64,
                        .A = 2,
                        .state = true};
  data_mix *m = NULL;
  data_clip_batch *b = NULL;
  orr_code rc = data_mix_open(&o, 1, &m);
  if (rc == ORR_OK) rc = data_clip_batch_create(&o, 1, 3, &b);
  for (uint64_t g = 0; rc == ORR_OK && g < 6; g++) rc = data_mix_read(m, g, b, 0);
  data_clip_batch_destroy(b);
  data_mix_close(m);
  return rc;
}

static void test_failing_reader_says_so_and_goes_on_later(void **state) {
  static const orr_fault_kind swept[] = {ORR_FAULT_MALLOC, ORR_FAULT_OPEN, ORR_FAULT_READ};
  const char *dir = shards_folder("faults-read");
  for (int filter = DATA_FILTER_NONE; filter <= DATA_FILTER_LZF; filter++) {
    old_data_set(dir, (data_filter)filter);
    for (size_t i = 0; i < sizeof swept / sizeof swept[0]; i++) {
      assert_true(sweep(swept[i], read_batches_in_turn, dir, data_set_is_whole) >= 1);
    }
  }
  orr_fs_remove_tree(dir);
}

static void test_failing_loader_neither_hangs_nor_leaks(void **state) {
  const char *dir = shards_folder("faults-loader");
  // The reader thread may be ahead of what was asked for, so a fault may pass unnoticed there: each
  // must end, with or without its error.
  for (int i = 0; i < 2 * (ORR_FAULT_READ - ORR_FAULT_MALLOC + 1); i++) {
    const int kind = ORR_FAULT_MALLOC + i / 2;
    old_data_set(dir, i % 2 ? DATA_FILTER_GZIP : DATA_FILTER_NONE);
    for (int64_t n = 1; n < 60; n++) {
      orr_fault_arm((orr_fault_kind)kind, n);
      orr_status_clear();
      orr_code rc = read_batches(dir);
      orr_fault_arm((orr_fault_kind)kind, 0);
      assert_true(rc == ORR_OK || orr_status_message()[0] != 0);
    }
  }
  assert_int_equal(read_batches(dir), ORR_OK);
  orr_fs_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_failing_writer_leaves_the_old_shard),
      cmocka_unit_test(test_failing_index_leaves_the_old_one),
      cmocka_unit_test(test_failing_reader_says_so_and_goes_on_later),
      cmocka_unit_test(test_failing_loader_neither_hangs_nor_leaks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
