// The smallest world model that the program itself trains: ROOT/clips, ROOT/tokens, ROOT/tokenizer
// and ROOT/dynamics. Its frames show the action that led to them - the left half is as bright as
// component 0 says, the right half as component 1 does - and after some hundred steps so do those
// that it dreams.
#ifndef TESTS_TRAIN_TINY_WORLD_H
#define TESTS_TRAIN_TINY_WORLD_H

#include "base/rng.h"
#include "data/set/index.h"
#include "data/shard/writer.h"
#include "tests/base/folder.h"
#include "tests/train/program.h"

enum { TINY_HEIGHT = 16, TINY_WIDTH = 24, TINY_EPISODES = 24, TINY_LENGTH = 12, TINY_A = 2 };

// -1, 0 or 1, held for two frames.
static inline float tiny_world_action(uint64_t episode, int t, int component) {
  return (float)orr_rng_below(9, ORR_STREAM_TEST, episode, (uint64_t)(2 * (t / 2) + component), 3) -
         1.0f;
}

// What a half of the frame shows of the component that led to it.
static inline uint8_t tiny_world_shade(float action) {
  return (uint8_t)(128.0f + 80.0f * action);
}

static inline void tiny_world_draw(const float *action, uint8_t *rgb) {
  for (int i = 0; i < TINY_HEIGHT * TINY_WIDTH; i++)
    memset(rgb + 3 * i, tiny_world_shade(action[i % TINY_WIDTH >= TINY_WIDTH / 2]), 3);
}

// The mean of a half of a frame, as an action.
static inline double tiny_world_seen(const uint8_t *rgb, int half) {
  double sum = 0.0;
  for (int i = 0; i < TINY_HEIGHT * TINY_WIDTH; i++)
    if ((i % TINY_WIDTH >= TINY_WIDTH / 2) == half) sum += rgb[3 * i];
  return (sum / (TINY_HEIGHT * TINY_WIDTH / 2) - 128.0) / 80.0;
}

static inline void tiny_world_episode(data_shard_writer *w, uint64_t episode) {
  enum { PIXELS = TINY_HEIGHT * TINY_WIDTH * 3 };
  uint8_t frames[TINY_LENGTH * PIXELS];
  float actions[TINY_LENGTH * TINY_A], before[TINY_A] = {0};
  for (int t = 0; t < TINY_LENGTH; t++) {
    tiny_world_draw(before, frames + t * PIXELS);
    for (int i = 0; i < TINY_A; i++)
      actions[t * TINY_A + i] = before[i] = tiny_world_action(episode, t, i);
  }
  const data_shard_rows rows = {.n = TINY_LENGTH, .frames = frames, .actions = actions};
  assert_ok(data_shard_writer_append(w, &rows));
  assert_ok(data_shard_writer_end_episode(w));
}

// Data set ROOT/NAME of one shard, whose components are called `names`.
static inline void tiny_world_set(const char *root, const char *name,
                                  const char *const names[TINY_A]) {
  const data_shard_format format = {.branch = "worlds",
                                    .source = "shades of a test",
                                    .fps = 10,
                                    .height = TINY_HEIGHT,
                                    .width = TINY_WIDTH,
                                    .A = TINY_A,
                                    .action_names = names};
  char dir[600], path[700];
  data_shard_writer *w = NULL;
  snprintf(dir, sizeof dir, "%s/%s", root, name);
  assert_ok(orr_fs_mkdirs(dir));
  snprintf(path, sizeof path, "%s/shard-00000.h5", dir);
  assert_ok(data_shard_writer_create(path, &format, DATA_FILTER_NONE, &w));
  for (uint64_t e = 0; e < TINY_EPISODES; e++) tiny_world_episode(w, e);
  assert_ok(data_shard_writer_finish(w));
  data_shard_writer_destroy(w);
  assert_ok(data_index_build(dir, NULL));
}

static inline void tiny_world_run(const char *root, const char *const *words) {
  char err[600];
  snprintf(err, sizeof err, "%s/err", root);
  program_wait_ok(program_start(words, err, true), err);
}

// Trains `stage` into ROOT/name on ROOT/data.
static inline void tiny_world_train(const char *root, const char *stage, const char *name,
                                    const char *data, int steps) {
  char yaml[2048], path[600];
  snprintf(path, sizeof path, "%s/%s.yaml", root, name);
  snprintf(yaml, sizeof yaml,
           "run: {dir: %s/%s, threads: 1, precision: fp32}\n"
           "train: {stage: %s, steps: %d, batch: 16}\ndata: {train: [%s/%s], frames: 4}\n"
           "optim: {lr_peak: 0.01, warmup_steps: 2, decay_steps: 20, ema_decay: 0.9}\n"
           "tokenizer: {patch: 8, rows: 2, cols: 3, levels: [5, 4], width: 32, heads: 4, "
           "kv_heads: 4, hidden: 40, layers: 1, checkpoint: '%s/tokenizer/ckpt'}\n"
           "model: {rows: 2, cols: 3, codes: 20, registers: 1, width: 32, heads: 4, kv_heads: 4, "
           "hidden: 40, layers: 2, time_every: 2, actions: 3, branches: [worlds]}\n",
           root, name, stage, steps, root, data, root);
  assert_ok(orr_fs_write_atomic(path, yaml, strlen(yaml)));
  tiny_world_run(root, (const char *const[]){program_path, "train", path, NULL});
}

// ROOT/out: the tokens of ROOT/clips.
static inline void tiny_world_tokenize(const char *root, const char *clips, const char *out) {
  char from[600], tokenizer[600], to[600];
  snprintf(from, sizeof from, "%s/%s", root, clips);
  snprintf(tokenizer, sizeof tokenizer, "%s/tokenizer/ckpt", root);
  snprintf(to, sizeof to, "%s/%s", root, out);
  tiny_world_run(root, (const char *const[]){program_path, "data", "tokenize", from, "--tokenizer",
                                             tokenizer, "--out", to, "--threads", "1", NULL});
}

static inline void tiny_world_make(const char *root) {
  tiny_world_set(root, "clips", (const char *const[]){"left", "right"});
  tiny_world_train(root, "tokenizer", "tokenizer", "clips", 80);
  tiny_world_tokenize(root, "clips", "tokens");
  tiny_world_train(root, "dynamics", "dynamics", "tokens", 150);
}

#endif
