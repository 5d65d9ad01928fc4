// labels: quick
// Packed shards: chunks unpacked by worker threads give what plain shards give; damage is named;
// memory and counters are as promised.
#include "tests/data/shards.h"

#include <fcntl.h>

#include "base/rng.h"
#include "data/clips/clip_batch.h"
#include "data/clips/loader.h"
#include "data/clips/mix.h"
#include "data/shard/lzf.h"

enum { SIDE_H = 32, SIDE_W = 64, PIXELS = SIDE_H * SIDE_W * 3, S = 5, EPISODES = 6, SHARDS = 3 };

static data_mix_options options(const char *const *dir, data_kind kind, int64_t stride) {
  return (data_mix_options){.dirs = dir,
                            .count = 1,
                            .kind = kind,
                            .T = 8,
                            .stride = stride,
                            .height = SIDE_H,
                            .width = SIDE_W,
                            .S = S,
                            .codes = CODES,
                            .A = 2,
                            .state = true};
}

// Frames of 6 KiB: 64 a chunk, and three chunks a shard.
static void make_set(const char *dir, data_filter filter) {
  const data_shard_format f = shards_format(SIDE_H, SIDE_W, S);
  const int64_t lengths[EPISODES] = {30, 31, 32, 30, 31, 32};
  for (int s = 0; s < SHARDS; s++) {
    char path[1024];
    assert_int_equal(data_shard_name_in(dir, s, path, sizeof path), ORR_OK);
    assert_int_equal(shards_write(path, &f, filter, s * EPISODES, lengths, EPISODES, 0), ORR_OK);
  }
  assert_int_equal(data_index_build(dir, NULL), ORR_OK);
}

static void folder_below(char out[1024], const char *dir, const char *name) {
  assert_int_equal(orr_fs_join(out, 1024, dir, name), ORR_OK);
  assert_int_equal(orr_fs_mkdirs(out), ORR_OK);
}

static uint64_t sum_of(const data_clip_batch *b) {
  uint64_t h = 0;
  size_t rows = (size_t)(b->B * b->T);
  if (b->frames) h = orr_hash64(b->frames, rows * PIXELS, h);
  if (b->tokens) h = orr_hash64(b->tokens, rows * S * sizeof *b->tokens, h);
  h = orr_hash64(b->action, rows * 2 * sizeof *b->action, h);
  return orr_hash64(b->state, rows * 3 * sizeof *b->state, h);
}

// One number for each of n batches.
static void sums(const char *dir, data_kind kind, int64_t stride, int workers, size_t cache,
                 uint64_t *out, int64_t n) {
  data_mix_options mo = options(&dir, kind, stride);
  const data_loader_options lo = {.batch = 4, .ranks = 1, .prefetch = 3, .workers = workers};
  data_mix *m = NULL;
  data_loader *l = NULL;
  mo.chunk_cache_bytes = cache;
  assert_int_equal(data_mix_open(&mo, 5, &m), ORR_OK);
  assert_int_equal(data_loader_create(m, &mo, &lo, &l), ORR_OK);
  for (int64_t k = 0; k < n; k++) {
    const data_clip_batch *b = NULL;
    if (data_loader_next(l, &b, NULL) != ORR_OK) fail_msg("%s", orr_status_message());
    out[k] = sum_of(b);
  }
  data_loader_destroy(l);
  data_mix_close(m);
}

static void test_packed_shards_give_what_plain_ones_give(void **state) {
  enum { BATCHES = 40 };
  static const char *const names[] = {"none", "gzip", "lzf"};
  uint64_t plain[BATCHES], packed[BATCHES];
  char dirs[3][1024];
  const char *dir = shards_folder("packed-same");
  for (int f = DATA_FILTER_NONE; f <= DATA_FILTER_LZF; f++) {
    folder_below(dirs[f], dir, names[f]);
    make_set(dirs[f], (data_filter)f);
  }
  for (int kind = DATA_FRAMES; kind <= DATA_TOKENS; kind++) {
    for (int64_t stride = 1; stride <= 3; stride++) {
      sums(dirs[0], (data_kind)kind, stride, 0, 0, plain, BATCHES);
      for (int f = DATA_FILTER_GZIP; f <= DATA_FILTER_LZF; f++) {
        // a cache that keeps nothing, and one that keeps all
        sums(dirs[f], (data_kind)kind, stride, 3, 1, packed, BATCHES);
        assert_memory_equal(plain, packed, sizeof plain);
        sums(dirs[f], (data_kind)kind, stride, 1, (size_t)64 << 20, packed, BATCHES);
        assert_memory_equal(plain, packed, sizeof plain);
      }
    }
  }
  orr_fs_remove_tree(dir);
}

typedef struct {
  uint64_t offset;
  size_t bytes;
} range;

static void keep_first(void *ctx, const char *path, uint64_t offset, size_t bytes) {
  range *r = ctx;
  if (r->bytes == 0) *r = (range){offset, bytes};
}

// Zeros in place of chunk 1 of /frames of the second shard: no gzip stream. A shard has 144 clips;
// number 50 begins at row 64, the chunk's first.
static void damage(const char *dir, const char *path) {
  const data_mix_options mo = options(&dir, DATA_FRAMES, 1);
  data_mix *m = NULL;
  data_clip_batch *b = NULL;
  range r = {0};
  int fd = -1;
  assert_int_equal(data_mix_open(&mo, 5, &m), ORR_OK);
  assert_int_equal(data_clip_batch_create(&mo, 1, 3, &b), ORR_OK);
  data_mix_watch(m, keep_first, &r);
  assert_int_equal(data_mix_read_clip(m, 0, 144 + 50, b, 0), ORR_OK);
  data_clip_batch_destroy(b);
  data_mix_close(m);
  unsigned char *zeros = calloc(1, r.bytes);
  assert_int_equal(orr_fs_open(path, O_WRONLY, 0, &fd), ORR_OK);
  assert_int_equal(orr_fs_pwrite_all(fd, path, zeros, r.bytes, r.offset), ORR_OK);
  close(fd);
  free(zeros);
}

static void test_damaged_chunk_is_named_in_its_turn(void **state) {
  char path[1024];
  const char *dir = shards_folder("packed-damage");
  make_set(dir, DATA_FILTER_GZIP);
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "shard-00001.h5"), ORR_OK);
  damage(dir, path);
  const data_mix_options mo = options(&dir, DATA_FRAMES, 1);
  int64_t delivered[2] = {0};
  for (int workers = 0; workers <= 3; workers += 3) {
    const data_loader_options lo = {.batch = 1, .ranks = 1, .prefetch = 8, .workers = workers};
    const data_clip_batch *b = NULL;
    data_mix *m = NULL;
    data_loader *l = NULL;
    orr_code rc = ORR_OK;
    assert_int_equal(data_mix_open(&mo, 5, &m), ORR_OK);
    assert_int_equal(data_loader_create(m, &mo, &lo, &l), ORR_OK);
    int64_t *n = &delivered[workers > 0];
    for (; rc == ORR_OK && *n < 1000; ++*n) rc = data_loader_next(l, &b, NULL);
    assert_int_equal(rc, ORR_EFORMAT);
    assert_message_names(path, "/frames", "chunk 1", "row 64", "gzip");
    assert_int_equal(data_loader_next(l, &b, NULL), ORR_EFORMAT); // and stays
    data_loader_destroy(l);
    data_mix_close(m);
  }
  assert_int_equal(delivered[0], delivered[1]); // whoever finds it, the same batch fails
  orr_fs_remove_tree(dir);
}

static void test_chunks_are_read_once_while_memory_lasts(void **state) {
  enum { CLIPS = 200 };
  const char *dir = shards_folder("packed-once");
  make_set(dir, DATA_FILTER_GZIP);
  for (int small = 0; small <= 1; small++) {
    data_mix_options mo = options(&dir, DATA_FRAMES, 1);
    const data_loader_options lo = {.batch = 1, .ranks = 1, .prefetch = 2, .workers = 2};
    const data_clip_batch *b = NULL;
    data_loader_counters c;
    data_mix *m = NULL;
    data_loader *l = NULL;
    mo.chunk_cache_bytes = small ? 1 : (size_t)64 << 20;
    assert_int_equal(data_mix_open(&mo, 5, &m), ORR_OK);
    assert_int_equal(data_loader_create(m, &mo, &lo, &l), ORR_OK);
    for (int i = 0; i < CLIPS; i++) assert_int_equal(data_loader_next(l, &b, NULL), ORR_OK);
    data_loader_count(l, &c);
    // a shard has 3 chunks of frames and one of actions and state each
    if (small)
      assert_true(c.chunk_reads > CLIPS);
    else
      assert_int_equal(c.chunk_reads, SHARDS * 5);
    assert_true(c.chunk_reads + c.chunk_hits >= 3 * CLIPS && c.batches == CLIPS);
    assert_true(c.bytes_read > 0 && c.bytes_unpacked > c.bytes_read);
    data_loader_destroy(l);
    data_mix_close(m);
  }
  orr_fs_remove_tree(dir);
}

static void add_range(void *ctx, const char *path, uint64_t offset, size_t bytes) {
  *(uint64_t *)ctx += bytes;
}

static void test_plain_shards_are_read_to_the_byte(void **state) {
  const char *dir = shards_folder("packed-bytes");
  make_set(dir, DATA_FILTER_NONE);
  for (int kind = DATA_FRAMES; kind <= DATA_TOKENS; kind++) {
    const data_mix_options mo = options(&dir, (data_kind)kind, 1);
    const size_t clip = 8 * (kind == DATA_FRAMES ? PIXELS : S * 2) + 7 * 2 * 4 + 8 * 3 * 4;
    data_mix *m = NULL;
    data_clip_batch *b = NULL;
    uint64_t bytes = 0;
    assert_int_equal(data_mix_open(&mo, 5, &m), ORR_OK);
    assert_int_equal(data_clip_batch_create(&mo, 1, 3, &b), ORR_OK);
    data_mix_watch(m, add_range, &bytes);
    for (uint64_t g = 0; g < 50; g++) assert_int_equal(data_mix_read(m, g, b, 0), ORR_OK);
    assert_int_equal(bytes, 50 * clip);
    data_clip_batch_destroy(b);
    data_mix_close(m);
  }
  orr_fs_remove_tree(dir);
}

static void test_bytes_ahead_are_bounded(void **state) {
  const char *dir = shards_folder("packed-ahead");
  make_set(dir, DATA_FILTER_NONE);
  const data_mix_options mo = options(&dir, DATA_FRAMES, 1);
  const size_t read = 8 * PIXELS + 7 * 2 * 4 + 8 * 3 * 4; // of a clip; a batch holds a little more
  for (int64_t ahead = 1; ahead <= 5; ahead++) {
    const data_loader_options lo = {
        .batch = 1, .ranks = 1, .prefetch_bytes = (size_t)ahead * (8 * PIXELS + 1000)};
    const int64_t fill = (ahead < 2 ? 2 : ahead) + 1; // and one for the consumer
    data_mix *m = NULL;
    data_loader *l = NULL;
    data_loader_counters c = {0};
    assert_int_equal(data_mix_open(&mo, 5, &m), ORR_OK);
    assert_int_equal(data_loader_create(m, &mo, &lo, &l), ORR_OK);
    while (c.bytes_read < (size_t)fill * read) {
      usleep(500);
      data_loader_count(l, &c);
    }
    usleep(5000); // time enough to go on, if it did
    data_loader_count(l, &c);
    assert_int_equal(c.bytes_read, (size_t)fill * read);
    data_loader_destroy(l);
    data_mix_close(m);
  }
  orr_fs_remove_tree(dir);
}

// kind 0: all equal, 1: noise, 2: runs of noise and of repetition.
static void fill_bytes(unsigned char *p, size_t n, int kind) {
  for (size_t i = 0; i < n; i++) {
    unsigned char noise = (unsigned char)orr_rng_draw(1, ORR_STREAM_TEST, n, i).v[0];
    p[i] = kind == 0 ? 7 : kind == 1 || i / 50 % 3 == 0 ? noise : (unsigned char)(i % 17);
  }
}

static void test_lzf_gives_back_what_it_packed(void **state) {
  enum { MOST = 20000 };
  static const size_t sizes[] = {1, 2, 3, 4, 31, 32, 33, 34, 263, 264, 265, 300, 8192, 9000, MOST};
  static unsigned char in[MOST], packed[MOST + MOST / 32 + 1], out[MOST + 1];
  for (int kind = 0; kind < 3; kind++) {
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      fill_bytes(in, sizes[i], kind);
      size_t n = data_lzf_pack(in, sizes[i], packed, sizeof packed);
      assert_true(n > 0 && n <= sizes[i] + sizes[i] / 32 + 1);
      if (kind == 0 && sizes[i] > 100) assert_true(n < sizes[i] / 20);
      assert_int_equal(data_lzf_unpack(packed, n, out, sizes[i]), sizes[i]);
      assert_memory_equal(in, out, sizes[i]);
      // neither writes past the room it has
      for (size_t room = 0; room < n; room += 1 + n / 40) {
        assert_int_equal(data_lzf_pack(in, sizes[i], packed, room), 0);
      }
      assert_int_equal(data_lzf_pack(in, sizes[i], packed, sizeof packed), n);
      assert_int_equal(data_lzf_unpack(packed, n, out, sizes[i] - 1), 0);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_packed_shards_give_what_plain_ones_give),
      cmocka_unit_test(test_damaged_chunk_is_named_in_its_turn),
      cmocka_unit_test(test_chunks_are_read_once_while_memory_lasts),
      cmocka_unit_test(test_plain_shards_are_read_to_the_byte),
      cmocka_unit_test(test_bytes_ahead_are_bounded),
      cmocka_unit_test(test_lzf_gives_back_what_it_packed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
