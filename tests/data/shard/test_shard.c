// labels: quick
// The shard's writer and reader against each other: values, bytes, bad input.
#include "tests/data/shards.h"

#include <fcntl.h>
#include <math.h>

#include "data/shard/format.h"

static void path_in(char *out, const char *dir, const char *name) {
  assert_int_equal(orr_fs_join(out, 1024, dir, name), ORR_OK);
}

static void check_all(const char *path, const data_shard_format *f, const int64_t *lengths,
                      int64_t episodes) {
  data_shard *s = NULL;
  assert_int_equal(data_shard_open(path, &s), ORR_OK);
  assert_int_equal(data_shard_episodes(s), episodes);
  const int64_t *offsets = data_shard_offsets(s);
  int64_t pixels = f->height * f->width * 3;
  for (int64_t e = 0; e < episodes; e++) {
    int64_t n = offsets[e + 1] - offsets[e];
    assert_int_equal(n, lengths[e]);
    uint8_t *frames = malloc((size_t)(n * pixels) + 1);
    int32_t *tokens = malloc((size_t)(n * f->S + 1) * sizeof *tokens);
    float *actions = malloc((size_t)(n * 2) * sizeof *actions),
          *state = malloc((size_t)(n * 3) * sizeof *state);
    if (f->height) assert_int_equal(data_shard_read_frames(s, offsets[e], n, 1, frames), ORR_OK);
    if (f->S) assert_int_equal(data_shard_read_tokens(s, offsets[e], n, 1, tokens), ORR_OK);
    assert_int_equal(data_shard_read_actions(s, offsets[e], n, 1, actions), ORR_OK);
    assert_int_equal(data_shard_read_state(s, offsets[e], n, 1, state), ORR_OK);
    for (int64_t t = 0; t < n; t++) {
      for (int64_t i = 0; i < pixels; i++)
        assert_int_equal(frames[t * pixels + i], shards_pixel(e, t, i));
      for (int64_t i = 0; i < f->S; i++)
        assert_int_equal(tokens[t * f->S + i], shards_token(e, t, i));
      assert_true(actions[2 * t] == shards_action(e, t) &&
                  actions[2 * t + 1] == -shards_action(e, t));
      assert_true(state[3 * t] == (float)e && state[3 * t + 1] == (float)t);
    }
    free(frames);
    free(tokens);
    free(actions);
    free(state);
  }
  data_shard_close(s);
}

static void test_what_was_written_is_read_back(void **state) {
  const char *dir = shards_folder("shard-back");
  // frames of 12 KiB: 42 a chunk, so that episodes start, end and lie inside chunks
  const int64_t lengths[] = {1, 41, 42, 43, 100};
  const data_shard_format formats[] = {shards_format(64, 64, 0), shards_format(0, 0, 17),
                                       shards_format(6, 10, 8)};
  for (size_t i = 0; i < 3; i++) {
    for (int filter = DATA_FILTER_NONE; filter <= DATA_FILTER_GZIP; filter++) {
      char path[1024];
      path_in(path, dir, "shard-00000.h5");
      assert_int_equal(shards_write(path, &formats[i], (data_filter)filter, 0, lengths, 5, 0),
                       ORR_OK);
      check_all(path, &formats[i], lengths, 5);
    }
  }
  orr_fs_remove_tree(dir);
}

static void test_format_is_read_back(void **state) {
  const char *dir = shards_folder("shard-format");
  data_shard_format f = shards_format(8, 16, 4);
  char path[1024];
  data_shard *s = NULL;
  path_in(path, dir, "shard-00000.h5");
  assert_int_equal(shards_write(path, &f, DATA_FILTER_NONE, 0, (int64_t[]){3}, 1, 0), ORR_OK);
  assert_int_equal(data_shard_open(path, &s), ORR_OK);
  const data_shard_format *g = data_shard_get_format(s);
  assert_string_equal(g->branch, "worlds");
  assert_string_equal(g->source, f.source);
  assert_true(g->fps == 10 && g->height == 8 && g->width == 16 && g->S == 4 && g->codes == CODES);
  assert_true(g->A == 2 && g->Q == 3);
  assert_string_equal(g->action_names[1], "right");
  assert_string_equal(g->state_names[0], "episode");
  data_shard_close(s);
  orr_fs_remove_tree(dir);
}

static orr_code write_outcomes(const char *path, const data_shard_format *f) {
  const uint8_t frames[2 * 192] = {0}, done[] = {0, 1};
  const float actions[] = {1, 2, 3, 4}, state[6] = {0}, reward[] = {0.5f, -2};
  data_shard_writer *w = NULL;
  orr_code rc = data_shard_writer_create(path, f, DATA_FILTER_NONE, &w);
  for (int e = 0; rc == ORR_OK && e < 70; e++) { // more than the lists begin with
    rc = data_shard_writer_append(w, &(data_shard_rows){.n = 2,
                                                        .frames = frames,
                                                        .actions = actions,
                                                        .state = state,
                                                        .reward = f->reward ? reward : NULL,
                                                        .done = f->done ? done : NULL});
    if (rc == ORR_OK && f->success) rc = data_shard_writer_set_success(w, e % 3 == 0);
    if (rc == ORR_OK) rc = data_shard_writer_end_episode(w);
  }
  if (rc == ORR_OK) rc = data_shard_writer_finish(w);
  data_shard_writer_destroy(w);
  return rc;
}

static void test_outcomes_are_read_back(void **state) {
  const char *dir = shards_folder("shard-outcomes");
  char path[1024];
  float reward[140];
  uint8_t done[140], success[70];
  path_in(path, dir, "shard-00000.h5");
  for (int has = 0; has < 8; has++) {
    data_shard *s = NULL;
    data_shard_format f = shards_format(8, 8, 0);
    f.reward = has & 1, f.done = has & 2, f.success = has & 4;
    assert_int_equal(write_outcomes(path, &f), ORR_OK);
    assert_int_equal(data_shard_open(path, &s), ORR_OK);
    assert_int_equal(data_shard_format_equal(&f, "a", data_shard_get_format(s), "b"), ORR_OK);
    assert_int_equal(data_shard_read_reward(s, 0, 140, 1, reward), f.reward ? ORR_OK : ORR_EINVAL);
    assert_int_equal(data_shard_read_done(s, 0, 140, 1, done), f.done ? ORR_OK : ORR_EINVAL);
    assert_int_equal(data_shard_read_success(s, 0, 70, success), f.success ? ORR_OK : ORR_EINVAL);
    for (int t = 0; t < 140; t++) {
      assert_true(!f.reward || reward[t] == (t % 2 ? -2.f : 0.5f));
      assert_true(!f.done || done[t] == t % 2);
      assert_true(!f.success || t >= 70 || success[t] == (t % 3 == 0));
    }
    if (f.success) {
      assert_int_equal(data_shard_read_success(s, 69, 2, success), ORR_EINVAL); // of 70 episodes
      assert_message_names(path, "/success", "70");
    }
    data_shard_close(s);
  }
  orr_fs_remove_tree(dir);
}

static void test_outcomes_that_do_not_fit_are_refused(void **state) {
  const char *dir = shards_folder("shard-outcomes-bad");
  const uint8_t frames[192] = {0}, done[] = {2};
  const float actions[2] = {0}, truth[3] = {0}, reward[] = {NAN};
  data_shard_format f = shards_format(8, 8, 0);
  data_shard_writer *w = NULL;
  char path[1024];
  path_in(path, dir, "shard-00000.h5");
  f.reward = f.done = f.success = true;
  data_shard_rows rows = {.n = 1, .frames = frames, .actions = actions, .state = truth};
  assert_int_equal(data_shard_writer_create(path, &f, DATA_FILTER_NONE, &w), ORR_OK);
  assert_int_equal(data_shard_writer_append(w, &rows), ORR_EINVAL);
  rows.reward = truth;
  rows.done = done;
  assert_int_equal(data_shard_writer_append(w, &rows), ORR_EINVAL);
  assert_message_names("done", "is 2");
  rows.reward = reward;
  assert_int_equal(data_shard_writer_append(w, &rows), ORR_EINVAL);
  assert_message_names("reward", "nan");
  rows.reward = truth;
  rows.done = frames;
  assert_int_equal(data_shard_writer_append(w, &rows), ORR_OK);
  assert_int_equal(data_shard_writer_end_episode(w), ORR_EINVAL);
  assert_message_names("episode 0 succeeded");
  assert_int_equal(data_shard_writer_set_success(w, 2), ORR_EINVAL);
  assert_int_equal(data_shard_writer_set_success(w, 1), ORR_OK);
  assert_int_equal(data_shard_writer_set_success(w, 1), ORR_EINVAL);
  assert_int_equal(data_shard_writer_end_episode(w), ORR_OK);
  data_shard_writer_destroy(w);
  orr_fs_remove_tree(dir);
}

static void test_equal_frames_give_equal_bytes_in_any_portions(void **state) {
  const char *dir = shards_folder("shard-bytes");
  const int64_t lengths[] = {90, 1, 260};
  data_shard_format f = shards_format(32, 48, 24);
  for (int filter = DATA_FILTER_NONE; filter <= DATA_FILTER_GZIP; filter++) {
    orr_hash128 first = {0}, h;
    for (int64_t portion = 0; portion < 80; portion += 13) {
      if (portion == 13 && filter == DATA_FILTER_NONE)
        sleep(1); // HDF5's times, were they kept, count seconds
      char path[1024];
      path_in(path, dir, portion % 2 ? "a.h5" : "b.h5");
      // memory that HDF5 gets is not clean: what it leaves unset must not reach the file
      void *dirt = malloc(1 << 20);
      memset(dirt, (int)portion + 1, 1 << 20);
      free(dirt);
      assert_int_equal(shards_write(path, &f, (data_filter)filter, 0, lengths, 3, portion), ORR_OK);
      assert_int_equal(orr_hash_file(path, &h, NULL), ORR_OK);
      if (portion == 0) first = h;
      assert_true(orr_hash_equal(first, h));
    }
  }
  orr_fs_remove_tree(dir);
}

static void test_rows_outside_the_shard_are_refused(void **state) {
  const char *dir = shards_folder("shard-rows");
  data_shard_format f = shards_format(8, 8, 0);
  char path[1024];
  float out[64];
  data_shard *s = NULL;
  path_in(path, dir, "shard-00000.h5");
  assert_int_equal(shards_write(path, &f, DATA_FILTER_NONE, 0, (int64_t[]){10}, 1, 0), ORR_OK);
  assert_int_equal(data_shard_open(path, &s), ORR_OK);
  assert_int_equal(data_shard_read_actions(s, 1, 4, 3, out), ORR_EINVAL); // 1, 4, 7, 10
  assert_message_names(path, "/actions", "10");
  assert_int_equal(data_shard_read_actions(s, 0, 4, 3, out), ORR_OK); // 0, 3, 6, 9
  assert_true(out[6] == 9);
  assert_int_equal(data_shard_read_actions(s, -1, 2, 1, out), ORR_EINVAL);
  assert_int_equal(data_shard_read_tokens(s, 0, 1, 1, (int32_t *)out), ORR_EINVAL);
  assert_message_names(path, "/tokens");
  data_shard_close(s);
  orr_fs_remove_tree(dir);
}

static void test_writer_refuses_bad_values(void **state) {
  const char *dir = shards_folder("shard-values");
  data_shard_format f = shards_format(0, 0, 2);
  char path[1024];
  data_shard_writer *w = NULL;
  float actions[4] = {0, 0, 0, NAN}, truth[6] = {0};
  int32_t tokens[4] = {0, 1, CODES, 2};
  const data_shard_rows rows = {.n = 2, .tokens = tokens, .actions = actions, .state = truth};
  path_in(path, dir, "shard-00000.h5");
  assert_int_equal(data_shard_writer_create(path, &f, DATA_FILTER_NONE, &w), ORR_OK);
  assert_int_equal(data_shard_writer_append(w, &rows), ORR_EINVAL);
  assert_message_names("token 0", "frame 1", "900", "899");
  tokens[2] = -1;
  assert_int_equal(data_shard_writer_append(w, &rows), ORR_EINVAL);
  tokens[2] = 3;
  assert_int_equal(data_shard_writer_append(w, &rows), ORR_EINVAL);
  assert_message_names("action of frame 1", "component 1", "finite");
  actions[3] = 0;
  truth[5] = INFINITY;
  assert_int_equal(data_shard_writer_append(w, &rows), ORR_EINVAL);
  assert_message_names("state of frame 1", "finite");
  assert_int_equal(data_shard_writer_end_episode(w), ORR_EINVAL);
  assert_int_equal(data_shard_writer_finish(w), ORR_EINVAL);
  data_shard_writer_destroy(w);
  assert_false(orr_fs_exists(path));
  orr_fs_remove_tree(dir);
}

static void test_writer_refuses_formats_that_cannot_be(void **state) {
  data_shard_writer *w = NULL;
  data_shard_format f = shards_format(0, 0, 0);
  assert_int_equal(data_shard_writer_create("x.h5", &f, DATA_FILTER_NONE, &w), ORR_EINVAL);
  assert_message_names("x.h5", "frames", "tokens");
  f = shards_format(8, 0, 0);
  assert_int_equal(data_shard_writer_create("x.h5", &f, DATA_FILTER_NONE, &w), ORR_EINVAL);
  assert_message_names("width");
  f = shards_format(0, 0, 4);
  f.codes = 0;
  assert_int_equal(data_shard_writer_create("x.h5", &f, DATA_FILTER_NONE, &w), ORR_EINVAL);
  assert_message_names("codes");
  f = shards_format(8, 8, 0);
  f.A = -1;
  assert_int_equal(data_shard_writer_create("x.h5", &f, DATA_FILTER_NONE, &w), ORR_EINVAL);
  assert_message_names("action width");
  assert_false(orr_fs_exists("x.h5"));
}

static void test_frames_may_come_without_actions(void **state) {
  const char *dir = shards_folder("shard-alone");
  char path[1024];
  data_shard_writer *w = NULL;
  data_shard *s = NULL;
  uint8_t frames[3 * 12], again[3 * 12];
  float none = 7;
  data_shard_format f = shards_format(2, 2, 0);
  f.A = f.Q = 0;
  f.action_names = f.state_names = NULL;
  for (size_t i = 0; i < sizeof frames; i++) frames[i] = (uint8_t)(i * 7);
  snprintf(path, sizeof path, "%s/x.h5", dir);
  for (int filter = DATA_FILTER_NONE; filter <= DATA_FILTER_LZF; filter++) {
    assert_ok(data_shard_writer_create(path, &f, (data_filter)filter, &w));
    assert_ok(data_shard_writer_append(w, &(data_shard_rows){.n = 3, .frames = frames}));
    assert_ok(data_shard_writer_end_episode(w));
    assert_ok(data_shard_writer_finish(w));
    data_shard_writer_destroy(w);
    assert_ok(data_shard_open(path, &s));
    assert_true(data_shard_get_format(s)->A == 0 && data_shard_frames(s) == 3);
    assert_ok(data_shard_read_frames(s, 0, 3, 1, again));
    assert_memory_equal(frames, again, sizeof frames);
    assert_ok(data_shard_read_actions(s, 0, 3, 1, &none));
    assert_true(none == 7);
    data_shard_close(s);
  }
  orr_fs_remove_tree(dir);
}

static void test_every_truncation_is_refused_or_reads_right(void **state) {
  const char *dir = shards_folder("shard-truncated");
  const int64_t lengths[] = {5, 4};
  data_shard_format f = shards_format(8, 8, 0);
  char path[1024], cut[1024], *text = NULL;
  size_t bytes = 0;
  path_in(path, dir, "shard-00000.h5");
  path_in(cut, dir, "cut.h5");
  assert_int_equal(shards_write(path, &f, DATA_FILTER_NONE, 0, lengths, 2, 0), ORR_OK);
  assert_int_equal(orr_fs_read_all(path, &text, &bytes), ORR_OK);
  for (size_t n = 0; n < bytes; n += 1 + bytes / 60) {
    data_shard *s = NULL;
    FILE *file = fopen(cut, "wb");
    assert_int_equal(fwrite(text, 1, n, file), n);
    fclose(file);
    assert_int_equal(data_shard_open(cut, &s), ORR_EFORMAT);
    assert_message_names(cut, "HDF5", "; ");
  }
  free(text);
  orr_fs_remove_tree(dir);
}

// Opens the file and reads a row of everything; what it says of itself must be `f`, or an error.
static orr_code read_some(const char *path, const data_shard_format *f, int64_t frames) {
  data_shard *s = NULL;
  uint8_t pixels[8 * 8 * 3];
  float row[3];
  orr_code rc = data_shard_open(path, &s);
  if (rc != ORR_OK) return rc;
  const data_shard_format *got = data_shard_get_format(s);
  assert_int_equal(data_shard_frames(s), frames);
  assert_true(got->height == f->height && got->width == f->width && got->fps == f->fps &&
              got->A == f->A && got->Q == f->Q);
  for (int64_t t = 0; rc == ORR_OK && t < frames; t += 4) {
    rc = data_shard_read_frames(s, t, 1, 1, pixels);
    if (rc == ORR_OK) rc = data_shard_read_actions(s, t, 1, 1, row);
    if (rc == ORR_OK) rc = data_shard_read_state(s, t, 1, 1, row);
  }
  data_shard_close(s);
  return rc;
}

// HDF5 1.10 crashes on structures that make no sense, or reads them for ever. All those of a shard
// have checksums: damage there is an error, and elsewhere it is in the pixels and numbers.
static void test_any_damaged_byte_is_an_error_or_in_the_numbers(void **state) {
  const char *dir = shards_folder("shard-damaged");
  const int64_t lengths[] = {5, 4};
  data_shard_format f = shards_format(8, 8, 0);
  char path[1024], *text = NULL;
  size_t bytes = 0;
  int refused = 0;
  path_in(path, dir, "shard-00000.h5");
  assert_int_equal(shards_write(path, &f, DATA_FILTER_NONE, 0, lengths, 2, 0), ORR_OK);
  assert_int_equal(orr_fs_read_all(path, &text, &bytes), ORR_OK);
  int fd = open(path, O_WRONLY);
  assert_true(fd >= 0);
  for (size_t i = 0; i < bytes; i++) {
    unsigned char damaged = (unsigned char)(text[i] ^ (i % 3 ? 0x10 : 0xff));
    assert_int_equal(pwrite(fd, &damaged, 1, (off_t)i), 1);
    refused += read_some(path, &f, 9) != ORR_OK;
    assert_int_equal(pwrite(fd, text + i, 1, (off_t)i), 1);
  }
  close(fd);
  assert_int_equal(read_some(path, &f, 9), ORR_OK);
  assert_true(refused > (int)bytes / 2); // the structures: measured 2857 of 4930 bytes
  free(text);
  orr_fs_remove_tree(dir);
}

static void test_missing_and_foreign_files_are_named(void **state) {
  const char *dir = shards_folder("shard-foreign");
  char path[1024];
  data_shard *s = NULL;
  path_in(path, dir, "none.h5");
  assert_int_equal(data_shard_open(path, &s), ORR_ENOTFOUND);
  assert_message_names(path);
  FILE *file = fopen(path, "wb");
  fputs("these are words, not clips", file);
  fclose(file);
  assert_int_equal(data_shard_open(path, &s), ORR_EFORMAT);
  assert_message_names(path, "HDF5");
  assert_int_equal(data_shard_open(dir, &s), ORR_EFORMAT);
  assert_message_names(dir, "folder");
  orr_fs_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_was_written_is_read_back),
      cmocka_unit_test(test_format_is_read_back),
      cmocka_unit_test(test_outcomes_are_read_back),
      cmocka_unit_test(test_outcomes_that_do_not_fit_are_refused),
      cmocka_unit_test(test_equal_frames_give_equal_bytes_in_any_portions),
      cmocka_unit_test(test_rows_outside_the_shard_are_refused),
      cmocka_unit_test(test_writer_refuses_bad_values),
      cmocka_unit_test(test_writer_refuses_formats_that_cannot_be),
      cmocka_unit_test(test_frames_may_come_without_actions),
      cmocka_unit_test(test_every_truncation_is_refused_or_reads_right),
      cmocka_unit_test(test_any_damaged_byte_is_an_error_or_in_the_numbers),
      cmocka_unit_test(test_missing_and_foreign_files_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
