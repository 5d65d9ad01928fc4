// Writes what exact_layouts.py trains on: a data set of random tokens, actions, rewards and ends in
// DIR/tokens, of two views a frame, and the configuration of a small dynamics model with all parts
// that do not exclude each other in DIR/dynamics.yaml; random frames in DIR/frames, and that of a
// small tokenizer in DIR/tokenizer.yaml.
#include "tests/train/small_run.h"

enum { EPISODES = 40, FRAMES = 24, HEIGHT = 8, WIDTH = 12 };

static void write_episode(data_shard_writer *w, uint64_t e) {
  int32_t tokens[FRAMES * SMALL_RUN_S];
  float action[FRAMES * 2], reward[FRAMES];
  uint8_t done[FRAMES] = {0};
  for (uint64_t i = 0; i < FRAMES * SMALL_RUN_S; i++)
    tokens[i] = (int32_t)orr_rng_below(1, ORR_STREAM_TEST, e, i, SMALL_RUN_CODES);
  for (uint64_t i = 0; i < FRAMES * 2; i++) action[i] = orr_rng_normal(2, ORR_STREAM_TEST, e, i);
  for (uint64_t i = 0; i < FRAMES; i++) reward[i] = orr_rng_normal(3, ORR_STREAM_TEST, e, i);
  done[FRAMES - 1] = 1;
  const data_shard_rows rows = {
      .n = FRAMES, .tokens = tokens, .actions = action, .reward = reward, .done = done};
  assert_ok(data_shard_writer_append(w, &rows));
  assert_ok(data_shard_writer_set_success(w, e % 2));
  assert_ok(data_shard_writer_end_episode(w));
}

static void write_frames(small_run *r) {
  static uint8_t frames[FRAMES * HEIGHT * WIDTH * 3];
  const data_shard_format f = {
      .branch = "worlds", .source = "random frames", .fps = 10, .height = HEIGHT, .width = WIDTH};
  const data_shard_rows rows = {.n = FRAMES, .frames = frames};
  data_shard_writer *w = NULL;
  char path[512];
  assert_ok(orr_fs_mkdirs(small_run_path(r, "frames")));
  assert_ok(data_shard_name_in(small_run_path(r, "frames"), 0, path, sizeof path));
  assert_ok(data_shard_writer_create(path, &f, DATA_FILTER_NONE, &w));
  for (uint64_t e = 0; e < EPISODES; e++) {
    for (uint64_t i = 0; i < sizeof frames; i++)
      frames[i] = (uint8_t)orr_rng_below(4, ORR_STREAM_TEST, e, i, 256);
    assert_ok(data_shard_writer_append(w, &rows));
    assert_ok(data_shard_writer_end_episode(w));
  }
  assert_ok(data_shard_writer_finish(w));
  data_shard_writer_destroy(w);
  assert_ok(data_index_build(small_run_path(r, "frames"), NULL));
}

static void write_tokens(small_run *r) {
  static const char *const actions[] = {"left", "right"};
  const data_shard_format f = {
      .branch = "worlds",
      .source = "random tokens",
      .fps = 10,
      .S = SMALL_RUN_S,
      .codes = SMALL_RUN_CODES,
      .A = 2,
      .action_names = actions,
      .reward = true,
      .done = true,
      .success = true,
      .views = {.n = 2,
                .of = {{.name = "base", .width = 2, .height = 2},
                       {.name = "wrist", .x = 2, .width = 1, .height = 2}}}};
  data_shard_writer *w = NULL;
  assert_ok(orr_fs_mkdirs(small_run_path(r, "tokens")));
  char path[512];
  assert_ok(data_shard_name_in(small_run_path(r, "tokens"), 0, path, sizeof path));
  assert_ok(data_shard_writer_create(path, &f, DATA_FILTER_NONE, &w));
  for (uint64_t e = 0; e < EPISODES; e++) write_episode(w, e);
  assert_ok(data_shard_writer_finish(w));
  data_shard_writer_destroy(w);
  assert_ok(data_index_build(small_run_path(r, "tokens"), NULL));
}

static const char *const all_parts[] = {"run.exact=true",
                                        "data.frames=8",
                                        "train.batch=24",
                                        "model.kv_heads=4",
                                        "model.hidden=48",
                                        "model.views=[base 0 0 2 2, wrist 2 0 1 2]",
                                        "model.before=true",
                                        "model.change_weight=2.5",
                                        "model.reward_weight=0.5",
                                        "model.done_weight=2",
                                        "model.progress_weight=1",
                                        "metrics.profile=false",
                                        "metrics.tensorboard=false",
                                        NULL};

static const char *const of_tokenizer[] = {
    "run.exact=true",        "train.stage=tokenizer",     "data.frames=8",
    "train.batch=24",        "tokenizer.patch=4",         "tokenizer.width=32",
    "tokenizer.heads=4",     "tokenizer.kv_heads=4",      "tokenizer.hidden=48",
    "tokenizer.layers=2",    "tokenizer.l1=0.5",          "tokenizer.patchwise=true",
    "metrics.profile=false", "metrics.tensorboard=false", NULL};

int main(int argc, char **argv) {
  small_run r = {0};
  if (argc != 2 || snprintf(r.root, sizeof r.root, "%s", argv[1]) >= (int)sizeof r.root) return 2;
  assert_ok(orr_fs_mkdirs(r.root));
  write_tokens(&r);
  write_frames(&r);
  small_run_store(&r, "dynamics.yaml", small_run_config(&r, "run", all_parts));
  cfg *c = small_run_config(&r, "run", of_tokenizer);
  char text[512];
  snprintf(text, sizeof text, "data.train=[%s/frames]", r.root);
  assert_ok(cfg_set(c, text));
  small_run_store(&r, "tokenizer.yaml", c);
  return 0;
}
