// labels: full mpi; ranks: 2; needs: orrery
// Held-out figures while a model is trained on two ranks, split either way: they are those that an
// evaluation of its checkpoint finds, and the training has the bits that it has without them.
#include "tests/data/shards.h"
#include "tests/dist/world_folder.h"
#include "tests/dist/world_main.h"
#include "tests/train/program.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "train/eval/eval.h"
#include "train/eval/held_out.h"
#include "train/run/loop.h"

enum { HEIGHT = 16, WIDTH = 24, EPISODES = 6, LENGTH = 9, STEPS = 12, EVERY = 5 };

static const char yaml[] =
    "run: {threads: 1, precision: fp32}\n"
    "optim: {lr_peak: 0.01, warmup_steps: 2, decay_steps: 2, ema_decay: 0.9}\n"
    "train: {steps: 12, batch: 4}\n"
    "data: {frames: 4}\n"
    "tokenizer: {patch: 8, rows: 2, cols: 3, levels: [5, 4], width: 32, heads: 4, kv_heads: 4, "
    "hidden: 40, layers: 1}\n"
    "model: {rows: 2, cols: 3, codes: 20, registers: 1, width: 32, heads: 4, kv_heads: 2, "
    "hidden: 40, layers: 2, time_every: 2, actions: 3, branches: [worlds]}\n"
    "eval: {prompt: 3, horizon: 4, every_clips: 4}\n"
    "guard: {record_every: 1}\n"
    "metrics: {tensorboard: false}\n"
    "ckpt: {every: 0}\n";

typedef struct {
  dist_world *world;
  char root[FOLDER_PATH];
} fixture;

static const char *path_of(const fixture *f, const char *name) {
  static orr_path path[4];
  static int turn;
  turn = (turn + 1) % 4;
  snprintf(path[turn], sizeof path[turn], "%s/%s", f->root, name);
  return path[turn];
}

static void set(cfg *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void set(cfg *c, const char *fmt, ...) {
  char text[1200];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  assert_ok(cfg_set(c, text));
}

// Trains into ROOT/name on both ranks; `more` assignments, ended by NULL.
static void train(const fixture *f, const char *name, bool look, const char *const *more) {
  cfg *c = NULL;
  train_run_options o = {.resume = "none"};
  assert_ok(cfg_create(&c));
  assert_ok(cfg_read_text(c, "test", yaml, strlen(yaml)));
  set(c, "run.dir=%s", path_of(f, name));
  set(c, "data.train=[%s]", path_of(f, "tokens"));
  set(c, "tokenizer.checkpoint=%s", path_of(f, "tokenizer"));
  for (; *more; more++) set(c, "%s", *more);
  if (c->train.stage == CFG_STAGE_TOKENIZER) set(c, "data.train=[%s]", path_of(f, "clips"));
  if (look) {
    set(c, "eval.every=%d", EVERY);
    set(c, "eval.data=[%s, %s]", path_of(f, "held"), path_of(f, "held2"));
  }
  assert_ok(cfg_check(c));
  if (look) assert_ok(train_held_out_create(c, &o.look[0]));
  assert_ok(train_loop(c, &o, f->world));
  train_held_out_destroy(&o.look[0]);
  cfg_destroy(c);
}

static void make_set(const fixture *f, const char *name, int episodes, int first) {
  char path[1100];
  const data_shard_format format = shards_format(HEIGHT, WIDTH, 0);
  int64_t lengths[EPISODES];
  for (int i = 0; i < episodes; i++) lengths[i] = LENGTH;
  assert_ok(orr_fs_mkdirs(path_of(f, name)));
  snprintf(path, sizeof path, "%s/shard-00000.h5", path_of(f, name));
  assert_ok(shards_write(path, &format, DATA_FILTER_NONE, first, lengths, episodes, 0));
  assert_ok(data_index_build(path_of(f, name), NULL));
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  *state = f;
  assert_ok(dist_world_open(&f->world));
  orr_log_setup(ORR_LOG_ERROR, f->world->grid.rank, f->world->grid.ranks);
  world_folder_make(f->world, f->root);
  if (f->world->grid.rank == 0) {
    make_set(f, "clips", EPISODES, 0);
    make_set(f, "held", 3, 40);
    make_set(f, "held2", 2, 60);
  }
  assert_ok(dist_barrier(f->world->axis[DIST_AXIS_WORLD]));
  train(f, "tokenizer", false, (const char *const[]){"train.stage=tokenizer", NULL});
  if (f->world->grid.rank == 0) {
    char err[FOLDER_PATH + 8];
    snprintf(err, sizeof err, "%s/err", f->root);
    program_wait_ok(
        program_start((const char *const[]){program_path, "data", "tokenize", path_of(f, "clips"),
                                            "--tokenizer", path_of(f, "tokenizer"), "--out",
                                            path_of(f, "tokens"), "--threads", "1", NULL},
                      err, true),
        err);
  }
  assert_ok(dist_barrier(f->world->axis[DIST_AXIS_WORLD]));
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  world_folder_remove(f->world, f->root);
  dist_world_close(f->world);
  free(f);
  return 0;
}

// The lines of a file of a run, without the first `skip`.
static char *lines_of(const fixture *f, const char *name, const char *file, int skip) {
  char path[1200], *text = NULL, *from;
  size_t bytes;
  snprintf(path, sizeof path, "%s/%s", path_of(f, name), file);
  assert_ok(orr_fs_read_all(path, &text, &bytes));
  from = text;
  for (int i = 0; i < skip; i++) from = strchr(from, '\n') + 1;
  memmove(text, from, strlen(from) + 1);
  return text;
}

// The line of step `step` in metrics.jsonl.
static json_t *metrics_of(const fixture *f, const char *name, int step) {
  char *text = lines_of(f, name, "metrics.jsonl", step - 1);
  *strchr(text, '\n') = '\0';
  json_t *j = json_loads(text, 0, NULL);
  assert_non_null(j);
  assert_int_equal(json_integer_value(json_object_get(j, "step")), step);
  free(text);
  return j;
}

static double figure(const json_t *line, const char *name) {
  const json_t *v = json_object_get(line, name);
  if (!json_is_number(v)) fail_msg("no %s in that line", name);
  return json_number_value(v);
}

static void compare_bits(const fixture *f, const char *with, const char *without) {
  char *a = lines_of(f, with, "record.jsonl", 1), *b = lines_of(f, without, "record.jsonl", 1);
  int lines = 0;
  for (const char *p = a; (p = strchr(p, '\n')); p++) lines++;
  assert_int_equal(lines, STEPS);
  assert_string_equal(a, b);
  free(b);
  free(a);
}

// -- a dynamics model -----------------------------------------------------------------------

// The same figures of the run's last checkpoint: means over both data sets.
static void compare_figures(const fixture *f, const char *name, const json_t *line) {
  static const char *const sets[] = {"held", "held2"};
  kern *k = NULL;
  train_loaded_model *dynamics = NULL, *tokenizer = NULL;
  double loss = 0, ratio = 0, psnr[4] = {0};
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &k));
  assert_ok(kern_commit(k));
  assert_ok(train_loaded_model_open(path_of(f, name), CFG_STAGE_DYNAMICS, true, k, &dynamics));
  assert_ok(
      train_loaded_model_open(path_of(f, "tokenizer"), CFG_STAGE_TOKENIZER, true, k, &tokenizer));
  assert_int_equal(dynamics->step, STEPS);
  assert_ok(train_loaded_model_pack(dynamics));
  assert_ok(train_loaded_model_pack(tokenizer));
  for (int i = 0; i < 2; i++) {
    train_episodes *episodes = NULL;
    train_eval *e = NULL;
    json_t *j = NULL;
    const cfg *c = dynamics->c;
    assert_ok(train_episodes_open(path_of(f, sets[i]), NULL, &episodes));
    assert_ok(
        train_eval_create(dynamics, tokenizer, episodes,
                          &(train_eval_options){.clips = 4,
                                                .prompt = 3,
                                                .horizon = 4,
                                                .steps = c->eval.steps,
                                                .temperature = c->eval.temperature,
                                                .choice_temperature = c->eval.choice_temperature,
                                                .seed = (uint64_t)c->eval.seed},
                          &e));
    assert_ok(train_eval_run(e, &j));
    loss += figure(j, "loss") / 2;
    ratio += figure(j, "action_shuffle_ratio") / 2;
    for (int h = 0; h < 4; h++)
      psnr[h] += json_number_value(json_array_get(json_object_get(j, "psnr"), (size_t)h)) / 2;
    json_decref(j);
    train_eval_destroy(e);
    train_episodes_close(episodes);
  }
  train_loaded_model_close(tokenizer);
  train_loaded_model_close(dynamics);
  kern_destroy(k);
  /* printed with nine digits */
  assert_true(fabs(figure(line, "eval_loss") / loss - 1) < 1e-8);
  assert_true(fabs(figure(line, "eval_action_shuffle_ratio") / ratio - 1) < 1e-8);
  for (int h = 0; h < 4; h++) {
    char key[32];
    snprintf(key, sizeof key, "eval_psnr_%d", h + 1);
    assert_true(fabs(figure(line, key) / psnr[h] - 1) < 1e-8);
  }
}

static void check_dynamics(const fixture *f, const char *const *layout) {
  char with[32], without[32];
  static int runs;
  snprintf(with, sizeof with, "with-%d", runs);
  snprintf(without, sizeof without, "without-%d", runs++);
  train(f, without, false, layout);
  train(f, with, true, layout);
  if (f->world->grid.rank == 0) {
    compare_bits(f, with, without);
    double before = 0;
    for (int step = 1; step <= STEPS; step++) {
      json_t *line = metrics_of(f, with, step);
      if (step % EVERY == 0 || step == STEPS) {
        assert_true(figure(line, "eval_ms") > 0);
        assert_true(figure(line, "eval_loss") != before); // of other weights each time
        before = figure(line, "eval_loss");
      } else {
        assert_null(json_object_get(line, "eval_loss"));
        assert_null(json_object_get(line, "eval_ms"));
      }
      if (step == STEPS) compare_figures(f, with, line);
      json_decref(line);
    }
    char path[64];
    snprintf(path, sizeof path, "%s/eval/step-%08d.png", with, EVERY);
    assert_true(orr_fs_exists(path_of(f, path)));
    snprintf(path, sizeof path, "%s/strip-held-out.png", with);
    assert_true(orr_fs_exists(path_of(f, path)));
  }
  assert_ok(dist_barrier(f->world->axis[DIST_AXIS_WORLD]));
}

static void test_figures_are_the_checkpoints_and_no_bit_changes(void **state) {
  check_dynamics(*state, (const char *const[]){"dist.tp=1", NULL});
  check_dynamics(*state, (const char *const[]){"dist.zero=1", NULL});
  check_dynamics(*state, (const char *const[]){"dist.zero=1", "optim.optimizer=muon", NULL});
  check_dynamics(*state, (const char *const[]){"dist.tp=2", NULL});
}

// -- a tokenizer ----------------------------------------------------------------------------

static void test_a_tokenizer_is_measured_while_it_is_trained(void **state) {
  const fixture *f = *state;
  train(f, "measured", true, (const char *const[]){"train.stage=tokenizer", NULL});
  if (f->world->grid.rank == 0) {
    compare_bits(f, "measured", "tokenizer");
    json_t *line = metrics_of(f, "measured", 2 * EVERY);
    assert_true(figure(line, "eval_tokenizer_psnr") > 5);
    assert_true(figure(line, "eval_codes_used") >= 1);
    assert_null(json_object_get(line, "eval_loss"));
    json_decref(line);
    assert_true(orr_fs_exists(path_of(f, "measured/strip-held-out.png")));
  }
  assert_ok(dist_barrier(f->world->axis[DIST_AXIS_WORLD]));
}

// -- what cannot be measured ----------------------------------------------------------------

static void test_a_data_set_that_is_not_there_ends_the_run_at_its_start(void **state) {
  const fixture *f = *state;
  cfg *c = NULL;
  train_run_options o = {.resume = "none"};
  assert_ok(cfg_create(&c));
  assert_ok(cfg_read_text(c, "test", yaml, strlen(yaml)));
  set(c, "run.dir=%s", path_of(f, "nothing"));
  set(c, "data.train=[%s]", path_of(f, "tokens"));
  set(c, "tokenizer.checkpoint=%s", path_of(f, "tokenizer"));
  set(c, "eval.every=1");
  set(c, "eval.data=[%s]", path_of(f, "nowhere"));
  assert_ok(train_held_out_create(c, &o.look[0]));
  assert_int_not_equal(train_loop(c, &o, f->world), ORR_OK);
  assert_non_null(strstr(orr_status_message(), "nowhere"));
  train_held_out_destroy(&o.look[0]);
  cfg_destroy(c);
}

int main(void) {
  setenv("CMOCKA_TEST_ABORT", "1", 1); // a rank that fails would leave the other one waiting
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_figures_are_the_checkpoints_and_no_bit_changes),
      cmocka_unit_test(test_a_tokenizer_is_measured_while_it_is_trained),
      cmocka_unit_test(test_a_data_set_that_is_not_there_ends_the_run_at_its_start),
  };
  return cmocka_run_group_tests_name("train/held_out", tests, setup, teardown);
}
