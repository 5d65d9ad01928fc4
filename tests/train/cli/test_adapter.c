// labels: quick
// Adapters (train.lora_rank): they begin as their base to the bit, go on where they stopped, travel
// as PEFT's files, and belong to one base.
#include "tests/train/small_run.h"

#include "checkpoints/checkpoint.h"
#include "train/infer/loaded_model.h"
#include "train/save/adapter_file.h"
#include "train/save/base.h"

#define RANK "train.lora_rank=2"

static const char *in_root(small_run *r, const char *name, char out[600]) {
  snprintf(out, 600, "%s/%s", r->root, name);
  return out;
}

// A run `name` from ROOT/base with four further assignments.
static orr_code tune(small_run *r, const char *name, const char *resume, const char *a,
                     const char *b, const char *c) {
  char init[700];
  snprintf(init, sizeof init, "train.init_from=%s/base", r->root);
  return SMALL_RUN(r, name, resume, init, a, b, c);
}

static orr_hash_hex base_hash(small_run *r, const char *run) {
  char path[600];
  ckpt_reader *reader = NULL;
  orr_hash_hex h;
  assert_ok(ckpt_open(in_root(r, run, path), &reader));
  assert_ok(train_base_hash(reader, true, &h));
  ckpt_close(reader);
  return h;
}

static void test_an_adapter_begins_as_its_base_and_leaves_it_alone(void **state) {
  small_run *r = *state;
  double whole[SMALL_RUN_STEPS_MAX], still[SMALL_RUN_STEPS_MAX], tuned[SMALL_RUN_STEPS_MAX];
  assert_ok(SMALL_RUN(r, "base", "none"));
  const orr_hash_hex before = base_hash(r, "base");
  assert_ok(tune(r, "whole", "none", "optim.lr_peak=0", "train.steps=6", "optim.clip_norm=1"));
  assert_ok(tune(r, "still", "none", "optim.lr_peak=0", "train.steps=6", RANK));
  assert_ok(tune(r, "tuned", "none", "optim.lr_peak=0.03", "train.steps=12", RANK));
  assert_int_equal(small_run_losses(r, "whole", whole), 6);
  assert_int_equal(small_run_losses(r, "still", still), 6);
  assert_int_equal(small_run_losses(r, "tuned", tuned), 12);
  for (int i = 0; i < 6; i++) assert_true(whole[i] == still[i]); // to the bit
  assert_true(tuned[0] == whole[0]);
  assert_true(tuned[5] != whole[5]);
  assert_string_equal(base_hash(r, "base").s, before.s);
}

static void test_a_run_goes_on_to_the_bit(void **state) {
  small_run *r = *state;
  double straight[SMALL_RUN_STEPS_MAX], resumed[SMALL_RUN_STEPS_MAX];
  assert_ok(tune(r, "straight", "none", "optim.schedule=constant", RANK, "train.steps=9"));
  assert_ok(tune(r, "resumed", "none", "optim.schedule=constant", RANK, "train.steps=6"));
  assert_ok(tune(r, "resumed", "auto", "optim.schedule=constant", RANK, "train.steps=9"));
  assert_int_equal(small_run_losses(r, "straight", straight), 9);
  assert_int_equal(small_run_losses(r, "resumed", resumed), 9);
  for (int i = 0; i < 9; i++) assert_true(straight[i] == resumed[i]);
}

static train_loaded_model *open_model(small_run *r, kern *k, const char *path,
                                      const char *adapter) {
  train_loaded_model *m = NULL;
  char at[600], of[600];
  assert_ok(train_loaded_model_open_with(in_root(r, path, at),
                                         adapter ? in_root(r, adapter, of) : NULL,
                                         CFG_STAGE_DYNAMICS, !adapter, k, &m));
  return m;
}

static void expect_equal(const train_loaded_model *a, const train_loaded_model *b) {
  assert_int_equal(a->state.params.total, b->state.params.total);
  for (int i = 0; i < a->state.params.count; i++) {
    const train_param *p = &a->state.params.list[i];
    if (memcmp(a->state.weights.master + p->at, b->state.weights.master + p->at,
               (size_t)p->count * sizeof(float)) != 0)
      fail_msg("%s differs", p->name);
  }
}

static void export_adapter(small_run *r, const char *run, const char *to) {
  char path[600], dir[600];
  ckpt_reader *reader = NULL;
  assert_ok(ckpt_open(in_root(r, run, path), &reader));
  assert_ok(train_adapter_file_write(reader, in_root(r, to, dir), true));
  ckpt_close(reader);
}

// The run itself, and its exported adapter on the base. Taken off, the base is the base.
static void test_a_file_of_an_adapter_is_the_adapter(void **state) {
  small_run *r = *state;
  kern *k = NULL;
  assert_ok(train_kern_open("cpu", 1, &k));
  export_adapter(r, "tuned", "adapter");
  train_loaded_model *run = open_model(r, k, "tuned", NULL),
                     *file = open_model(r, k, "base", "adapter"),
                     *base = open_model(r, k, "base", NULL);
  expect_equal(run, file);
  const train_param *q = train_params_find(&base->state.params, "blocks.1.attn.q.weight");
  double most = 0.0;
  for (int64_t i = 0; i < q->count; i++)
    most = fmax(most, fabs((double)(run->state.weights.master[q->at + i] -
                                    base->state.weights.master[q->at + i])));
  assert_true(most > 1e-3);                                  // it moved
  q = train_params_find(&base->state.params, "head.weight"); // no target
  assert_memory_equal(run->state.weights.master + q->at, base->state.weights.master + q->at,
                      (size_t)q->count * sizeof(float));
  train_loaded_model_close(base);
  train_loaded_model_close(file);
  train_loaded_model_close(run);
  kern_destroy(k);
}

static bool moved(const train_loaded_model *now, const train_loaded_model *before,
                  const char *name) {
  const train_param *p = train_params_find(&before->state.params, name);
  assert_non_null(p);
  return memcmp(now->state.weights.master + p->at, before->state.weights.master + p->at,
                (size_t)p->count * sizeof(float)) != 0;
}

// What train.lora_whole does not name stays the base's, in the run and in its file.
static void test_what_is_trained_whole_is_chosen(void **state) {
  small_run *r = *state;
  kern *k = NULL;
  assert_ok(train_kern_open("cpu", 1, &k));
  assert_ok(tune(r, "narrow", "none", "optim.lr_peak=0.03", RANK, "train.lora_whole=[action]"));
  export_adapter(r, "narrow", "narrow-file");
  train_loaded_model *run = open_model(r, k, "narrow", NULL),
                     *file = open_model(r, k, "base", "narrow-file"),
                     *base = open_model(r, k, "base", NULL), *all = open_model(r, k, "tuned", NULL);
  expect_equal(run, file);
  assert_true(moved(run, base, "embed.action.weight"));
  assert_true(moved(all, base, "embed.branch.weight"));
  assert_false(moved(run, base, "embed.branch.weight"));
  train_loaded_model_close(all);
  train_loaded_model_close(base);
  train_loaded_model_close(file);
  train_loaded_model_close(run);
  kern_destroy(k);
}

// y = x W'^T against x W^T + s (x A^T) B^T, in float32: W' was rounded once.
static void test_merged_weights_are_those_of_base_and_adapter(void **state) {
  small_run *r = *state;
  enum { OUT = 40, IN = 32, R = 2 };
  static const char name[] = "blocks.0.mlp.gate";
  float a[R * IN], b[OUT * R];
  char path[600], full[128];
  kern *k = NULL;
  ckpt_reader *reader = NULL;
  assert_ok(train_kern_open("cpu", 1, &k));
  assert_ok(ckpt_open(in_root(r, "tuned", path), &reader));
  snprintf(full, sizeof full, "ema.%s.lora_A.weight", name);
  assert_ok(ckpt_read(reader, "optim", full, 0, sizeof a, a));
  snprintf(full, sizeof full, "ema.%s.lora_B.weight", name);
  assert_ok(ckpt_read(reader, "optim", full, 0, sizeof b, b));
  ckpt_close(reader);
  train_loaded_model *merged = open_model(r, k, "tuned", NULL),
                     *base = open_model(r, k, "base", NULL);
  const train_param *p = train_params_find(&base->state.params, "blocks.0.mlp.gate.weight");
  const float *w = base->state.weights.master + p->at, *m = merged->state.weights.master + p->at;
  double off = 0.0, most = 0.0;
  for (int o = 0; o < OUT; o++) {
    double together = 0.0, apart = 0.0, low[R] = {0};
    for (int i = 0; i < IN; i++) {
      const double x = (double)orr_rng_normal(8, ORR_STREAM_TEST, 0, (uint64_t)i);
      together += x * (double)m[o * IN + i];
      apart += x * (double)w[o * IN + i];
      for (int j = 0; j < R; j++) low[j] += x * (double)a[j * IN + i];
    }
    for (int j = 0; j < R; j++) apart += low[j] * (double)b[o * R + j];
    off = fmax(off, fabs(together - apart));
    most = fmax(most, fabs(apart));
  }
  /* one rounding of each of 32 weights: measured 1e-8 */
  if (!(off < 1e-6 * most)) fail_msg("off by %g of %g", off, most);
  train_loaded_model_close(base);
  train_loaded_model_close(merged);
  kern_destroy(k);
}

static void test_an_adapter_of_another_base_is_refused(void **state) {
  small_run *r = *state;
  char other[600], adapter[600], init[700];
  kern *k = NULL;
  train_loaded_model *m = NULL;
  assert_ok(train_kern_open("cpu", 1, &k));
  assert_ok(SMALL_RUN(r, "other", "none", "run.seed=9"));
  assert_int_equal(train_loaded_model_open_with(in_root(r, "other", other),
                                                in_root(r, "adapter", adapter), CFG_STAGE_DYNAMICS,
                                                true, k, &m),
                   ORR_EINVAL);
  assert_message_names("adapter_model.safetensors", "other", base_hash(r, "base").s,
                       base_hash(r, "other").s);
  snprintf(init, sizeof init, "train.init_from=%s/other", r->root); // its base was changed
  assert_int_equal(
      SMALL_RUN(r, "straight", "auto", init, "optim.schedule=constant", RANK, "train.steps=12"),
      ORR_EINVAL);
  assert_message_names(base_hash(r, "base").s, base_hash(r, "other").s);
  assert_int_equal(train_loaded_model_open_with(in_root(r, "base", other),
                                                in_root(r, "nothing", adapter), CFG_STAGE_DYNAMICS,
                                                true, k, &m),
                   ORR_ENOTFOUND);
  kern_destroy(k);
}

static void test_what_cannot_be_adapted_is_refused(void **state) {
  static const struct {
    const char *set, *says;
  } cases[] = {{"train.init_from=", "train.init_from"},
               {"optim.optimizer=muon", "muon"},
               {"dist.zero=2", "set dist.zero to 0 or 1"},
               {"train.lora_targets=[q, w]", "'w' is no matrix"},
               {"train.lora_whole=[action, eyes]", "'eyes' is nothing"},
               {"train.lora_targets=[]", "train.lora_targets is empty"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cfg *c = NULL;
    assert_ok(cfg_create(&c));
    assert_ok(cfg_read_text(c, "small", small_run_yaml, strlen(small_run_yaml)));
    assert_ok(cfg_set(c, "train.init_from=somewhere"));
    assert_ok(cfg_set(c, RANK));
    assert_ok(cfg_check(c));
    assert_ok(cfg_set(c, cases[i].set));
    assert_int_equal(cfg_check(c), ORR_ECONFIG);
    assert_message_names(cases[i].says);
    cfg_destroy(c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_an_adapter_begins_as_its_base_and_leaves_it_alone),
      cmocka_unit_test(test_a_run_goes_on_to_the_bit),
      cmocka_unit_test(test_a_file_of_an_adapter_is_the_adapter),
      cmocka_unit_test(test_what_is_trained_whole_is_chosen),
      cmocka_unit_test(test_merged_weights_are_those_of_base_and_adapter),
      cmocka_unit_test(test_an_adapter_of_another_base_is_refused),
      cmocka_unit_test(test_what_cannot_be_adapted_is_refused),
  };
  return cmocka_run_group_tests(tests, small_run_setup, small_run_teardown);
}
