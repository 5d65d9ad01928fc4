// A toy's clips as sessions of an engine, frame by frame.
#ifndef TESTS_TRAIN_ENGINE_ROLLOUT_H
#define TESTS_TRAIN_ENGINE_ROLLOUT_H

#include "tests/train/toy.h"
#include "train/engine/engine.h"
#include "train/model/packed.h"

// Every clip of a toy is a session.
enum { MOST = 8 };

typedef struct {
  int64_t window, steps, ahead, memory;
  double temperature, choice_temperature, guidance;
} how;

typedef struct {
  train_engine *engine;
  const toy *t;
  how how;
  train_engine_frame frame[MOST]; // at hand
  float *action;                  // [B,2A] of them
  int32_t *tokens;                // [B,S]
  float *logits;                  // [B*S,V]
} rollout;

static inline void reset(rollout *r, const uint64_t *sample) {
  for (int64_t b = 0; b < r->t->B; b++)
    assert_ok(
        train_engine_begin(r->engine, (int32_t)b,
                           &(train_engine_settings){.steps = r->how.steps,
                                                    .temperature = r->how.temperature,
                                                    .choice_temperature = r->how.choice_temperature,
                                                    .seed = 11,
                                                    .sample = sample[b]}));
}

static inline void rollout_open(rollout *r, toy *t, const how *h) {
  const uint64_t sample[MOST] = {1, 2, 3, 4, 5, 6, 7, 8};
  *r = (rollout){.t = t, .how = *h};
  r->action = orr_calloc((size_t)(t->B * 2 * t->d.A), sizeof *r->action);
  r->tokens = orr_calloc((size_t)(t->B * t->S), sizeof *r->tokens);
  r->logits = orr_calloc((size_t)(t->B * t->S * t->d.V), sizeof *r->logits);
  assert_ok(train_packed_dynamics(t->k, &t->d, &t->p, &t->state.weights));
  assert_ok(train_engine_create(t->k, &t->d, &t->p, &t->state.weights,
                                &(train_engine_options){.sessions = t->B,
                                                        .batch = t->B,
                                                        .window = h->window,
                                                        .steps = h->steps,
                                                        .ahead = h->ahead,
                                                        .memory = h->memory,
                                                        .guidance = h->guidance},
                                &r->engine));
  reset(r, sample);
}

static inline void rollout_close(rollout *r) {
  train_engine_destroy(r->engine);
  train_packed_release(&((toy *)(uintptr_t)r->t)->state.weights);
  orr_free(r->logits);
  orr_free(r->tokens);
  orr_free(r->action);
}

// Actions and tokens of frame `at` of the batch, in r->frame.
static inline void take_frame(rollout *r, int64_t at) {
  const toy *t = r->t;
  const size_t A2 = (size_t)(2 * t->d.A), S = (size_t)t->S;
  for (int64_t b = 0; b < t->B; b++) {
    const int64_t bt = b * t->T + at;
    memcpy(r->action + (size_t)b * A2, t->action + (size_t)bt * A2, A2 * sizeof(float));
    memcpy(r->tokens + (size_t)b * S, t->tokens + (size_t)bt * S, S * sizeof(int32_t));
    r->frame[b] = (train_engine_frame){.session = (int32_t)b,
                                       .branch = t->branch[b],
                                       .has_action = t->has[bt],
                                       .action = r->action + (size_t)b * A2,
                                       .tokens = r->tokens + (size_t)b * S};
  }
}

static inline void push(rollout *r) {
  assert_ok(train_engine_push(r->engine, r->frame, r->t->B));
}

static inline void next(rollout *r, int32_t *out) {
  assert_ok(train_engine_next(r->engine, r->frame, r->t->B));
  memcpy(out, r->tokens, (size_t)(r->t->B * r->t->S) * sizeof *out);
}

static inline void ask(rollout *r, const int32_t *tokens) {
  if (tokens != r->tokens) memcpy(r->tokens, tokens, (size_t)(r->t->B * r->t->S) * sizeof *tokens);
  assert_ok(train_engine_logits(r->engine, r->frame, r->t->B, r->logits));
}

static inline how noisy(int64_t window, int64_t steps) {
  return (how){.window = window, .steps = steps, .temperature = 1.0, .choice_temperature = 2.0};
}

static inline void unmask_prompt(toy *t) {
  for (int64_t i = 0; i < t->B * t->T * t->S; i++)
    if (t->tokens[i] == t->d.V) t->tokens[i] = (int32_t)(i % t->d.V);
}

#endif
