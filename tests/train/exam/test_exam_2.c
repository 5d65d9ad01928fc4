// labels: full mpi; ranks: 2; needs: orrery
// The exam of a model of a few steps: over two ranks the same bits as over one; and small exams
// while a model is trained tell what an exam of that checkpoint tells, and change nothing.
#include "tests/dist/world_folder.h"
#include "tests/dist/world_main.h"
#include "tests/train/program.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "data/sim/physics_play.h"
#include "train/exam/exam.h"
#include "train/exam/watch.h"
#include "train/run/loop.h"

enum { HEIGHT = 16, WIDTH = 24, STEPS = 6, PAIRS = 2, S = 6, CODES = 20 };

static const char yaml[] =
    "run: {threads: 1, precision: fp32}\n"
    "optim: {lr_peak: 0.01, warmup_steps: 2, decay_steps: 2, ema_decay: 0.9}\n"
    "train: {steps: 6, batch: 4}\n"
    "data: {frames: 16}\n"
    "tokenizer: {patch: 8, rows: 2, cols: 3, levels: [5, 4], width: 32, heads: 4, kv_heads: 4, "
    "hidden: 40, layers: 1}\n"
    "model: {rows: 2, cols: 3, codes: 20, registers: 1, width: 32, heads: 4, kv_heads: 2, "
    "hidden: 40, layers: 2, time_every: 2, actions: 2, branches: [worlds], before: true}\n"
    "eval: {steps: 2, exam_pairs: 2, exam_passes: 3}\n"
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

static void run_alone(const fixture *f, const char *const *words) {
  char err[FOLDER_PATH + 8];
  snprintf(err, sizeof err, "%s/err", f->root);
  if (f->world->grid.rank == 0) program_wait_ok(program_start(words, err, true), err);
  assert_ok(dist_barrier(f->world->axis[DIST_AXIS_WORLD]));
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

// Trains into ROOT/name on both ranks.
static void train(const fixture *f, const char *name, bool tokenizer, int exam_every) {
  cfg *c = NULL;
  train_run_options o = {.resume = "none"};
  assert_ok(cfg_create(&c));
  assert_ok(cfg_read_text(c, "test", yaml, strlen(yaml)));
  set(c, "run.dir=%s", path_of(f, name));
  set(c, "data.train=[%s]", path_of(f, tokenizer ? "clips" : "tokens"));
  set(c, "tokenizer.checkpoint=%s", tokenizer ? "" : path_of(f, "tokenizer"));
  set(c, "train.stage=%s", tokenizer ? "tokenizer" : "dynamics");
  set(c, "eval.exam_every=%d", exam_every);
  assert_ok(cfg_check(c));
  if (exam_every)
    assert_ok(dist_agree(f->world->axis[DIST_AXIS_WORLD],
                         train_exam_watch_create(c, f->world->grid.rank == 0, &o.look[1]),
                         "prepare exams"));
  assert_ok(train_loop(c, &o, f->world));
  train_exam_watch_destroy(&o.look[1]);
  cfg_destroy(c);
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  *state = f;
  assert_ok(dist_world_open(&f->world));
  orr_log_setup(ORR_LOG_ERROR, f->world->grid.rank, f->world->grid.ranks);
  world_folder_make(f->world, f->root);
  if (!data_physics_available()) return 0;
  run_alone(f,
            (const char *const[]){program_path, "data", "generate", "--scene", "physics", "--size",
                                  "16x24", "--episodes", "16", "--out", path_of(f, "clips"), NULL});
  train(f, "tokenizer", true, 0);
  run_alone(f, (const char *const[]){program_path, "data", "tokenize", path_of(f, "clips"),
                                     "--tokenizer", path_of(f, "tokenizer"), "--out",
                                     path_of(f, "tokens"), "--threads", "1", NULL});
  train(f, "examined", false, 4);
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  world_folder_remove(f->world, f->root);
  dist_world_close(f->world);
  free(f);
  return 0;
}

static fixture *need(void **state) {
  if (!data_physics_available()) {
    print_message("skipped: this build has no MuJoCo\n");
    skip();
  }
  return *state;
}

// -- a model that is open ---------------------------------------------------------------------

typedef struct {
  kern *k;
  train_loaded_model *dynamics, *tokenizer;
  train_examinee e;
  train_exam_options o;
  orr_path sets;
} opened;

static void open_model(const fixture *f, int64_t passes, opened *x) {
  memset(x, 0, sizeof *x);
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &x->k));
  assert_ok(kern_commit(x->k));
  assert_ok(train_loaded_model_open(path_of(f, "examined"), CFG_STAGE_DYNAMICS, true, x->k,
                                    &x->dynamics));
  assert_ok(train_loaded_model_open(path_of(f, "tokenizer"), CFG_STAGE_TOKENIZER, true, x->k,
                                    &x->tokenizer));
  assert_ok(train_loaded_model_pack(x->dynamics));
  assert_ok(train_loaded_model_pack(x->tokenizer));
  const cfg *c = x->dynamics->c;
  assert_ok(train_examinee_model(
      x->dynamics, x->tokenizer,
      &(train_examinee_options){.passes = passes,
                                .decoding = {.steps = 2,
                                             .temperature = c->eval.temperature,
                                             .choice_temperature = c->eval.choice_temperature,
                                             .seed = (uint64_t)c->eval.seed},
                                .branch = "worlds"},
      &x->e));
  snprintf(x->sets, sizeof x->sets, "%s", path_of(f, "examined/exam"));
  x->o = (train_exam_options){.root = x->sets,
                              .pairs = PAIRS,
                              .rollouts = PAIRS,
                              .height = HEIGHT,
                              .width = WIDTH,
                              .seed = (uint64_t)c->eval.seed,
                              .branch = "worlds",
                              .processes = 1};
  x->o.range[DATA_PHYSICS_RANGE_inside] = true;
}

static void close_model(opened *x) {
  train_examinee_destroy(&x->e);
  train_loaded_model_close(x->tokenizer);
  train_loaded_model_close(x->dynamics);
  kern_destroy(x->k);
}

// -- what holds -------------------------------------------------------------------------------

// More groups than the watch had, so that both ranks have some.
static void test_two_ranks_write_what_one_writes(void **state) {
  fixture *f = need(state);
  dist_comm *all = f->world->axis[DIST_AXIS_WORLD];
  opened x;
  json_t *two = NULL, *one = NULL;
  open_model(f, 3, &x);
  x.o.pairs = x.o.rollouts = 6;
  x.o.changes = x.o.longs = 3;
  x.o.concept[DATA_PHYSICS_CONCEPT_collision] = x.o.concept[DATA_PHYSICS_CONCEPT_tool] = true;
  const train_exam_options fit = train_exam_calibration_options(&x.o, 3);
  train_exam_calibration c[2];
  assert_ok(
      dist_agree(all, f->world->grid.rank == 0 ? train_exam_make(&x.o) : ORR_OK, "make the sets"));
  assert_ok(dist_agree(all, f->world->grid.rank == 0 ? train_exam_make(&fit) : ORR_OK,
                       "make the calibration's"));
  assert_ok(train_exam_calibrate(all, &fit, &x.e, &c[0]));
  assert_ok(train_exam_calibrate(NULL, &fit, &x.e, &c[1]));
  assert_memory_equal(&c[0], &c[1], sizeof c[0]);
  assert_true(c[0].pair[DATA_PHYSICS_CONCEPT_tool] > 0 &&
              c[0].pair[DATA_PHYSICS_CONCEPT_motion] == 0);
  x.o.calibration = &c[0];
  assert_ok(train_exam_run(all, &x.o, &x.e, &two));
  assert_ok(train_exam_run(NULL, &x.o, &x.e, &one));
  char *a = json_dumps(two, JSON_SORT_KEYS), *b = json_dumps(one, JSON_SORT_KEYS);
  assert_string_equal(a, b);
  assert_non_null(strstr(a, "surprise_accuracy"));
  const json_t *both = json_object_get(json_object_get(one, "all"), "inside");
  assert_non_null(json_object_get(both, "relative_ece"));
  assert_true(json_is_number(json_object_get(json_object_get(both, "foresight_ece"), "value")));
  free(b);
  free(a);
  json_decref(one);
  json_decref(two);
  close_model(&x);
}

// Each frame's is given what really came before it, wherever one begins to ask.
static void test_a_frame_has_its_own_surprise(void **state) {
  fixture *f = need(state);
  opened x;
  open_model(f, S, &x);
  train_exam_set s;
  const train_exam_wish w = {.root = x.sets,
                             .concept = DATA_PHYSICS_CONCEPT_motion,
                             .range = DATA_PHYSICS_RANGE_inside,
                             .kind = TRAIN_EXAM_pairs,
                             .groups = 1,
                             .height = HEIGHT,
                             .width = WIDTH,
                             .seed = x.o.seed,
                             .branch = "worlds"};
  double all[2 * TRAIN_EXAM_MOST], last[2 * TRAIN_EXAM_MOST];
  assert_ok(train_exam_set_load(&w, &s));
  const train_exam_clip whole[] = {{&s, 0, 7}, {&s, 1, 7}}, end[] = {{&s, 0, 15}, {&s, 1, 15}};
  assert_ok(x.e.surprise(x.e.ctx, whole, 2, all));
  assert_ok(x.e.surprise(x.e.ctx, end, 2, last));
  for (int i = 0; i < 2 * TRAIN_EXAM_MOST; i++) {
    const int t = i % TRAIN_EXAM_MOST;
    // what is given and what is not there surprises nobody; a model of a few steps knows little:
    // near 20 codes alike at 6 positions
    if (t < 7 || t >= TRAIN_EXAM_FRAMES)
      assert_true(all[i] == 0);
    else
      assert_true(all[i] > 0 && all[i] < 2 * S * log(CODES));
    assert_true(last[i] == (t == 15 ? all[i] : 0));
  }
  train_exam_set_release(&s);
  close_model(&x);
}

static json_t *line_of(const fixture *f, const char *name, int step) {
  char path[1200], *text = NULL, *from;
  size_t bytes;
  snprintf(path, sizeof path, "%s/metrics.jsonl", path_of(f, name));
  assert_ok(orr_fs_read_all(path, &text, &bytes));
  from = text;
  for (int i = 1; i < step; i++) from = strchr(from, '\n') + 1;
  *strchr(from, '\n') = '\0';
  json_t *j = json_loads(from, 0, NULL);
  assert_non_null(j);
  free(text);
  return j;
}

static void test_exams_while_it_is_trained_are_those_of_the_checkpoint(void **state) {
  fixture *f = need(state);
  opened x;
  json_t *exam = NULL;
  if (f->world->grid.rank == 0) {
    open_model(f, 3, &x);
    for (int c = 0; c < DATA_PHYSICS_CONCEPTS; c++) x.o.concept[c] = true;
    assert_ok(train_exam_run(NULL, &x.o, &x.e, &exam));
    json_t *last = line_of(f, "examined", STEPS), *early = line_of(f, "examined", 4),
           *none = line_of(f, "examined", 3);
    assert_null(json_object_get(none, "eval_exam_motion"));
    assert_non_null(json_object_get(early, "eval_exam_motion"));
    for (int c = 0; c < DATA_PHYSICS_CONCEPTS; c++) {
      char name[64];
      snprintf(name, sizeof name, "eval_exam_%s", data_physics_concept_names[c]);
      const json_t *v = json_object_get(
          json_object_get(
              json_object_get(json_object_get(exam, data_physics_concept_names[c]), "inside"),
              "surprise_accuracy"),
          "value");
      assert_true(json_number_value(json_object_get(last, name)) == json_number_value(v));
    }
    json_decref(none);
    json_decref(early);
    json_decref(last);
    json_decref(exam);
    close_model(&x);
  }
  assert_ok(dist_barrier(f->world->axis[DIST_AXIS_WORLD]));
}

static char *record_of(const fixture *f, const char *name) {
  char path[1200], *text = NULL;
  size_t bytes;
  snprintf(path, sizeof path, "%s/record.jsonl", path_of(f, name));
  assert_ok(orr_fs_read_all(path, &text, &bytes));
  return text;
}

static void test_training_has_the_bits_that_it_has_without(void **state) {
  fixture *f = need(state);
  train(f, "plain", false, 0);
  char *a = record_of(f, "examined"), *b = record_of(f, "plain");
  assert_string_equal(strchr(a, '\n'), strchr(b, '\n')); // the first line says whose it is
  free(b);
  free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_two_ranks_write_what_one_writes),
      cmocka_unit_test(test_a_frame_has_its_own_surprise),
      cmocka_unit_test(test_exams_while_it_is_trained_are_those_of_the_checkpoint),
      cmocka_unit_test(test_training_has_the_bits_that_it_has_without),
  };
  alarm(1200);
  return cmocka_run_group_tests_name("train/exam/exam_2", tests, setup, teardown);
}
