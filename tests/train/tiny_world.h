// The smallest world model that the program itself trains, from clips that show the number of the
// action that led to each frame (tests/data/shards.h): ROOT/clips, ROOT/tokens, ROOT/tokenizer and
// ROOT/dynamics.
#ifndef TESTS_TRAIN_TINY_WORLD_H
#define TESTS_TRAIN_TINY_WORLD_H

#include "tests/data/shards.h"
#include "tests/train/program.h"

enum { TINY_HEIGHT = 16, TINY_WIDTH = 24, TINY_EPISODES = 8, TINY_LENGTH = 9 };

// Data set ROOT/name of one shard with 8 episodes of 9 frames.
static inline void tiny_world_set(const char *root, const char *name, json_t *extra) {
  char dir[1024], path[1100];
  const data_shard_format format = shards_format(TINY_HEIGHT, TINY_WIDTH, 0);
  int64_t lengths[TINY_EPISODES];
  for (int i = 0; i < TINY_EPISODES; i++) lengths[i] = TINY_LENGTH;
  snprintf(dir, sizeof dir, "%s/%s", root, name);
  assert_ok(orr_fs_mkdirs(dir));
  snprintf(path, sizeof path, "%s/shard-00000.h5", dir);
  assert_ok(shards_write(path, &format, DATA_FILTER_NONE, 0, lengths, TINY_EPISODES, 0));
  assert_ok(data_index_build(dir, extra));
}

static inline void tiny_world_run(const char *root, const char *const *words) {
  char err[600];
  snprintf(err, sizeof err, "%s/err", root);
  program_wait_ok(program_start(words, err, true), err);
}

// Trains `stage` into ROOT/name on ROOT/data, 10 steps.
static inline void tiny_world_train(const char *root, const char *stage, const char *name,
                                    const char *data, const char *tokenizer) {
  char yaml[2048], path[600];
  snprintf(path, sizeof path, "%s/%s.yaml", root, name);
  snprintf(yaml, sizeof yaml,
           "run: {dir: %s/%s, threads: 1, precision: fp32}\n"
           "train: {stage: %s, steps: 10, batch: 4}\ndata: {train: [%s/%s], frames: 4}\n"
           "optim: {lr_peak: 0.01, warmup_steps: 2, decay_steps: 2}\n"
           "tokenizer: {patch: 8, rows: 2, cols: 3, levels: [5, 4], width: 32, heads: 4, "
           "kv_heads: 4, hidden: 40, layers: 1, checkpoint: '%s/%s/ckpt'}\n"
           "model: {rows: 2, cols: 3, codes: 20, registers: 1, width: 32, heads: 4, kv_heads: 4, "
           "hidden: 40, layers: 2, time_every: 2, actions: 3, branches: [worlds]}\n",
           root, name, stage, root, data, root, tokenizer);
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
  tiny_world_set(root, "clips", NULL);
  tiny_world_train(root, "tokenizer", "tokenizer", "clips", "tokenizer");
  tiny_world_tokenize(root, "clips", "tokens");
  tiny_world_train(root, "dynamics", "dynamics", "tokens", "tokenizer");
}

#endif
