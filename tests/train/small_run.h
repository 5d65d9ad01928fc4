// Whole training runs in a temporary folder: a data set of random tokens, a configuration of the
// smallest dynamics model, and what a run leaves.
#ifndef TESTS_TRAIN_SMALL_RUN_H
#define TESTS_TRAIN_SMALL_RUN_H

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rng.h"
#include "configs/config.h"
#include "data/set/index.h"
#include "data/shard/writer.h"
#include "dist/world.h"
#include "tests/base/folder.h"
#include "train/run/loop.h"

enum { SMALL_RUN_S = 6, SMALL_RUN_CODES = 20, SMALL_RUN_STEPS_MAX = 64 };

typedef struct {
  char root[FOLDER_PATH]; // temporary folder
  orr_path path;          // the last path made by small_run_path
  int rank;               // of this process
} small_run;

static inline const char *small_run_path(small_run *r, const char *name) {
  snprintf(r->path, sizeof r->path, "%s/%s", r->root, name);
  return r->path;
}

// One shard of `episodes` episodes of 8 to 10 frames with random tokens and actions.
static inline void small_run_shard_from(const char *path, uint64_t seed, int64_t codes,
                                        int episodes, const char *source) {
  static const char *const actions[] = {"left", "right"};
  const data_shard_format f = {.branch = "worlds",
                               .source = source,
                               .fps = 10,
                               .S = SMALL_RUN_S,
                               .codes = codes,
                               .A = 2,
                               .action_names = actions};
  data_shard_writer *w = NULL;
  int32_t tokens[10 * SMALL_RUN_S];
  float action[10 * 2];
  assert_ok(data_shard_writer_create(path, &f, DATA_FILTER_NONE, &w));
  for (int e = 0; e < episodes; e++) {
    for (uint64_t i = 0; i < 10 * SMALL_RUN_S; i++)
      tokens[i] = (int32_t)orr_rng_below(seed, ORR_STREAM_TEST, (uint64_t)e, i, (uint64_t)codes);
    for (uint64_t i = 0; i < 10 * 2; i++)
      action[i] = orr_rng_normal(seed, ORR_STREAM_TEST, 1000 + (uint64_t)e, i);
    const data_shard_rows rows = {.n = 8 + e % 3, .tokens = tokens, .actions = action};
    assert_ok(data_shard_writer_append(w, &rows));
    assert_ok(data_shard_writer_end_episode(w));
  }
  assert_ok(data_shard_writer_finish(w));
  data_shard_writer_destroy(w);
}

static inline void small_run_shard(const char *path, uint64_t seed, int64_t codes, int episodes) {
  small_run_shard_from(path, seed, codes, episodes, "random tokens");
}

// Makes the first action that led to frame `frame` of episode `episode` of a shard above a NaN, in
// the file itself: the writer would refuse it.
static inline void small_run_poison(const char *path, uint64_t seed, int episode, int frame) {
  float row[2];
  char *bytes = NULL;
  size_t size, at = 0;
  for (uint64_t i = 0; i < 2; i++)
    row[i] = orr_rng_normal(seed, ORR_STREAM_TEST, 1000 + (uint64_t)episode,
                            2 * (uint64_t)(frame - 1) + i);
  assert_ok(orr_fs_read_all(path, &bytes, &size));
  while (at + sizeof row <= size && memcmp(bytes + at, row, sizeof row) != 0) at++;
  assert_true(at + sizeof row <= size);
  row[0] = NAN;
  memcpy(bytes + at, row, sizeof row);
  assert_ok(orr_fs_write_atomic(path, bytes, size));
  orr_free(bytes);
}

// A data set of two shards in ROOT/name.
static inline void small_run_data(small_run *r, const char *name) {
  char dir[256], path[512];
  snprintf(dir, sizeof dir, "%s/%s", r->root, name);
  assert_ok(orr_fs_mkdirs(dir));
  for (int i = 0; i < 2; i++) {
    assert_ok(data_shard_name_in(dir, i, path, sizeof path));
    small_run_shard(path, 50 + (uint64_t)i, SMALL_RUN_CODES, 6);
  }
  assert_ok(data_index_build(dir, NULL));
}

static const char small_run_yaml[] =
    "run: {threads: 1, precision: fp32, seed: 3}\n"
    "train: {stage: dynamics, steps: 12, batch: 4}\n"
    "optim: {lr_peak: 0.01, warmup_steps: 2, decay_steps: 4, "
    "ema_decay: 0.9}\n"
    "data: {frames: 4}\n"
    "tokenizer: {rows: 2, cols: 3, levels: [5, 4]}\n"
    "model: {rows: 2, cols: 3, codes: 20, registers: 2, width: 32, "
    "heads: 4, kv_heads: 2, hidden: 40, layers: 2, time_every: 2, "
    "actions: 2, branches: [worlds]}\n"
    "ckpt: {every: 3, keep: 10}\n"
    "guard: {record_every: 1}\n";

// The configuration above with data ROOT/tokens, results in ROOT/name and further assignments,
// ended by NULL.
static inline cfg *small_run_config(small_run *r, const char *name, const char *const *more) {
  cfg *c = NULL;
  char text[512];
  assert_ok(cfg_create(&c));
  assert_ok(cfg_read_text(c, "small", small_run_yaml, strlen(small_run_yaml)));
  snprintf(text, sizeof text, "data.train=[%s/tokens]", r->root);
  assert_ok(cfg_set(c, text));
  snprintf(text, sizeof text, "run.dir=%s/%s", r->root, name);
  assert_ok(cfg_set(c, text));
  for (; *more; more++) assert_ok(cfg_set(c, *more));
  assert_ok(cfg_check(c));
  return c;
}

// Writes a configuration to ROOT/file and destroys it; returns the path, as small_run_path.
static inline const char *small_run_store(small_run *r, const char *file, cfg *c) {
  char *yaml = NULL;
  assert_ok(cfg_print(c, &yaml));
  folder_store(r->root, file, yaml);
  free(yaml);
  cfg_destroy(c);
  return small_run_path(r, file);
}

// Trains; what it has to say goes to ROOT/stderr-RANK.
static inline orr_code small_run_train_world(small_run *r, const char *name, const char *resume,
                                             const char *const *more, dist_world *world) {
  cfg *c = small_run_config(r, name, more);
  fflush(stderr);
  const int kept = dup(2);
  char file[32];
  snprintf(file, sizeof file, "stderr-%d", r->rank);
  const int fd = open(small_run_path(r, file), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(fd, 2);
  close(fd);
  const orr_code rc = train_loop(c, &(train_run_options){.resume = resume}, world);
  fflush(stderr);
  dup2(kept, 2);
  close(kept);
  cfg_destroy(c);
  return rc;
}

static inline orr_code small_run_train(small_run *r, const char *name, const char *resume,
                                       const char *const *more) {
  dist_world *world = NULL;
  assert_ok(dist_world_open(&world));
  const orr_code rc = small_run_train_world(r, name, resume, more, world);
  dist_world_close(world);
  return rc;
}
#define SMALL_RUN(r, name, resume, ...)                                                            \
  small_run_train(r, name, resume, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

// What the last run said on stderr; free with orr_free.
static inline char *small_run_said(small_run *r) {
  char file[32];
  snprintf(file, sizeof file, "stderr-%d", r->rank);
  return folder_text(r->root, file);
}

// Losses of steps 1, 2, ... in ROOT/name/metrics.jsonl (null: NaN); returns their number. Fails on
// a step that is missing or comes twice.
static inline int small_run_losses(small_run *r, const char *name, double *loss) {
  char path[512], line[2048];
  int n = 0;
  snprintf(path, sizeof path, "%s/%s/metrics.jsonl", r->root, name);
  FILE *f = fopen(path, "r");
  if (!f) fail_msg("%s is missing", path);
  while (fgets(line, sizeof line, f)) {
    json_t *j = NULL;
    assert_ok(orr_json_parse(path, line, strlen(line), &j));
    assert_true(n < SMALL_RUN_STEPS_MAX);
    assert_int_equal(json_integer_value(json_object_get(j, "step")), n + 1);
    const json_t *v = json_object_get(j, "loss");
    loss[n++] = json_is_number(v) ? json_number_value(v) : NAN;
    json_decref(j);
  }
  fclose(f);
  return n;
}

// Numbers of the steps of ROOT/name that were skipped, as bits; *clips (=) bad clips of all of
// them.
static inline uint64_t small_run_skipped(small_run *r, const char *name, int64_t *clips) {
  char path[512], line[4096];
  uint64_t steps = 0;
  *clips = 0;
  snprintf(path, sizeof path, "%s/%s/metrics.jsonl", r->root, name);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f)) {
    json_t *j = json_loads(line, 0, NULL);
    const bool skipped = json_object_get(j, "skipped") != NULL;
    if (skipped) steps |= 1ull << json_integer_value(json_object_get(j, "step"));
    *clips += json_integer_value(json_object_get(j, "bad_clips"));
    assert_true(skipped == (json_object_get(j, "bad_clips") != NULL));
    json_decref(j);
  }
  fclose(f);
  return steps;
}

// The text of ROOT/name, without the newline at its end.
static inline void small_run_text(small_run *r, const char *name, char *out, size_t size) {
  char *text = folder_text(r->root, name);
  snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
  orr_free(text);
}

static inline int small_run_setup(void **state) {
  small_run *r = calloc(1, sizeof *r);
  folder_make(r->root);
  small_run_data(r, "tokens");
  *state = r;
  return 0;
}

static inline int small_run_teardown(void **state) {
  small_run *r = *state;
  folder_remove(r->root);
  free(r);
  return 0;
}

#endif
