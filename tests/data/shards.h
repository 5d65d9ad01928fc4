// Synthetic shards for tests: every frame shows the number of the action that led to it, so that a
// misaligned reader cannot pass. Pixel bytes of frame t of episode e: (7 e + 13 t + i) mod 251, but
// pixel 0 shows action t-1's code; actions[t] = {t + 100 e, -(t + 100 e)}; state[t] = {e, t, 0.5}.
#ifndef TESTS_DATA_SHARDS_H
#define TESTS_DATA_SHARDS_H

#include <unistd.h>

#include "data/set/index.h"
#include "data/shard/writer.h"
#include "tests/base/folder.h"

#define CODES 900

static const char *const shards_actions[] = {"left", "right"};
static const char *const shards_states[] = {"episode", "t", "half"};

static inline data_shard_format shards_format(int64_t height, int64_t width, int64_t S) {
  return (data_shard_format){
      .branch = "worlds",
      .source = "synthetic shard of a test",
      .fps = 10,
      .height = height,
      .width = width,
      .S = S,
      .codes = S ? CODES : 0,
      .A = 2,
      .action_names = shards_actions,
      .Q = 3,
      .state_names = shards_states,
  };
}

static inline float shards_action(int64_t episode, int64_t t) {
  return (float)(t + 100 * episode);
}

// What frame t of the episode shows of the action that led to it; 0 for the first.
static inline uint8_t shards_shown(int64_t episode, int64_t t) {
  return t == 0 ? 0 : (uint8_t)((t - 1 + 100 * episode) % 256);
}

static inline uint8_t shards_pixel(int64_t episode, int64_t t, int64_t i) {
  return i == 0 ? shards_shown(episode, t) : (uint8_t)((7 * episode + 13 * t + i) % 251);
}

static inline int32_t shards_token(int64_t episode, int64_t t, int64_t i) {
  return i == 0 ? shards_shown(episode, t) : (int32_t)((7 * episode + 13 * t + i) % CODES);
}

// Appends frames [from,to) of an episode.
static inline orr_code shards_append(data_shard_writer *w, const data_shard_format *f,
                                     int64_t episode, int64_t from, int64_t to) {
  int64_t n = to - from, pixels = f->height * f->width * 3;
  uint8_t *frames = malloc((size_t)(n * pixels) + 1);
  int32_t *tokens = malloc((size_t)(n * f->S + 1) * sizeof *tokens);
  float *actions = malloc((size_t)(n * f->A) * sizeof *actions);
  float *state = malloc((size_t)(n * 3) * sizeof *state);
  for (int64_t t = 0; t < n; t++) {
    for (int64_t i = 0; i < pixels; i++)
      frames[t * pixels + i] = shards_pixel(episode, from + t, i);
    for (int64_t i = 0; i < f->S; i++) tokens[t * f->S + i] = shards_token(episode, from + t, i);
    for (int64_t i = 0; i < f->A; i++) {
      actions[t * f->A + i] = (i % 2 ? -1.f : 1.f) * shards_action(episode, from + t);
    }
    state[t * 3] = (float)episode;
    state[t * 3 + 1] = (float)(from + t);
    state[t * 3 + 2] = 0.5f;
  }
  orr_code rc = data_shard_writer_append(w, &(data_shard_rows){.n = n,
                                                               .frames = f->height ? frames : NULL,
                                                               .tokens = f->S ? tokens : NULL,
                                                               .actions = actions,
                                                               .state = f->Q ? state : NULL});
  free(frames);
  free(tokens);
  free(actions);
  free(state);
  return rc;
}

// Writes a shard whose episodes first_episode, ... have the given lengths, in portions of `portion`
// frames (0: an episode at once).
static inline orr_code shards_write(const char *path, const data_shard_format *f,
                                    data_filter filter, int64_t first_episode,
                                    const int64_t *lengths, int64_t episodes, int64_t portion) {
  data_shard_writer *w = NULL;
  orr_code rc = data_shard_writer_create(path, f, filter, &w);
  for (int64_t e = 0; rc == ORR_OK && e < episodes; e++) {
    int64_t step = portion ? portion : lengths[e];
    for (int64_t t = 0; rc == ORR_OK && t < lengths[e]; t += step) {
      int64_t to = t + step < lengths[e] ? t + step : lengths[e];
      rc = shards_append(w, f, first_episode + e, t, to);
    }
    if (rc == ORR_OK) rc = data_shard_writer_end_episode(w);
  }
  if (rc == ORR_OK) rc = data_shard_writer_finish(w);
  data_shard_writer_destroy(w);
  return rc;
}

// Makes a fresh folder below the build tree for a test and returns its path.
static inline const char *shards_folder(const char *name) {
  static char dir[512];
  snprintf(dir, sizeof dir, "%s/test-data/%s-%d", ORR_BINARY_DIR, name, (int)getpid());
  folder_remove(dir);
  assert_int_equal(orr_fs_mkdirs(dir), ORR_OK);
  return dir;
}

// A data set of `shards` shards with `episodes` episodes each; episode e has base + e % 3 frames.
static inline void shards_data_set(const char *dir, const data_shard_format *f, int shards,
                                   int64_t episodes, int64_t base) {
  int64_t lengths[64];
  for (int s = 0; s < shards; s++) {
    char path[1024];
    for (int64_t e = 0; e < episodes; e++) lengths[e] = base + (s * episodes + e) % 3;
    assert_int_equal(data_shard_name_in(dir, s, path, sizeof path), ORR_OK);
    assert_int_equal(shards_write(path, f, DATA_FILTER_NONE, s * episodes, lengths, episodes, 0),
                     ORR_OK);
  }
  assert_int_equal(data_index_build(dir, NULL), ORR_OK);
}

#endif
