// labels: quick
// Sound that acts: a file's spectra are those that import makes of it, a stream's are of its newest
// moment.
#include "tests/base/assert.h"
#include "tests/base/folder.h"

#include <math.h>
#include <stdio.h>

#include "base/fs.h"
#include "data/sound/track.h"
#include "train/live/sound.h"

enum { RATE = 44100, SAMPLES = 30000, BANDS = DATA_MEL_BANDS, MESSAGE = 4096 };

static const train_live_hearing hearing = {.bands = BANDS, .fps = 12.5};

static int16_t sample(int i, int channel) {
  return (int16_t)(9000 * sin(0.11 * i + 3 * channel) + 5000 * sin(1e-5 * i * i));
}

static void put(uint8_t *p, int bytes, uint64_t v) {
  for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(v >> (8 * i));
}

// A WAV file of two channels.
static void write_wav(const char *path) {
  static uint8_t b[44 + 4 * SAMPLES];
  memcpy(b, "RIFF", 4), put(b + 4, 4, sizeof b - 8), memcpy(b + 8, "WAVEfmt ", 8);
  put(b + 16, 4, 16), put(b + 20, 2, 1), put(b + 22, 2, 2), put(b + 24, 4, RATE);
  put(b + 28, 4, 4 * RATE), put(b + 32, 2, 4), put(b + 34, 2, 16);
  memcpy(b + 36, "data", 4), put(b + 40, 4, 4 * SAMPLES);
  for (int i = 0; i < SAMPLES; i++)
    for (int c = 0; c < 2; c++) put(b + 44 + 4 * i + 2 * c, 2, (uint16_t)sample(i, c));
  assert_ok(orr_fs_write_atomic(path, b, sizeof b));
}

// What a page sends of it: n samples from `at` on.
static orr_code send(train_live_sound *s, int64_t frame, bool stream, int at, int n, int64_t now,
                     bool *begun) {
  static uint8_t b[16 + 4 * SAMPLES];
  train_wire_sound m;
  memset(b, 0, 16);
  b[0] = TRAIN_WIRE_SOUND;
  put(b + 4, 4, RATE), put(b + 8, 4, stream ? 0 : SAMPLES), put(b + 12, 4, stream ? 0 : at);
  for (int i = 0; i < n; i++) {
    const double mean = (sample(at + i, 0) / 32768.0 + sample(at + i, 1) / 32768.0) / 2;
    const float x = (float)mean;
    uint32_t bits;
    memcpy(&bits, &x, 4);
    put(b + 16 + 4 * i, 4, bits);
  }
  assert_ok(train_wire_read_sound(b, 16 + 4 * (size_t)n, &m));
  return train_live_sound_take(s, &hearing, &m, frame, now, begun);
}

static void send_file(train_live_sound *s, int64_t frame) {
  bool begun = false;
  for (int at = 0; at < SAMPLES; at += MESSAGE) {
    assert_false(begun || train_live_sound_acts(s));
    assert_ok(
        send(s, frame, false, at, at + MESSAGE < SAMPLES ? MESSAGE : SAMPLES - at, 0, &begun));
  }
  assert_true(begun && train_live_sound_acts(s));
}

static void test_a_file_acts_by_the_numbers_of_import(void **state) {
  char root[FOLDER_PATH], path[FOLDER_PATH + 8];
  train_live_sound s = {0};
  data_track track;
  data_mel *mel;
  folder_make(root);
  snprintf(path, sizeof path, "%s/a.wav", root);
  write_wav(path);
  assert_ok(data_track_read(path, &track)); // as data/import/sound.c does
  assert_ok(data_mel_create(track.rate, BANDS, &mel));
  send_file(&s, 7);
  for (int64_t row = 0; row < 12; row++) {
    float ours[BANDS], theirs[BANDS];
    const bool over = (double)(row + 1) / hearing.fps - 0.03 > (double)SAMPLES / RATE;
    assert_int_equal(train_live_sound_is_over(&s, 7 + row), over);
    train_live_sound_at(&s, 7 + row, 0, ours);
    data_mel_at(mel, track.samples, track.n, (double)(row + 1) / hearing.fps, theirs);
    assert_memory_equal(ours, theirs, sizeof ours);
    for (int b = 0; b < BANDS && over; b++) assert_true(ours[b] == DATA_MEL_SILENCE);
  }
  train_live_sound_end(&s);
  data_mel_destroy(mel);
  data_track_release(&track);
  folder_remove(root);
}

static void test_of_a_stream_the_newest_counts(void **state) {
  enum { WINDOW = (int)(RATE * DATA_MEL_WINDOW_S) };
  train_live_sound s = {0};
  float ours[BANDS], theirs[BANDS], last[WINDOW];
  data_mel *mel;
  bool begun;
  assert_ok(data_mel_create(RATE, BANDS, &mel));
  for (int at = 0; at + 441 <= SAMPLES; at += 441) {
    assert_ok(send(&s, 3, true, at, 441, at, &begun));
    assert_int_equal(begun, at == 0);
    if (at < WINDOW) continue;
    const int64_t from = s.n - WINDOW;
    memcpy(last, s.samples + from, sizeof last);
    assert_true(fabs(last[WINDOW - 1] - (sample(at + 440, 0) + sample(at + 440, 1)) / 65536.0) <
                1e-6);
    train_live_sound_at(&s, 3, at, ours);
    data_mel_at(mel, last, WINDOW, 0.5 * WINDOW / RATE, theirs);
    // a window may begin a sample earlier
    for (int b = 0; b < BANDS; b++) assert_true(fabsf(ours[b] - theirs[b]) < 0.05f);
  }
  assert_false(train_live_sound_is_over(&s, 1 << 20));
  train_live_sound_at(&s, 3, (int64_t)10 << 30, ours); // long after
  for (int b = 0; b < BANDS; b++) assert_true(ours[b] == DATA_MEL_SILENCE);
  train_live_sound_end(&s);
  data_mel_destroy(mel);
}

static void test_parts_that_are_not_the_next_are_refused(void **state) {
  train_live_sound s = {0};
  bool begun;
  assert_int_equal(send(&s, 0, false, 441, 441, 0, &begun), ORR_EFORMAT);
  assert_message_names("which are not the next");
  assert_ok(send(&s, 0, false, 0, 441, 0, &begun));
  assert_int_equal(send(&s, 0, false, 882, 441, 0, &begun), ORR_EFORMAT);
  assert_ok(send(&s, 0, false, 441, 441, 0, &begun)); // goes on
  train_live_sound_end(&s);
}

static void test_bands_mean_the_same_at_any_rate(void **state) {
  static float x[48000];
  float high[BANDS], low[BANDS];
  data_mel *mel;
  for (int k = 0; k < 2; k++) {
    const int rate = k ? 8000 : 48000;
    for (int i = 0; i < rate; i++) x[i] = 0.5f * (float)sin(2 * M_PI * 1000 * i / rate);
    assert_ok(data_mel_create(rate, BANDS, &mel));
    data_mel_at(mel, x, rate, 0.5, k ? low : high);
    data_mel_destroy(mel);
  }
  // the loudest band is the same; above half of its rate the slower sound is silent
  int at[2] = {0};
  for (int b = 0; b < BANDS; b++) {
    if (high[b] > high[at[0]]) at[0] = b;
    if (low[b] > low[at[1]]) at[1] = b;
  }
  assert_int_equal(at[0], at[1]);
  assert_true(fabsf(high[at[0]] - low[at[1]]) < 0.05f);
  assert_true(low[BANDS - 1] == DATA_MEL_SILENCE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_file_acts_by_the_numbers_of_import),
      cmocka_unit_test(test_of_a_stream_the_newest_counts),
      cmocka_unit_test(test_parts_that_are_not_the_next_are_refused),
      cmocka_unit_test(test_bands_mean_the_same_at_any_rate),
  };
  if (!data_mel_available()) {
    printf("skipped: this build has no spectra\n");
    return 77;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
