// A dynamics model small enough to be run hundreds of times in a test, with a random batch for it.
// Weights lie away from their flat start, so that every path through the model is visible.
#ifndef TESTS_TRAIN_TOY_H
#define TESTS_TRAIN_TOY_H

#include "base/mem.h"
#include "base/rng.h"
#include "tests/base/assert.h"
#include "train/model/dynamics.h"
#include "train/step/state.h"

typedef struct {
  kern *k;
  train_dynamics_dims d;
  train_dynamics_params p;
  train_state state;
  train_dynamics *model;
  orr_arena acts;
  int64_t B, T, S, rows;                          // rows = B*T*S rounded up to TRAIN_LOSS_ROWS
  int32_t *tokens, *target, *masked_row, *branch; // [B,T,S], [rows], [rows], [B]
  int32_t *before;                                // [B,T,S] the tokens of the frame before each
  float *action;                                  // [B,T,2A]
  uint8_t *has;                                   // [B,T]
  int32_t *all_rows;                              // [rows]: every spatial position, then -1
  float *logits;                                  // [rows,V]
  int64_t masked;                                 // positions that count in the loss
} toy;

// Space and time blocks, grouped key/value heads, registers, two branches.
static inline train_dynamics_dims toy_dims(kern_dtype act) {
  train_dynamics_dims d = {.rows = 2,
                           .cols = 3,
                           .S = 6,
                           .R = 2,
                           .N = 9,
                           .layers = 4,
                           .time_every = 2,
                           .A = 3,
                           .V = 20,
                           .branches = 2,
                           .z_loss = 1e-3,
                           .before = true,
                           .block = {.D = 32, .H = 4, .G = 2, .K = 8, .F = 40, .act = act}};
  train_block_dims_split(&d.block, NULL);
  return d;
}

static inline double toy_uniform(uint64_t seed, uint64_t what, int64_t i) {
  return orr_rng_uniform(seed, ORR_STREAM_TEST, what, (uint64_t)i);
}

static inline float toy_normal(uint64_t seed, uint64_t what, int64_t i) {
  return orr_rng_normal(seed, ORR_STREAM_TEST, what, (uint64_t)i);
}

// Half of the positions after frame 0 are masked; a tenth of the frames has no action.
static inline void toy_draw_batch(toy *t, uint64_t seed) {
  const train_dynamics_dims *d = &t->d;
  const int64_t positions = t->B * t->T * t->S;
  t->masked = 0;
  for (int64_t i = 0; i < positions; i++) {
    const int64_t bt = i / t->S, row = bt * d->N + 1 + i % t->S;
    const int32_t code = (int32_t)(toy_uniform(seed, 1, i) * (double)d->V);
    const bool masked = bt % t->T > 0 && toy_uniform(seed, 2, i) < 0.5;
    t->tokens[i] = masked ? (int32_t)d->V : code;
    t->all_rows[i] = (int32_t)row;
    if (!masked) continue;
    t->masked_row[t->masked] = (int32_t)row;
    t->target[t->masked++] = code;
  }
  for (int64_t i = t->masked; i < t->rows; i++) t->masked_row[i] = t->target[i] = -1;
  for (int64_t i = positions; i < t->rows; i++) t->all_rows[i] = -1;
  for (int64_t i = 0; i < t->B * t->T; i++) {
    t->has[i] = i % t->T > 0 && toy_uniform(seed, 3, i) < 0.9;
    for (int64_t a = 0; a < d->A; a++) {
      const float valid = toy_uniform(seed, 4, i * d->A + a) < 0.8 ? 1.0f : 0.0f;
      t->action[i * 2 * d->A + a] = valid * toy_normal(seed, 5, i * d->A + a);
      t->action[i * 2 * d->A + d->A + a] = valid;
    }
  }
  for (int64_t b = 0; b < t->B; b++) t->branch[b] = (int32_t)(b % d->branches);
}

static inline train_dynamics_batch toy_batch(const toy *t) {
  for (int64_t i = 0; i < t->B * t->T * t->S; i++)
    t->before[i] = i / t->S % t->T > 0 ? t->tokens[i - t->S] : (int32_t)t->d.V;
  return (train_dynamics_batch){.tokens = t->tokens,
                                .before = t->before,
                                .action = t->action,
                                .has_action = t->has,
                                .branch = t->branch,
                                .masked_row = t->masked_row,
                                .target = t->target,
                                .masked_rows = (t->masked + TRAIN_LOSS_ROWS - 1) / TRAIN_LOSS_ROWS *
                                               TRAIN_LOSS_ROWS};
}

static inline void toy_weights(toy *t, uint64_t seed) {
  assert_ok(train_state_fill(&t->state, seed));
  for (int i = 0; i < t->state.params.count; i++) {
    const train_param *p = &t->state.params.list[i];
    for (int64_t j = 0; j < p->count; j++)
      t->state.weights.master[p->at + j] += 0.2f * toy_normal(seed, 100 + (uint64_t)i, j);
  }
  assert_ok(train_state_refresh(&t->state));
}

static inline void toy_place(toy *t) {
  train_state_place(&t->state);
  assert_ok(train_dynamics_place(t->model, &t->acts));
}

// Loss over the masked positions; with `backward` the gradient of their mean is added.
static inline double toy_loss_ready(toy *t, bool backward, train_grad_ready_fn ready, void *ctx) {
  double sum = 0.0;
  train_dynamics_batch b = toy_batch(t);
  if (t->k->planning) b.masked_rows = TRAIN_LOSS_ROWS;
  assert_ok(train_dynamics_forward(t->model, &b));
  assert_ok(train_dynamics_loss(t->model, &b, &(float){(float)(1.0 / (double)t->masked)}, backward,
                                &sum, ready, ctx));
  return sum / (double)t->masked;
}

static inline double toy_loss(toy *t, bool backward) {
  return toy_loss_ready(t, backward, NULL, NULL);
}

// Logits of every spatial position, in t->logits [B*T*S,V].
static inline const float *toy_logits(toy *t) {
  train_dynamics_batch b = toy_batch(t);
  assert_ok(train_dynamics_forward(t->model, &b));
  assert_ok(train_dynamics_logits(t->model, t->all_rows, t->B * t->T * t->S, t->logits));
  return t->logits;
}

static inline void toy_zero_gradients(toy *t) {
  memset(t->state.weights.grad, 0, (size_t)t->state.params.total * sizeof(float));
}

// The planning pass as training makes it: count, plan, commit.
static inline void toy_open_on(toy *t, const train_dynamics_dims *d, int64_t B, int64_t T,
                               train_keep keep, uint64_t seed, int threads) {
  memset(t, 0, sizeof *t);
  t->d = *d;
  t->B = B;
  t->T = T;
  t->S = d->S;
  const size_t frames = (size_t)(B * T), positions = frames * (size_t)d->S;
  t->rows = ((int64_t)positions + TRAIN_LOSS_ROWS - 1) / TRAIN_LOSS_ROWS * TRAIN_LOSS_ROWS;
  t->tokens = orr_calloc(positions, sizeof *t->tokens);
  t->before = orr_calloc(positions, sizeof *t->before);
  t->target = orr_calloc((size_t)t->rows, sizeof *t->target);
  t->masked_row = orr_calloc((size_t)t->rows, sizeof *t->masked_row);
  t->all_rows = orr_calloc((size_t)t->rows, sizeof *t->all_rows);
  t->branch = orr_calloc((size_t)B, sizeof *t->branch);
  t->action = orr_calloc(frames * 2 * (size_t)d->A, sizeof *t->action);
  t->has = orr_calloc(frames, 1);
  t->logits = orr_calloc((size_t)(t->rows * d->V), sizeof *t->logits);
  toy_draw_batch(t, seed);
  assert_ok(kern_create(KERN_DEVICE_CPU, threads, &t->k));
  train_state_init(&t->state, t->k, d->block.act, keep != TRAIN_NO_BACKWARD, false);
  orr_arena_init(&t->acts, "activations");
  assert_ok(train_dynamics_list(d, &t->state.params, &t->p));
  assert_ok(train_dynamics_create(t->k, d, &t->p, &t->state.weights, B, T, keep, &t->model));
  toy_place(t);
  toy_loss(t, keep != TRAIN_NO_BACKWARD);
  assert_ok(kern_commit(t->k));
  assert_ok(train_state_commit(&t->state));
  assert_ok(orr_arena_commit(&t->acts));
  toy_place(t);
  toy_weights(t, seed);
}

static inline void toy_open(toy *t, const train_dynamics_dims *d, int64_t B, int64_t T,
                            train_keep keep, uint64_t seed) {
  toy_open_on(t, d, B, T, keep, seed, 1);
}

static inline void toy_close(toy *t) {
  train_dynamics_destroy(t->model);
  orr_free(t->p.blocks);
  orr_arena_release(&t->acts);
  train_state_release(&t->state);
  kern_destroy(t->k);
  orr_free(t->logits);
  orr_free(t->has);
  orr_free(t->action);
  orr_free(t->branch);
  orr_free(t->all_rows);
  orr_free(t->masked_row);
  orr_free(t->target);
  orr_free(t->before);
  orr_free(t->tokens);
}

#endif
