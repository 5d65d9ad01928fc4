// A world model that is examined. What comes next is a rollout; how surprising what came was is its
// exact likelihood under the model as a decoder of P passes: the positions of a frame are laid in
// an order, the same for all frames of one number, and revealed in P portions. By the chain rule
// -log p(frame) is the sum over portions of -log p(portion | context, portions before), where the
// positions of a portion are independent given those, as they are when the model decodes: P = S is
// the autoregressive likelihood. The context is what really was.
#include <math.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "train/exam/examinee.h"
#include "train/infer/carry.h"
#include "train/setup/run_data.h"

enum { SIDE_BY_SIDE = 8, CODEC_FRAMES = 64 };

typedef struct {
  const train_loaded_model *dynamics, *tokenizer;
  train_examinee_options o;
  train_codec *codec;
  train_engine *engine;
  train_carry carry; // where o.carry
  int32_t branch;
  int64_t S, A, V;
  int32_t *tokens; // [SIDE_BY_SIDE,TRAIN_EXAM_MOST,S] of the clips
  int32_t *told;   // [SIDE_BY_SIDE,S] of which what is masked is V
  int32_t *order;  // [S]
  float *action;   // [SIDE_BY_SIDE,2A]
  float *logits;   // [SIDE_BY_SIDE,S,V]
} model;

static orr_code encode(model *m, const train_exam_clip *clip, int64_t n, bool all) {
  for (int64_t i = 0; i < n; i++)
    ORR_TRY(train_codec_encode(m->codec, train_exam_frame(clip[i].set, clip[i].episode, 0),
                               all ? clip[i].set->T : clip[i].given,
                               m->tokens + i * TRAIN_EXAM_MOST * m->S));
  return ORR_OK;
}

static int32_t *tokens_of(const model *m, int64_t i, int64_t t) {
  return m->tokens + (i * TRAIN_EXAM_MOST + t) * m->S;
}

// Sessions 0..n-1, which draw as their group does: two futures of one moment share their chances.
static orr_code begin(model *m, const train_exam_clip *clip, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    train_engine_settings s = m->o.decoding;
    s.sample = (uint64_t)(clip[i].episode / clip[i].set->group);
    ORR_TRY(train_engine_begin(m->engine, (int32_t)i, &s));
  }
  return ORR_OK;
}

static train_engine_frame frame_of(model *m, const train_exam_clip *c, int64_t i, int64_t t) {
  float *action = m->action + i * 2 * m->A;
  memset(action, 0, (size_t)(2 * m->A) * sizeof *action);
  for (int64_t a = 0; a < DATA_PHYSICS_ACTIONS && t > 0; a++) {
    action[a] = c->set->actions[(c->episode * (c->set->T - 1) + t - 1) * DATA_PHYSICS_ACTIONS + a];
    action[m->A + a] = 1.0f;
  }
  return (train_engine_frame){.session = (int32_t)i,
                              .branch = m->branch,
                              .has_action = t > 0,
                              .action = action,
                              .tokens = tokens_of(m, i, t)};
}

// -- what comes next ------------------------------------------------------------------------

static orr_code roll(model *m, const train_exam_clip *clip, int64_t n, double *nats) {
  train_engine_frame known[SIDE_BY_SIDE], open[SIDE_BY_SIDE];
  for (int64_t t = 0; t < clip->set->T; t++) {
    int64_t knows = 0, opens = 0;
    for (int64_t i = 0; i < n; i++) {
      const train_engine_frame f = frame_of(m, &clip[i], i, t);
      if (t < clip[i].given)
        known[knows++] = f;
      else
        open[opens++] = f;
    }
    if (knows) ORR_TRY(train_engine_push(m->engine, known, knows));
    if (opens) ORR_TRY(train_engine_next(m->engine, open, opens));
    for (int64_t i = 0; i < opens && nats; i++)
      nats[open[i].session * TRAIN_EXAM_MOST + t] = open[i].nll;
  }
  return ORR_OK;
}

// What clip i was told, and the n frames after it as film.
static orr_code decode_film(model *m, const train_exam_clip *clip, int64_t i, int64_t n,
                            uint8_t *film) {
  const int32_t *index = tokens_of(m, i, clip->given);
  ORR_TRY(train_codec_decode(m->codec, index, n, film));
  if (!m->o.carry) return ORR_OK;
  ORR_TRY(train_carry_begin(&m->carry, train_exam_frame(clip->set, clip->episode, clip->given - 1),
                            tokens_of(m, i, clip->given - 1)));
  train_carry_on(&m->carry, index, n, film);
  return ORR_OK;
}

static orr_code predict(void *ctx, const train_exam_clip *clip, int64_t n, uint8_t *film,
                        double *nats) {
  model *m = ctx;
  if (nats) memset(nats, 0, (size_t)(n * TRAIN_EXAM_MOST) * sizeof *nats);
  for (int64_t at = 0; at < n; at += SIDE_BY_SIDE) {
    const int64_t part = n - at < SIDE_BY_SIDE ? n - at : SIDE_BY_SIDE;
    const train_exam_set *s = clip->set;
    ORR_TRY(encode(m, clip + at, part, false));
    ORR_TRY(begin(m, clip + at, part));
    ORR_TRY(roll(m, clip + at, part, nats ? nats + at * TRAIN_EXAM_MOST : NULL));
    for (int64_t i = 0; i < part; i++) {
      const int64_t given = clip[at + i].given;
      ORR_TRY(decode_film(m, clip + at + i, i, s->T - given,
                          film + ((at + i) * s->T + given) * s->height * s->width * 3));
    }
  }
  return ORR_OK;
}

// -- how surprising it was ------------------------------------------------------------------

// Positions in the order in which frame t's are told.
static void shuffle(const model *m, int64_t t) {
  for (int64_t s = 0; s < m->S; s++) m->order[s] = (int32_t)s;
  for (int64_t s = m->S - 1; s > 0; s--) {
    const int64_t other = (int64_t)orr_rng_below(m->o.decoding.seed, ORR_STREAM_EVAL, (uint64_t)t,
                                                 (uint64_t)s, (uint64_t)s + 1);
    const int32_t kept = m->order[s];
    m->order[s] = m->order[other];
    m->order[other] = kept;
  }
}

// Positions told before pass p of P: few at first, as in decoding.
static int64_t told_before(const model *m, int64_t p) {
  const double done = (double)p / (double)m->o.passes;
  return p == m->o.passes
             ? m->S
             : m->S - (int64_t)floor((double)m->S * cos(0.5 * 3.14159265358979323846 * done));
}

static double minus_log(const float *logits, int64_t V, int32_t code) {
  double most = logits[0], sum = 0;
  for (int64_t v = 1; v < V; v++)
    if (logits[v] > most) most = logits[v];
  for (int64_t v = 0; v < V; v++) sum += exp(logits[v] - most);
  return log(sum) + most - logits[code];
}

static orr_code weigh(model *m, train_engine_frame *f, int64_t n, int64_t t, double *nats) {
  const int64_t S = m->S;
  shuffle(m, t);
  for (int64_t i = 0; i < n; i++) {
    f[i].tokens = m->told + i * S;
    for (int64_t s = 0; s < S; s++) f[i].tokens[s] = (int32_t)m->V;
  }
  for (int64_t p = 0; p < m->o.passes; p++) {
    const int64_t from = told_before(m, p), to = told_before(m, p + 1);
    if (from == to) continue;
    ORR_TRY(train_engine_logits(m->engine, f, n, m->logits));
    for (int64_t i = 0; i < n; i++)
      for (int64_t k = from; k < to; k++) {
        const int32_t s = m->order[k], code = tokens_of(m, f[i].session, t)[s];
        nats[f[i].session * TRAIN_EXAM_MOST + t] +=
            minus_log(m->logits + (i * S + s) * m->V, m->V, code);
        f[i].tokens[s] = code;
      }
  }
  return ORR_OK;
}

static orr_code weigh_clips(model *m, const train_exam_clip *clip, int64_t n, double *nats) {
  train_engine_frame all[SIDE_BY_SIDE], asked[SIDE_BY_SIDE];
  for (int64_t t = 0; t < clip->set->T; t++) {
    int64_t asks = 0;
    for (int64_t i = 0; i < n; i++) {
      all[i] = frame_of(m, &clip[i], i, t);
      if (t >= clip[i].given) asked[asks++] = all[i];
    }
    if (asks) ORR_TRY(weigh(m, asked, asks, t, nats));
    if (t + 1 < clip->set->T) ORR_TRY(train_engine_push(m->engine, all, n));
  }
  return ORR_OK;
}

static orr_code surprise(void *ctx, const train_exam_clip *clip, int64_t n, double *nats) {
  model *m = ctx;
  memset(nats, 0, (size_t)(n * TRAIN_EXAM_MOST) * sizeof *nats);
  for (int64_t at = 0; at < n; at += SIDE_BY_SIDE) {
    const int64_t part = n - at < SIDE_BY_SIDE ? n - at : SIDE_BY_SIDE;
    ORR_TRY(encode(m, clip + at, part, true));
    ORR_TRY(begin(m, clip + at, part));
    ORR_TRY(weigh_clips(m, clip + at, part, nats + at * TRAIN_EXAM_MOST));
  }
  return ORR_OK;
}

// -- life -----------------------------------------------------------------------------------

static void destroy(void *ctx) {
  model *m = ctx;
  if (!m) return;
  train_engine_destroy(m->engine);
  train_carry_release(&m->carry);
  train_codec_destroy(m->codec);
  orr_free(m->logits);
  orr_free(m->action);
  orr_free(m->order);
  orr_free(m->told);
  orr_free(m->tokens);
  orr_free(m);
}

orr_code train_examinee_model_check(const cfg *c, const char *path,
                                    const train_examinee_options *o) {
  const int64_t positions = c->model.rows * c->model.cols;
  int32_t branch;
  ORR_CHECK(c->model.actions >= DATA_PHYSICS_ACTIONS, ORR_EINVAL,
            "%s takes %" PRId64 " action components, the exam has %d: fine-tune it with "
            "model.actions %d on `orrery data generate --scene physics`",
            path, c->model.actions, DATA_PHYSICS_ACTIONS, DATA_PHYSICS_ACTIONS);
  ORR_CHECK(c->data.stride == 1, ORR_EINVAL,
            "%s was trained with data.stride %" PRId64
            ", the exam has every frame: fine-tune it with data.stride 1",
            path, c->data.stride);
  ORR_CHECK(o->passes >= 1 && o->passes <= positions, ORR_EINVAL,
            "--passes %" PRId64 ": the model has %" PRId64 " positions a frame, wanted 1 to that",
            o->passes, positions);
  return train_branch_id(c, o->branch, &branch);
}

static orr_code open_model(model *m) {
  const train_loaded_model *d = m->dynamics;
  const size_t clips = SIDE_BY_SIDE, S = (size_t)m->S;
  ORR_TRY(train_examinee_model_check(d->c, d->path, &m->o));
  ORR_TRY(train_branch_id(d->c, m->o.branch, &m->branch));
  ORR_TRY(train_codec_create(m->tokenizer, CODEC_FRAMES, &m->codec));
  if (m->o.carry) ORR_TRY(train_carry_create(m->tokenizer, m->codec, &m->carry));
  ORR_TRY(train_engine_create(
      d->k, &d->dynamics, &d->dynamics_p, &d->state.weights,
      &(train_engine_options){.sessions = SIDE_BY_SIDE,
                              .batch = SIDE_BY_SIDE,
                              .window = train_engine_window(d->c, TRAIN_EXAM_MOST),
                              .steps = m->o.decoding.steps,
                              .guidance = m->o.guidance},
      &m->engine));
  m->tokens = orr_malloc(clips * TRAIN_EXAM_MOST * S * sizeof *m->tokens);
  m->told = orr_malloc(clips * S * sizeof *m->told);
  m->order = orr_malloc(S * sizeof *m->order);
  m->action = orr_malloc(clips * 2 * (size_t)m->A * sizeof *m->action);
  m->logits = orr_malloc(clips * S * (size_t)m->V * sizeof *m->logits);
  ORR_CHECK(m->tokens && m->told && m->order && m->action && m->logits, ORR_ENOMEM,
            "exam: out of memory");
  return ORR_OK;
}

orr_code train_examinee_model(const train_loaded_model *dynamics,
                              const train_loaded_model *tokenizer, const train_examinee_options *o,
                              train_examinee *out) {
  model *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "exam: out of memory");
  *m = (model){.dynamics = dynamics,
               .tokenizer = tokenizer,
               .o = *o,
               .S = dynamics->dynamics.S,
               .A = dynamics->dynamics.A,
               .V = dynamics->dynamics.V};
  const orr_code rc = open_model(m);
  if (rc != ORR_OK) {
    destroy(m);
    return rc;
  }
  *out = (train_examinee){
      .name = "model", .ctx = m, .predict = predict, .surprise = surprise, .destroy = destroy};
  return ORR_OK;
}
