// labels: quick
// h5py reads what Orrery writes, and Orrery reads what h5py writes.
#include "tests/data/shards.h"

#include "data/clips/clip_batch.h"
#include "data/clips/loader.h"
#include "data/clips/mix.h"
#include "base/fs.h"

#define PYTHON "/usr/bin/python3" // Debian's, which sees Debian's h5py

// Skips the test where Python has no h5py.
static void need_h5py(void) {
  if (system(PYTHON " -c 'import h5py, numpy' 2>/dev/null") != 0) {
    print_message("skipped: " PYTHON " has no h5py (install python3-h5py)\n");
    skip();
  }
}

static void run_script(const char *verb, const char *path, char *out, size_t size) {
  char command[2048];
  snprintf(command, sizeof command, PYTHON " %s/tests/data/shard_check.py %s %s 2>&1",
           ORR_SOURCE_DIR, verb, path);
  FILE *f = popen(command, "r");
  size_t n = fread(out, 1, size - 1, f);
  out[n] = 0;
  if (pclose(f) != 0) fail_msg("%s: %s", command, out);
}

// The script's weighted sum: position i (from 0) counts (i + 1) mod 1009 times.
static double weigh(double sum, int64_t i, double value) {
  return sum + value * (double)((i + 1) % 1009);
}

static void expect(const char *text, const char *line) {
  if (!strstr(text, line)) fail_msg("h5py sees:\n%swanted: %s", text, line);
}

static void test_h5py_reads_what_orrery_writes(void **state) {
  need_h5py();
  const char *dir = shards_folder("h5py-read");
  const int64_t lengths[] = {40, 1, 109};
  data_shard_format f = shards_format(24, 32, 9);
  char path[1024], out[4096], line[256];
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "shard-00000.h5"), ORR_OK);
  for (int filter = DATA_FILTER_NONE; filter <= DATA_FILTER_LZF; filter++) {
    double frames = 0, tokens = 0, actions = 0, truth = 0;
    int64_t row = 0;
    assert_int_equal(shards_write(path, &f, (data_filter)filter, 0, lengths, 3, 7), ORR_OK);
    for (int64_t e = 0; e < 3; e++) {
      for (int64_t t = 0; t < lengths[e]; t++, row++) {
        for (int64_t i = 0; i < 24 * 32 * 3; i++)
          frames = weigh(frames, row * 2304 + i, shards_pixel(e, t, i));
        for (int64_t i = 0; i < 9; i++) tokens = weigh(tokens, row * 9 + i, shards_token(e, t, i));
        actions = weigh(actions, row * 2, shards_action(e, t));
        actions = weigh(actions, row * 2 + 1, -shards_action(e, t));
        truth = weigh(truth, row * 3, (double)e);
        truth = weigh(truth, row * 3 + 1, (double)t);
        truth = weigh(truth, row * 3 + 2, 0.5);
      }
    }
    run_script("read", path, out, sizeof out);
    snprintf(line, sizeof line, "frames (150, 24, 32, 3) uint8 %.0f\n", frames);
    expect(out, line);
    snprintf(line, sizeof line, "tokens (150, 9) uint16 %.0f\n", tokens);
    expect(out, line);
    snprintf(line, sizeof line, "actions (150, 2) float32 %.0f\n", actions);
    expect(out, line);
    snprintf(line, sizeof line, "state (150, 3) float32 %.0f\n", truth);
    expect(out, line);
    expect(out, "episode_offsets [0, 40, 41, 150]\n");
  }
  orr_fs_remove_tree(dir);
}

static void check_shard(const char *path) {
  enum { FRAMES = 150, PIXELS = 192, TOKENS = 5 };
  data_shard *s = NULL;
  uint8_t *frames = malloc(FRAMES * PIXELS);
  int32_t *tokens = malloc(FRAMES * TOKENS * sizeof *tokens);
  float *actions = malloc(FRAMES * 2 * sizeof *actions);
  if (data_shard_open(path, &s) != ORR_OK) fail_msg("%s", orr_status_message());
  const data_shard_format *f = data_shard_get_format(s);
  assert_true(f->height == 8 && f->width == 8 && f->S == TOKENS && f->codes == 0 && f->fps == 12.5);
  assert_string_equal(f->branch, "worlds");
  assert_string_equal(f->source, "h5py");
  assert_string_equal(f->action_names[0], "left");
  assert_string_equal(f->action_names[1], "right");
  assert_int_equal(data_shard_episodes(s), 3);
  assert_int_equal(data_shard_offsets(s)[2], 41);
  // stride 1 over all, and stride 3 from the middle of one chunk to another
  for (int64_t stride = 1, first = 0, n = FRAMES; stride <= 3; stride += 2, first = 17, n = 30) {
    if (data_shard_read_frames(s, first, n, stride, frames) != ORR_OK)
      fail_msg("%s", orr_status_message());
    assert_int_equal(data_shard_read_tokens(s, first, n, stride, tokens), ORR_OK);
    assert_int_equal(data_shard_read_actions(s, first, n, stride, actions), ORR_OK);
    for (int64_t i = 0; i < n; i++) {
      int64_t t = first + i * stride;
      for (int64_t k = 0; k < PIXELS; k++)
        assert_int_equal(frames[i * PIXELS + k], (t * 13 + k) % 251);
      for (int64_t k = 0; k < TOKENS; k++)
        assert_int_equal(tokens[i * TOKENS + k], (t * 7 + k) % 900);
      assert_true(actions[2 * i] == 0.5f * (float)t && actions[2 * i + 1] == -(float)t);
    }
  }
  data_shard_close(s);
  free(frames);
  free(tokens);
  free(actions);
}

// beside: how many of /frames and /actions are read without HDF5.
static const struct {
  const char *name;
  int beside;
} forms[] = {{"plain", 2},  {"chunked", 2},      {"gzip", 2},        {"shuffled", 2},
             {"lzf", 2},    {"shuffled_lzf", 2}, {"checksummed", 0}, {"cut", 1},
             {"behind", 2}, {"behind_plain", 2}, {"latest", 2},      {"wide", 1},
             {"bytes", 2}};
enum { FORMS = sizeof forms / sizeof forms[0] };

static void test_orrery_reads_what_h5py_writes(void **state) {
  need_h5py();
  const char *dir = shards_folder("h5py-write");
  orr_path out;
  run_script("write", dir, out, sizeof out);
  for (int i = 0; i < FORMS; i++) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.h5", dir, forms[i].name);
    check_shard(path);
  }
  orr_fs_remove_tree(dir);
}

// A data set of the one shard DIR/NAME.h5.
static void make_set(const char *dir, const char *name, char *set) {
  char from[1100], to[1100];
  snprintf(set, 1024, "%s/%s", dir, name);
  snprintf(from, sizeof from, "%s.h5", set);
  assert_int_equal(orr_fs_mkdirs(set), ORR_OK);
  assert_int_equal(orr_fs_join(to, sizeof to, set, "shard-00000.h5"), ORR_OK);
  assert_int_equal(rename(from, to), 0);
  assert_int_equal(data_index_build(set, NULL), ORR_OK);
}

// All clips of an epoch, read by a loader, equal what the script wrote.
static void check_clips(const char *dir, data_kind kind, int64_t stride, int workers) {
  enum { T = 9, PIXELS = 192, TOKENS = 5 };
  const data_mix_options mo = {.dirs = &dir,
                               .count = 1,
                               .kind = kind,
                               .T = T,
                               .stride = stride,
                               .height = 8,
                               .width = 8,
                               .S = TOKENS,
                               .codes = 900,
                               .A = 2,
                               .chunk_cache_bytes = 1};
  const data_loader_options lo = {.batch = 1, .ranks = 1, .prefetch = 3, .workers = workers};
  data_mix *m = NULL;
  data_loader *l = NULL;
  assert_int_equal(data_mix_open(&mo, 3, &m), ORR_OK);
  uint64_t clips = data_mix_clips(m);
  assert_int_equal(clips, (40 - 8 * stride) + (109 - 8 * stride));
  assert_int_equal(data_loader_create(m, &mo, &lo, &l), ORR_OK);
  for (uint64_t g = 0; g < clips; g++) {
    const data_clip_batch *b = NULL;
    if (data_loader_next(l, &b, NULL) != ORR_OK) fail_msg("%s", orr_status_message());
    // actions tell where the clip lies: -t of the row before frame 1
    int64_t first = (int64_t)-b->action[3] - stride + 1;
    assert_true(first >= 0 && first + (T - 1) * stride < 150);
    for (int64_t i = 0; i < T; i++) {
      int64_t t = first + i * stride;
      for (int64_t k = 0; b->frames && k < PIXELS; k++)
        assert_int_equal(b->frames[i * PIXELS + k], (t * 13 + k) % 251);
      for (int64_t k = 0; b->tokens && k < TOKENS; k++)
        assert_int_equal(b->tokens[i * TOKENS + k], (t * 7 + k) % 900);
      if (i > 0) assert_true(b->action[2 * i] == 0.5f * (float)(t - 1));
    }
  }
  data_loader_destroy(l);
  data_mix_close(m);
}

static void count_range(void *ctx, const char *path, uint64_t offset, size_t bytes) {
  ++*(int *)ctx;
}

// The first clip lies in the first chunk of its datasets: one read for each that is read beside
// HDF5.
static void check_ways(const char *dir, int beside) {
  const data_mix_options o = {
      .dirs = &dir, .count = 1, .T = 9, .stride = 1, .height = 8, .width = 8, .A = 2};
  data_mix *m = NULL;
  data_clip_batch *b = NULL;
  int ranges = 0;
  assert_int_equal(data_mix_open(&o, 3, &m), ORR_OK);
  assert_int_equal(data_clip_batch_create(&o, 1, 0, &b), ORR_OK);
  data_mix_watch(m, count_range, &ranges);
  assert_int_equal(data_mix_read_clip(m, 0, 0, b, 0), ORR_OK);
  assert_int_equal(ranges, beside);
  data_clip_batch_destroy(b);
  data_mix_close(m);
}

static void test_clips_of_every_form_are_the_same(void **state) {
  need_h5py();
  const char *dir = shards_folder("h5py-clips");
  char out[4096], set[1024];
  run_script("write", dir, out, sizeof out);
  for (int i = 0; i < FORMS; i++) {
    make_set(dir, forms[i].name, set);
    check_ways(set, forms[i].beside);
    for (int64_t stride = 1; stride <= 4; stride += 3) {
      check_clips(set, DATA_FRAMES, stride, 0);
      check_clips(set, DATA_TOKENS, stride, 2);
    }
  }
  orr_fs_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_h5py_reads_what_orrery_writes),
      cmocka_unit_test(test_orrery_reads_what_h5py_writes),
      cmocka_unit_test(test_clips_of_every_form_are_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
