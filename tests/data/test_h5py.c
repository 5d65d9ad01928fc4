// labels: quick
// h5py reads what Orrery writes, and Orrery reads what h5py writes.
#include "tests/data/shards.h"

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
  for (int filter = DATA_FILTER_NONE; filter <= DATA_FILTER_GZIP; filter++) {
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

static void test_orrery_reads_what_h5py_writes(void **state) {
  need_h5py();
  static const char *const names[] = {"plain", "chunked", "gzip", "shuffled",
                                      "lzf",   "wide",    "bytes"};
  const char *dir = shards_folder("h5py-write");
  char out[4096];
  run_script("write", dir, out, sizeof out);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.h5", dir, names[i]);
    check_shard(path);
  }
  orr_fs_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_h5py_reads_what_orrery_writes),
      cmocka_unit_test(test_orrery_reads_what_h5py_writes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
