// labels: quick
// Configurations to start from: they fit the data, the time and the rules, for any machine.
#include "tests/data/shards.h"

#include "train/model/dynamics_dims.h"
#include "train/model/tokenizer.h"
#include "train/setup/run_data.h"
#include "train/setup/starter.h"
#include "train/timing/forecast.h"

typedef struct {
  char root[512], dir[600];
  data_index *set;
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  *state = f;
  snprintf(f->root, sizeof f->root, "%s", shards_folder("starter"));
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  folder_remove(f->root);
  free(f);
  return 0;
}

// A data set of three episodes of `base` to base+2 frames; tokens where S > 0.
static void make(fixture *f, int64_t height, int64_t width, int64_t S, int64_t base) {
  const data_shard_format format = shards_format(height, width, S);
  snprintf(f->dir, sizeof f->dir, "%s/%dx%d-%d-%d", f->root, (int)height, (int)width, (int)S,
           (int)base);
  assert_ok(orr_fs_mkdirs(f->dir));
  shards_data_set(f->dir, &format, 1, 3, base);
  assert_ok(data_index_build(f->dir, NULL));
  assert_ok(data_index_open(f->dir, &f->set));
}

static train_starter starter_of(const fixture *f, int stage, double rate, double minutes) {
  return (train_starter){.stage = stage,
                         .data = f->dir,
                         .set = f->set,
                         .rate = rate,
                         .machine = "a machine",
                         .minutes = minutes};
}

// Seconds that the chosen training takes, as it is foreseen.
static double seconds_of(const cfg *c, double rate) {
  double flops;
  if (c->train.stage == CFG_STAGE_DYNAMICS) {
    train_dynamics_dims d;
    train_dynamics_dims_from(c, &d);
    flops = train_dynamics_flops(&d, c->train.batch, c->data.frames);
  } else {
    train_tokenizer_dims d;
    train_tokenizer_dims_from(c, &d);
    flops = (double)(c->train.batch * c->data.frames) * train_tokenizer_flops(&d);
  }
  return (double)c->train.steps * train_forecast_step_s(flops, rate);
}

// The text is read back to the same configuration, which fits the data and the time.
static void assert_fits(const train_starter *s, const cfg *c) {
  char *yaml = NULL, *a = NULL, *b = NULL;
  cfg *back = NULL;
  orr_faults f = {0};
  assert_ok(train_starter_text(s, c, &yaml));
  assert_ok(cfg_create(&back));
  assert_ok(cfg_read_text(back, "written", yaml, strlen(yaml)));
  assert_ok(cfg_check(back));
  assert_ok(cfg_print(c, &a));
  assert_ok(cfg_print(back, &b));
  assert_string_equal(a, b);
  assert_ok(train_run_data_look(back, false, &f));
  assert_ok(orr_faults_end(&f));
  assert_true(seconds_of(back, s->rate) <= 60 * s->minutes);
  free(b);
  free(a);
  cfg_destroy(back);
  free(yaml);
}

static void test_a_tokenizer_fits_frames_time_and_machine(void **state) {
  fixture *f = *state;
  static const struct {
    int64_t height, width, patch;
  } frames[] = {{64, 64, 8}, {48, 64, 8}, {16, 24, 4}, {96, 128, 16}, {60, 80, 10}};
  for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
    make(f, frames[i].height, frames[i].width, 0, 40);
    int64_t before = 0;
    for (double rate = 1e10; rate < 1e15; rate *= 10) {
      cfg *c = NULL;
      const train_starter s = starter_of(f, CFG_STAGE_TOKENIZER, rate, 30);
      assert_ok(cfg_create(&c));
      assert_ok(train_starter_choose(&s, c));
      assert_int_equal(c->tokenizer.patch, frames[i].patch);
      assert_int_equal(c->tokenizer.rows * frames[i].patch, frames[i].height);
      assert_int_equal(c->tokenizer.cols * frames[i].patch, frames[i].width);
      assert_true(c->tokenizer.width >= before); // a faster machine never trains a smaller model
      before = c->tokenizer.width;
      assert_fits(&s, c);
      cfg_destroy(c);
    }
    assert_int_equal(before, 384); // and a fast one the largest
    data_index_close(f->set);
  }
}

static void test_a_dynamics_model_fits_tokens_and_tokenizer(void **state) {
  fixture *f = *state;
  cfg *tokenizer = NULL, *c = NULL;
  make(f, 0, 0, 6, 9);
  assert_ok(cfg_create(&tokenizer));
  static const char *const sets[] = {"train.stage=tokenizer", "tokenizer.rows=2",
                                     "tokenizer.cols=3", "tokenizer.levels=[9, 10, 10]"};
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) assert_ok(cfg_set(tokenizer, sets[i]));
  train_starter s = starter_of(f, CFG_STAGE_DYNAMICS, 1e11, 5);
  s.tokenizer = tokenizer;
  s.checkpoint = "runs/my \"tokenizer\"";
  assert_ok(cfg_create(&c));
  assert_ok(train_starter_choose(&s, c));
  assert_int_equal(c->model.rows, 2);
  assert_int_equal(c->model.cols, 3);
  assert_int_equal(c->model.codes, CODES);
  assert_int_equal(c->model.actions, 2);
  assert_int_equal(c->data.frames, 11); // its longest episode
  assert_string_equal(c->model.branches.v[0], "worlds");
  assert_string_equal(c->tokenizer.checkpoint, s.checkpoint);
  assert_true(c->model.before && c->model.digits && c->optim.digit_share > 0); // the recipe's
  assert_fits(&s, c);
  cfg_destroy(c);
  assert_ok(cfg_set(tokenizer, "tokenizer.levels=[8, 10, 10]"));
  assert_ok(cfg_create(&c));
  assert_int_equal(train_starter_choose(&s, c), ORR_EINVAL);
  assert_message_names("6 tokens a frame of 900 codes", "makes 6 of 800", "--tokenizer");
  cfg_destroy(c);
  cfg_destroy(tokenizer);
  data_index_close(f->set);
}

static orr_code choose(const train_starter *s) {
  cfg *c = NULL;
  assert_ok(cfg_create(&c));
  const orr_code rc = train_starter_choose(s, c);
  cfg_destroy(c);
  return rc;
}

static void test_what_cannot_be_trained_is_refused_with_what_to_do(void **state) {
  fixture *f = *state;
  make(f, 22, 23, 0, 9);
  train_starter s = starter_of(f, CFG_STAGE_TOKENIZER, 1e11, 5);
  assert_int_equal(choose(&s), ORR_EINVAL);
  assert_message_names("22 x 23", "4 to 16 pixels", "import with --size");
  data_index_close(f->set);
  make(f, 16, 16, 0, 9);
  s = starter_of(f, CFG_STAGE_TOKENIZER, 1e6, 0.1);
  assert_int_equal(choose(&s), ORR_EINVAL);
  assert_message_names("--minutes 0.1", "steps of the smallest model", "more time");
  s = starter_of(f, CFG_STAGE_DYNAMICS, 1e11, 5);
  assert_int_equal(choose(&s), ORR_EINVAL);
  assert_message_names("frames only", "orrery data tokenize");
  data_index_close(f->set);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_tokenizer_fits_frames_time_and_machine),
      cmocka_unit_test(test_a_dynamics_model_fits_tokens_and_tokenizer),
      cmocka_unit_test(test_what_cannot_be_trained_is_refused_with_what_to_do),
  };
  return cmocka_run_group_tests_name("train/setup/starter", tests, setup, teardown);
}
