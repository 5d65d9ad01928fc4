// labels: quick
// A stage between a batch of clips and the model: its loss and gradient are those of the model fed
// by hand, whatever the size of the micro-batches.
#include "tests/train/toy.h"

#include <math.h>

#include "train/model/masking.h"
#include "train/step/stage.h"
#include "train/step/step.h"
#include "train/model/tokenizer.h"

enum { CLIPS = 4, T = 5 };

static const char yaml[] =
    "run: {threads: 1, precision: fp32, seed: 3}\n"
    "train: {stage: dynamics, batch: 4}\n"
    "data: {frames: 5}\n"
    "tokenizer: {patch: 2, rows: 2, cols: 3, levels: [5, 4], width: 32, heads: 4, kv_heads: 2, "
    "hidden: 40, layers: 1, l2: 1.0, l1: 0.5}\n"
    "model: {rows: 2, cols: 3, codes: 20, registers: 2, width: 32, heads: 4, kv_heads: 2, hidden: "
    "40, layers: 4, time_every: 2, actions: 3, branches: [a, b], z_loss: 0.001, action_drop: "
    "0.3}\n";

static cfg *config(const char *more) {
  cfg *c = NULL;
  assert_ok(cfg_create(&c));
  assert_ok(cfg_read_text(c, "stage", yaml, strlen(yaml)));
  assert_ok(cfg_set(c, more));
  assert_ok(cfg_check(c));
  return c;
}

static data_clip_batch *draw(const cfg *c, data_kind kind) {
  data_clip_batch *b = NULL;
  const data_mix_options o = {
      .kind = kind, .T = T, .stride = 1, .height = 4, .width = 6, .S = 6, .codes = 20, .A = 3};
  assert_ok(data_clip_batch_create(&o, CLIPS, 0, &b));
  for (int64_t i = 0; i < CLIPS * T * 6 && b->tokens; i++)
    b->tokens[i] = (int32_t)(toy_uniform(4, 1, i) * 20.0);
  for (int64_t i = 0; i < CLIPS * T * 4 * 6 * 3 && b->frames; i++)
    b->frames[i] = (uint8_t)(toy_uniform(4, 2, i) * 256.0);
  for (int64_t i = 0; i < CLIPS * T * 3; i++) {
    b->action[i] = toy_normal(4, 3, i);
    b->valid[i] = i % 3 < 2;
  }
  for (int64_t i = 0; i < CLIPS; i++) {
    b->branch[i] = (int32_t)(i % 2);
    b->sample[i] = (uint64_t)(100 + 7 * i);
  }
  return b;
}

typedef struct {
  kern *k;
  train_axes axes;
  train_step work;
  double units;
} opened;

static void stage_open(opened *s, cfg *c, int64_t micro) {
  dist_grid one;
  memset(s, 0, sizeof *s);
  c->train.micro_batch = micro;
  assert_ok(dist_grid_init(1, 1, 1, 0, 1, &one));
  train_axes_init(&s->axes, &one, NULL);
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &s->k));
  assert_ok(train_step_plan(&s->work, c, &s->axes, s->k));
  assert_ok(train_step_commit(&s->work));
  assert_ok(train_state_fill(&s->work.state, 6));
}

static void stage_close(opened *s) {
  train_step_release(&s->work);
  kern_destroy(s->k);
}

static double stage_step(opened *s, const data_clip_batch *b) {
  train_step_result x;
  assert_ok(
      train_step_gradients(&s->work, b, &(train_step_request){1, 0.0, INFINITY, INFINITY, false}));
  s->units = s->work.issued[s->work.turn].sums.units;
  assert_ok(train_step_update(&s->work)); // at a rate of 0: nothing moves
  assert_ok(train_step_results(&s->work, &x));
  assert_int_equal(s->k->late_plans, 0);
  return x.loss * s->units;
}

// Distance of two gradients beside the length of the second.
static double gradient_error(const train_state *a, const train_state *b) {
  double off = 0.0, norm = 0.0;
  assert_int_equal(a->params.total, b->params.total);
  for (int64_t i = 0; i < a->params.total; i++) {
    const double x = a->weights.grad[i], y = b->weights.grad[i];
    off += (x - y) * (x - y);
    norm += y * y;
  }
  return sqrt(off / norm);
}

static void test_a_dynamics_stage_feeds_the_model_what_the_masks_say(void **state) {
  cfg *c = config("train.stage=dynamics");
  data_clip_batch *b = draw(c, DATA_TOKENS);
  train_dynamics_dims d;
  toy t;
  train_dynamics_dims_from(c, &d);
  toy_open(&t, &d, CLIPS, T, TRAIN_KEEP_ALL, 1);
  assert_ok(train_state_fill(&t.state, 6));
  const train_masking mask = {.T = T,
                              .S = 6,
                              .A = 3,
                              .V = 20,
                              .N = 9,
                              .seed = 3,
                              .full_mask = c->model.full_mask,
                              .corrupt = c->model.corrupt,
                              .action_drop = c->model.action_drop};
  t.masked = 0;
  for (int64_t i = 0; i < CLIPS; i++) {
    const train_masking_clip clip = {.sample = b->sample[i],
                                     .tokens_in = b->tokens + i * T * 6,
                                     .action_in = b->action + i * T * 3,
                                     .valid_in = b->valid + i * T * 3,
                                     .tokens = t.tokens + i * T * 6,
                                     .action = t.action + i * T * 6,
                                     .has_action = t.has + i * T};
    t.masked +=
        train_masking_apply(&mask, &clip, i, t.masked_row + t.masked, t.target + t.masked, NULL);
    t.branch[i] = b->branch[i];
  }
  for (int64_t i = t.masked; i < t.rows; i++) t.masked_row[i] = t.target[i] = -1;
  const double want = toy_loss(&t, true) * (double)t.masked;
  for (int64_t micro = 1; micro <= CLIPS; micro *= 2) {
    opened s;
    stage_open(&s, c, micro);
    const double got = stage_step(&s, b), off = gradient_error(&s.work.state, &t.state);
    assert_true(s.units == (double)t.masked);
    /* fp32, another order of sums: measured 1e-16 and 3e-7 */
    if (!(fabs(got - want) < 1e-6 * want && off < 3e-6))
      fail_msg("micro-batch %d: loss %.9g, wanted %.9g; gradient off by %g", (int)micro, got, want,
               off);
    stage_close(&s);
  }
  toy_close(&t);
  data_clip_batch_destroy(b);
  cfg_destroy(c);
}

static void test_a_tokenizer_stage_covers_every_frame_of_every_clip(void **state) {
  cfg *c = config("train.stage=tokenizer");
  data_clip_batch *b = draw(c, DATA_FRAMES);
  opened whole, part;
  stage_open(&whole, c, CLIPS);
  const double want = stage_step(&whole, b);
  assert_true(whole.units == CLIPS * T * 4 * 6 * 3);
  // untrained pixels lie near 1/2: squares of U(0,1) - 1/2 average 1/12, magnitudes 1/4
  assert_true(fabs(want / whole.units - (1.0 / 12 + 0.5 / 4)) < 0.03);
  for (int64_t micro = 1; micro < CLIPS; micro *= 2) {
    stage_open(&part, c, micro);
    const double got = stage_step(&part, b),
                 off = gradient_error(&part.work.state, &whole.work.state);
    if (!(fabs(got - want) < 1e-6 * want && off < 3e-6))
      fail_msg("micro-batch %d: loss %.9g, wanted %.9g; gradient off by %g", (int)micro, got, want,
               off);
    stage_close(&part);
  }
  // the last frame counts: another one, another loss
  b->frames[CLIPS * T * 4 * 6 * 3 - 1] ^= 255;
  assert_true(stage_step(&whole, b) != want);
  stage_close(&whole);
  data_clip_batch_destroy(b);
  cfg_destroy(c);
}

static void test_micro_batches_that_do_not_divide_are_refused(void **state) {
  cfg *c = config("train.stage=dynamics");
  kern *k = NULL;
  train_state s;
  train_stage *stage = NULL;
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &k));
  train_state_init(&s, k, KERN_F32, true, false);
  assert_int_equal(train_stage_create(k, c, NULL, &s, CLIPS, 3, &stage), ORR_ECONFIG);
  assert_null(stage);
  train_state_release(&s);
  kern_destroy(k);
  cfg_destroy(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_dynamics_stage_feeds_the_model_what_the_masks_say),
      cmocka_unit_test(test_a_tokenizer_stage_covers_every_frame_of_every_clip),
      cmocka_unit_test(test_micro_batches_that_do_not_divide_are_refused),
  };
  return cmocka_run_group_tests_name("train/stage", tests, NULL, NULL);
}
