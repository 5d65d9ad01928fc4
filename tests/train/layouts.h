// A tiny dynamics model trained in a layout of ranks and, on every rank by itself, on one: losses,
// gradients, norms and announced traffic side by side. Each tests/train/test_layouts_<ranks>.c
// names its layouts.
#ifndef TESTS_TRAIN_LAYOUTS_H
#define TESTS_TRAIN_LAYOUTS_H

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/base/assert.h"
#include "tests/dist/world_main.h"
#include "train/step/step.h"

#ifndef LAYOUTS_DEVICE
#define LAYOUTS_DEVICE KERN_DEVICE_CPU // whose memory this process can read, too
#endif

typedef struct {
  int tp, cp, dp, zero, micro;
  int shard; // replicas that share out; 0 = all
  bool bf16, recompute;
  bool muon;
  bool weigh; // changed positions more
  bool own;   // half of the frames carry codes of the model's own
  bool before;
  bool digits;    // which codes of kin share
  bool views;     // two of them in a frame
  bool lora;      // an adapter on weights that stay
  bool heads;     // on the registers, whose targets are known of some frames
  bool tokenizer; // instead of the dynamics model
  bool patchwise; // its encoder sees one patch at a time
  bool wide;      // checkpoints of many extents
  bool sure;      // logits so far apart that exp() of their differences leaves float32
  bool exact;     // run.exact, of a model that all of its layouts can cut
  bool unordered; // the same model without run.exact
  int group;      // train.group; 0 = 1
  bool growing;   // run.exact alone: the clips of the first step are half as long as later ones
  int threads;    // 0 = 1
  int batch;      // clips a step; 0 = 6
  int steps;
  double loss_within, grad_within; // relative; grad_within 0 = not compared
} layout;

typedef struct {
  cfg *c;
  train_axes axes;
  kern *k;
  train_step work;
  data_clip_batch *batch;
  double loss, norm;
  double outcomes[TRAIN_OUTCOMES];
} trainee;

// 4 heads over 2 key/value heads, 9 tokens, 5 frames, 19 codes: nothing divides evenly by 2, 3 or 4
// but what must.
static cfg *tiny_cfg(const layout *l) {
  static const char *const settings[] = {"model.heads=4",
                                         "model.kv_heads=2",
                                         "model.layers=4",
                                         "model.rows=2",
                                         "model.cols=3",
                                         "model.registers=2",
                                         "model.time_every=2",
                                         "model.actions=3",
                                         "model.codes=19",
                                         "data.frames=5",
                                         "run.threads=1",
                                         "dist.bucket_bytes=8192",
                                         "model.before=true",
                                         "tokenizer.rows=2",
                                         "tokenizer.cols=3",
                                         "tokenizer.patch=4",
                                         "tokenizer.levels=[5, 4]",
                                         "tokenizer.width=32",
                                         "tokenizer.heads=4",
                                         "tokenizer.kv_heads=2",
                                         "tokenizer.hidden=48",
                                         "tokenizer.layers=2",
                                         "tokenizer.l1=0.5"};
  char text[64];
  cfg *c;
  assert_ok(cfg_create(&c));
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
    assert_ok(cfg_set(c, settings[i]));
  assert_ok(cfg_set(c, l->bf16 ? "run.precision=bf16" : "run.precision=fp32"));
  assert_ok(cfg_set(c, l->tokenizer ? "train.stage=tokenizer" : "train.stage=dynamics"));
  assert_ok(cfg_set(c, l->recompute ? "train.recompute=true" : "train.recompute=false"));
  assert_ok(cfg_set(c, l->wide ? "model.width=128" : "model.width=32"));
  assert_ok(cfg_set(c, l->wide ? "model.hidden=384" : "model.hidden=48"));
  if (l->patchwise) assert_ok(cfg_set(c, "tokenizer.patchwise=true"));
  if (l->own) assert_ok(cfg_set(c, "model.own_codes=0.5"));
  if (l->own) assert_ok(cfg_set(c, l->before ? "model.before=true" : "model.before=false"));
  if (l->digits) assert_ok(cfg_set(c, "model.codes=20"));
  if (l->digits) assert_ok(cfg_set(c, "model.digits=true"));
  if (l->digits) assert_ok(cfg_set(c, "optim.digit_share=0.5"));
  if (l->views) assert_ok(cfg_set(c, "model.views=[base 0 0 2 2, wrist 2 0 1 2]"));
  if (l->lora) assert_ok(cfg_set(c, "train.lora_rank=3"));
  if (l->lora) assert_ok(cfg_set(c, "train.lora_alpha=5"));
  if (l->heads) assert_ok(cfg_set(c, "model.reward_weight=0.5"));
  if (l->heads) assert_ok(cfg_set(c, "model.done_weight=2"));
  if (l->heads) assert_ok(cfg_set(c, "model.progress_weight=1"));
  if (l->weigh) assert_ok(cfg_set(c, "model.change_weight=3"));
  assert_ok(cfg_set(c, l->muon ? "optim.optimizer=muon" : "optim.optimizer=adamw"));
  snprintf(text, sizeof text, "train.batch=%d", l->batch ? l->batch : 6);
  assert_ok(cfg_set(c, text));
  if (l->exact) {
    assert_ok(cfg_set(c, l->unordered ? "run.exact=false" : "run.exact=true"));
    assert_ok(cfg_set(c, "model.kv_heads=4"));
    assert_ok(cfg_set(c, "tokenizer.kv_heads=4"));
    assert_ok(cfg_set(c, "data.frames=8"));
    if (l->growing) assert_ok(cfg_set(c, "data.frames_start=4"));
    if (l->growing) assert_ok(cfg_set(c, "data.curriculum_steps=1"));
    snprintf(text, sizeof text, "train.group=%d", l->group ? l->group : 1);
    assert_ok(cfg_set(c, text));
  }
  snprintf(text, sizeof text, "dist.zero=%d", l->zero);
  assert_ok(cfg_set(c, text));
  snprintf(text, sizeof text, "dist.shard=%d", l->shard);
  assert_ok(cfg_set(c, text));
  snprintf(text, sizeof text, "train.micro_batch=%d", l->micro);
  assert_ok(cfg_set(c, text));
  return c;
}

// Frames, or tokens and actions, of global sample g.
static void fill_clip(const cfg *c, data_clip_batch *b, int64_t i, uint64_t g) {
  const int64_t values = b->T * b->height * b->width * 3;
  for (int64_t j = 0; b->frames && j < values; j++)
    b->frames[i * values + j] = (uint8_t)orr_rng_below(1, ORR_STREAM_TEST, g, (uint64_t)j, 256);
  for (int64_t j = 0; b->tokens && j < b->T * b->S; j++)
    b->tokens[i * b->T * b->S + j] =
        (int32_t)orr_rng_below(1, ORR_STREAM_TEST, g, (uint64_t)j, (uint64_t)c->model.codes);
  for (int64_t j = 0; j < b->T * b->A; j++) {
    b->action[i * b->T * b->A + j] = orr_rng_normal(2, ORR_STREAM_TEST, g, (uint64_t)j);
    b->valid[i * b->T * b->A + j] = j % b->A < 2 ? 1.0f : 0.0f;
  }
  for (int64_t t = 0; b->reward && t < b->T; t++) {
    const uint64_t at = (uint64_t)t, u = orr_rng_below(3, ORR_STREAM_TEST, g, at, 4);
    b->reward[i * b->T + t] =
        t > 0 && u > 0 ? 3.0f * orr_rng_normal(4, ORR_STREAM_TEST, g, at) : (float)NAN;
    b->done[i * b->T + t] = t > 0 ? (float)(u == 1) : (float)NAN;
    b->progress[i * b->T + t] = u < 3 ? (float)t / (float)b->T : (float)NAN;
  }
  b->sample[i] = g;
  b->branch[i] = (int32_t)(g % (uint64_t)c->model.branches.n);
}

static void trainee_fill(trainee *t, int64_t step) {
  const int64_t first = step * t->c->train.batch;
  for (int64_t i = 0; i < t->work.clips; i++)
    fill_clip(t->c, t->batch, i, (uint64_t)(first + train_axes_clip(&t->axes, t->work.clips, i)));
}

// Up to the end of planning.
static void trainee_start(trainee *t, const layout *l, const dist_grid *grid,
                          const dist_world *world) {
  memset(t, 0, sizeof *t);
  t->c = tiny_cfg(l);
  train_axes_init(&t->axes, grid, world);
  assert_ok(kern_create(LAYOUTS_DEVICE, l->threads ? l->threads : 1, &t->k));
  assert_ok(train_step_plan(&t->work, t->c, &t->axes, t->k));
}

// An adapter away from its start, where B is zero and A has no gradient.
static inline void trainee_adapt(trainee *t) {
  train_state *s = &t->work.state;
  assert_ok(train_state_fill(&t->work.base, 3));
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    if (!strstr(p->name, ".lora_B.")) continue;
    for (int64_t at = 0, global; at < p->count; at++) {
      train_param_here(p, at, &global);
      s->weights.master[p->at + at] =
          global < 0
              ? 0.0f
              : 0.05f * orr_rng_normal(6, ORR_STREAM_TEST, orr_hash64(p->name, strlen(p->name), 0),
                                       (uint64_t)global);
    }
  }
  assert_ok(train_step_adapt(&t->work, true, true));
}

static void trainee_commit(trainee *t) {
  assert_ok(train_step_commit(&t->work));
  assert_ok(train_state_fill(&t->work.state, 3));
  if (t->work.adapter) trainee_adapt(t);
  const data_mix_options o = {.kind = t->c->train.stage == CFG_STAGE_TOKENIZER ? DATA_FRAMES
                                                                               : DATA_TOKENS,
                              .T = t->c->data.frames,
                              .height = t->c->tokenizer.rows * t->c->tokenizer.patch,
                              .width = t->c->tokenizer.cols * t->c->tokenizer.patch,
                              .S = t->c->model.rows * t->c->model.cols,
                              .codes = t->c->model.codes,
                              .A = t->c->model.actions,
                              .outcomes = t->c->model.reward_weight > 0.0};
  assert_ok(data_clip_batch_create(&o, t->work.clips, 0, &t->batch));
}

static inline void scale_head(train_state *s, float by) {
  const train_param *p = train_params_find(&s->params, "head.weight");
  float *w = train_state_weights(s) + p->at;
  for (int64_t i = 0; i < p->count; i++) w[i] *= by;
  assert_ok(train_state_refresh(s));
}

static inline void trainee_open(trainee *t, const layout *l, const dist_grid *grid,
                                const dist_world *world) {
  trainee_start(t, l, grid, world);
  trainee_commit(t);
  if (l->sure) scale_head(&t->work.state, 4000.0f);
}

static void trainee_close(trainee *t) {
  data_clip_batch_destroy(t->batch);
  train_step_release(&t->work);
  kern_destroy(t->k);
  cfg_destroy(t->c);
}

// Up to the gradients; then the rest of the step.
static void trainee_gradients(trainee *t, int64_t step) {
  train_step_votes votes = {0};
  trainee_fill(t, step);
  assert_ok(train_axes_agree(&t->axes, ORR_OK, "read data"));
  assert_ok(train_step_gradients(&t->work, t->batch,
                                 &(train_step_request){step + 1, 1e-3, INFINITY, INFINITY, false}));
  assert_ok(train_step_vote(&t->work, &votes));
}

static void trainee_update(trainee *t, int64_t step) {
  train_step_result x;
  assert_ok(train_step_update(&t->work));
  assert_ok(train_step_results(&t->work, &x));
  assert_int_equal(x.step, step + 1);
  t->loss = x.loss;
  t->norm = x.grad_norm;
  memcpy(t->outcomes, x.outcomes, sizeof t->outcomes);
}

static inline void layout_split(dist_world *w, const layout *l) {
  assert_ok(dist_world_split_shards(w, l->tp, l->cp, l->dp, l->shard));
}

// Whether p has no gradient but roundings: a patch alone attends to itself whatever q and k are.
static inline bool is_idle(const layout *l, const train_param *p) {
  return l->patchwise && strncmp(p->name, "encoder.", 8) == 0 &&
         (strstr(p->name, ".attn.q") || strstr(p->name, ".attn.k"));
}

// Element `at` of the flat layout: the gradients of one parameter here against those of the whole.
static inline void compare_param(const trainee *t, const trainee *whole, const train_param *p,
                                 double within, double *worst) {
  const train_param *q = train_params_find(&whole->work.state.params, p->name);
  const float *want = whole->work.state.weights.grad + q->at;
  const train_state *s = &t->work.state;
  double largest = 0.0;
  for (int64_t i = 0; i < q->count; i++) largest = fmax(largest, fabs((double)want[i]));
  for (int64_t b = 0; b < train_partition_buckets(&s->shard); b++) {
    const train_partition_piece x = train_partition_piece_of(&s->shard, b);
    for (int64_t at = x.at; at < x.at + x.count; at++) {
      int64_t global;
      if (at < p->at || at >= p->at + p->count) continue;
      train_param_here(p, at - p->at, &global);
      const double got = (double)train_state_gradients_of(s, &x)[at - x.at],
                   ref = global < 0 ? 0.0 : (double)want[global], off = fabs(got - ref) / largest;
      if (largest > 0.0 && off > *worst) *worst = off;
      if (largest > 0.0 ? off > within : got != 0.0)
        fail_msg("rank %d: gradient of %s, element %" PRId64 ": %.9g, one rank has %.9g",
                 t->axes.grid.rank, p->name, global, got, ref);
    }
  }
}

// Of an axis: its communicators for host and device memory together.
static inline dist_traffic axis_traffic(const dist_world *w, int a) {
  dist_traffic t = dist_comm_traffic(w->axis[a]);
  if (!w->device[a] || w->device[a] == w->axis[a]) return t;
  const dist_traffic more = dist_comm_traffic(w->device[a]);
  return (dist_traffic){.calls = t.calls + more.calls, .bytes = t.bytes + more.bytes};
}

// What was announced before the first step, what the seams counted in it, and what the
// communicators counted.
static inline void compare_traffic(const trainee *t, const dist_world *w,
                                   const dist_traffic *before) {
  for (int a = 0; a < DIST_AXES; a++) {
    const dist_traffic now = axis_traffic(w, a);
    int64_t calls = 0, bytes = 0;
    for (int m = 0; m < TRAIN_MOVES; m++) {
      const train_moved want = t->work.announced[a][m], got = t->axes.moved[a][m];
      if (want.bytes != got.bytes || want.calls != got.calls)
        fail_msg("rank %d, %s axis, %s: announced %" PRId64 " bytes in %" PRId64
                 " calls, moved %" PRId64 " in %" PRId64,
                 t->axes.grid.rank, dist_axis_name((dist_axis)a), train_move_name((train_move)m),
                 want.bytes, want.calls, got.bytes, got.calls);
      calls += got.calls;
      bytes += got.bytes;
    }
    if (dist_comm_size(w->axis[a]) == 1) continue;
    assert_int_equal(now.bytes - before[a].bytes, bytes);
    assert_int_equal(now.calls - before[a].calls, calls);
    assert_int_equal(dist_comm_reserved(w->axis[a]), t->axes.stage[a]);
  }
}

static inline void compare_layout(dist_world *w, const layout *l) {
  dist_grid one;
  trainee t, whole;
  dist_traffic before[DIST_AXES];
  double worst_loss = 0.0, worst_grad = 0.0;
  layout single = *l;
  single.zero = single.micro = single.shard = 0;
  assert_ok(dist_grid_init(1, 1, 1, 0, 1, &one));
  layout_split(w, l);
  trainee_open(&whole, &single, &one, NULL);
  trainee_open(&t, l, &w->grid, w);
  for (int a = 0; a < DIST_AXES; a++) before[a] = axis_traffic(w, a);
  for (int64_t step = 0; step < l->steps; step++) {
    trainee_gradients(&t, step);
    trainee_gradients(&whole, step);
    for (int i = 0; step == 0 && l->grad_within > 0.0 && i < t.work.state.params.count; i++)
      if (!is_idle(l, &t.work.state.params.list[i]))
        compare_param(&t, &whole, &t.work.state.params.list[i], l->grad_within, &worst_grad);
    trainee_update(&t, step);
    trainee_update(&whole, step);
    if (step == 0) compare_traffic(&t, w, before);
    const double off = fabs(t.loss / whole.loss - 1.0);
    worst_loss = fmax(worst_loss, off);
    if (!(off < l->loss_within))
      fail_msg("step %d: loss %.9g, one rank has %.9g", (int)step + 1, t.loss, whole.loss);
    for (int o = 0; o < TRAIN_OUTCOMES; o++)
      if (l->heads ? !(fabs(t.outcomes[o] / whole.outcomes[o] - 1.0) < l->loss_within)
                   : !isnan(t.outcomes[o]))
        fail_msg("step %d: loss of %s %.9g, one rank has %.9g", (int)step + 1,
                 train_outcome_name((train_outcome)o), t.outcomes[o], whole.outcomes[o]);
    if (step == 0) assert_true(fabs(t.norm / whole.norm - 1.0) < (l->bf16 ? 2e-2 : 1e-5));
  }
  if (w->grid.rank == 0)
    print_message(
        "%s%stp%d cp%d dp%d zero%d in %d micro%d %s: loss %.3f off by %.1e, gradients by %.1e\n",
        l->tokenizer ? "tokenizer " : "", l->muon ? "muon " : "", l->tp, l->cp, l->dp, l->zero,
        l->shard ? l->shard : l->cp * l->dp, l->micro, l->bf16 ? "bf16" : "fp32", t.loss,
        worst_loss, worst_grad);
  trainee_close(&t);
  trainee_close(&whole);
}

static inline int layouts_main(int ranks, int (*tests)(dist_world *w)) {
  dist_world *w = world_start(ranks);
  return w ? world_finish(w, tests(w)) : 1;
}

#endif
