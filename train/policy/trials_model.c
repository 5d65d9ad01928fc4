// Trials in a model's frames, many at once, judged by the model's own head for progress where it
// has one, else by what the frames show.
//
// Trial n draws the model's random numbers by (seed, n) whoever acts in it: what differs between
// two policies' trials is what they did.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "train/policy/trials.h"

#define SAMPLE_STEP (UINT64_C(1) << 40) // between the numbers of rolls of the dice of one trial

static orr_code allocate(train_model_trials *t) {
  const train_actor_world *w = t->w;
  const train_dynamics_dims *d = &t->m->dynamics->dynamics;
  const size_t B = (size_t)w->places, A = (size_t)w->A;
  const size_t Q = w->scene ? (size_t)w->scene->Q : 1;
  t->tokens = orr_malloc(B * (size_t)d->S * sizeof *t->tokens);
  t->frames = orr_malloc(B * (size_t)(w->height * w->width * 3));
  t->drawn = orr_malloc(B * (size_t)(w->height * w->width * 3));
  t->lately = orr_calloc(B * DATA_GOALS_HELD, sizeof *t->lately);
  t->padded = orr_calloc(B * 2 * (size_t)d->A, sizeof *t->padded);
  t->action = orr_calloc(B * A, sizeof *t->action);
  t->led = orr_calloc(B * A, sizeof *t->led);
  t->seen = orr_calloc(B * Q, sizeof *t->seen);
  t->watch = orr_calloc(B, sizeof *t->watch);
  t->nats = orr_calloc(B, sizeof *t->nats);
  ORR_CHECK(t->tokens && t->frames && t->padded && t->action && t->led && t->seen && t->watch &&
                t->nats && t->drawn && t->lately,
            ORR_ENOMEM, "trials in a model: out of memory");
  return ORR_OK;
}

static orr_code take_carries(train_model_trials *t) {
  t->carry = orr_calloc((size_t)t->w->places, sizeof *t->carry);
  ORR_CHECK(t->carry, ORR_ENOMEM, "trials in a model: out of memory");
  for (int64_t b = 0; b < t->w->places; b++)
    ORR_TRY(train_carry_create(t->m->tokenizer, t->codec, &t->carry[b]));
  return ORR_OK;
}

orr_code train_model_trials_create(const train_actor_world *w, const train_world_model *m,
                                   const train_engine_settings *settings, double guidance,
                                   bool carry, int64_t frames, int32_t branch,
                                   train_model_trials *out) {
  const train_loaded_model *d = m->dynamics;
  *out = (train_model_trials){.w = w,
                              .m = m,
                              .settings = *settings,
                              .branch = branch,
                              .by_head = d->dynamics.outcome[TRAIN_PROGRESS],
                              .arrived = TRAIN_MODEL_ARRIVED};
  ORR_TRY(train_engine_create(d->k, &d->dynamics, &d->dynamics_p, &d->state.weights,
                              &(train_engine_options){.sessions = w->places,
                                                      .batch = w->places,
                                                      .window = train_engine_window(d->c, frames),
                                                      .steps = settings->steps,
                                                      .guidance = guidance},
                              &out->engine));
  ORR_TRY(train_codec_create(m->tokenizer, w->places, &out->codec));
  ORR_TRY(allocate(out));
  return carry ? take_carries(out) : ORR_OK;
}

void train_model_trials_release(train_model_trials *t) {
  for (int64_t b = 0; t->carry && b < t->w->places; b++) train_carry_release(&t->carry[b]);
  orr_free(t->carry);
  orr_free(t->lately);
  orr_free(t->drawn);
  orr_free(t->nats);
  orr_free(t->watch);
  orr_free(t->seen);
  orr_free(t->led);
  orr_free(t->action);
  orr_free(t->padded);
  orr_free(t->frames);
  orr_free(t->tokens);
  train_codec_destroy(t->codec);
  train_engine_destroy(t->engine);
  *t = (train_model_trials){0};
}

static int64_t frame_bytes(const train_model_trials *t) {
  return t->w->height * t->w->width * 3;
}

// The engine's frame of place b, row r of those that go on; `led` [A] led to it, NULL: nothing did.
static train_engine_frame frame_of(train_model_trials *t, int64_t b, int64_t r, const float *led) {
  const train_dynamics_dims *d = &t->m->dynamics->dynamics;
  float *to = t->padded + b * 2 * d->A;
  for (int64_t i = 0; led && i < t->w->A; i++) {
    to[i] = led[i];
    to[d->A + i] = 1.0f;
  }
  return (train_engine_frame){.session = (int32_t)b,
                              .branch = t->branch,
                              .has_action = led != NULL,
                              .action = to,
                              .tokens = t->tokens + r * d->S};
}

// The head says the share of the way to success times the chance to arrive: at the goal alone 1.
// Gives back the least that it said of the last DATA_GOALS_HELD frames.
static double judge_by_head(train_model_trials *t, int64_t b, double progress) {
  data_goals_watch *w = &t->watch[b];
  double *lately = t->lately + b * DATA_GOALS_HELD, least = progress;
  if (w->done || isnan(progress)) return 0;
  w->progress = fmax(0, fmin(1, progress));
  w->held = progress >= t->arrived ? w->held + 1 : 0;
  w->done = w->held >= DATA_GOALS_HELD;
  memmove(lately, lately + 1, (DATA_GOALS_HELD - 1) * sizeof *lately);
  lately[DATA_GOALS_HELD - 1] = progress;
  for (int i = 0; i < DATA_GOALS_HELD; i++) least = fmin(least, lately[i]);
  return least;
}

// One frame more at place b, which `f` was decoded to; `frame` are its pixels.
static double judge(train_model_trials *t, int64_t b, const train_engine_frame *f,
                    const uint8_t *frame, const float *led, bool first) {
  const data_scene *s = t->w->scene;
  if (t->by_head) return judge_by_head(t, b, f->progress);
  float *seen = t->seen + b * s->Q;
  s->goals->see(frame, t->w->height, t->w->width, t->w->fps, first ? NULL : led, seen);
  data_goals_look(s->goals, t->w->task, seen, first, &t->watch[b]);
  return 0;
}

static orr_code begin_place(train_model_trials *t, int64_t b, int64_t trial, uint64_t sample) {
  train_engine_settings s = t->settings;
  s.sample = (uint64_t)trial + sample * SAMPLE_STEP;
  t->watch[b] = (data_goals_watch){0};
  return train_engine_begin(t->engine, (int32_t)b, &s);
}

// Trials first .. first+B-1 stand at the last frame of their prompts, as t->frames shows.
static orr_code begin(train_model_trials *t, const train_starts *s, int64_t first, int64_t B,
                      train_actor *a, uint64_t sample) {
  const size_t bytes = s->frame_bytes;
  train_engine_frame f[TRAIN_ACTOR_PLACES_MAX];
  for (int64_t b = 0; b < B; b++) {
    ORR_TRY(begin_place(t, b, first + b, sample));
    if (a) ORR_TRY(train_actor_begin(a, b, (uint64_t)(first + b)));
  }
  for (int64_t i = 0; i < s->prompt; i++) {
    for (int64_t b = 0; b < B; b++) {
      const int64_t row = (first + b) * s->prompt + i;
      const float *led = i ? s->led + row * s->A : NULL;
      uint8_t *frame = t->frames + (size_t)b * bytes;
      memcpy(frame, s->frames + (size_t)row * bytes, bytes);
      if (a && i + 1 < s->prompt) ORR_TRY(train_actor_watch(a, b, frame, led));
      f[b] = frame_of(t, b, b, led);
    }
    ORR_TRY(train_codec_encode(t->codec, t->frames, B, t->tokens));
    ORR_TRY(train_engine_push(t->engine, f, B));
    for (int64_t b = 0; t->carry && i + 1 == s->prompt && b < B; b++)
      ORR_TRY(train_carry_begin(&t->carry[b], t->frames + (size_t)b * bytes,
                                t->tokens + b * t->m->dynamics->dynamics.S));
    for (int64_t b = 0; b < B; b++) {
      const float *led = i ? s->led + ((first + b) * s->prompt + i) * s->A : NULL;
      (void)judge(t, b, &f[b], t->frames + (size_t)b * bytes, led, i == 0);
    }
  }
  memset(t->watch, 0, (size_t)B * sizeof *t->watch); // what is given is no success
  memset(t->lately, 0, (size_t)(B * DATA_GOALS_HELD) * sizeof *t->lately);
  return ORR_OK;
}

// The n places at `b` go on by their actions in t->action; level [n] (=) as of judge.
static orr_code go_on(train_model_trials *t, const int64_t *b, int64_t n, double *level) {
  const int64_t A = t->w->A, bytes = frame_bytes(t);
  train_engine_frame f[TRAIN_ACTOR_PLACES_MAX];
  for (int64_t r = 0; r < n; r++) f[r] = frame_of(t, b[r], r, t->action + b[r] * A);
  ORR_TRY(train_engine_next(t->engine, f, n));
  ORR_TRY(train_codec_decode(t->codec, t->tokens, n, t->drawn));
  for (int64_t r = 0; r < n; r++) {
    uint8_t *frame = t->frames + b[r] * bytes;
    if (t->carry)
      train_carry_on(&t->carry[b[r]], t->tokens + r * t->m->dynamics->dynamics.S, 1,
                     t->drawn + r * bytes);
    memcpy(frame, t->drawn + r * bytes, (size_t)bytes);
    t->nats[b[r]] = f[r].nll / (double)t->m->dynamics->dynamics.S;
    level[r] = judge(t, b[r], &f[r], frame, t->action + b[r] * A, false);
    memcpy(t->led + b[r] * A, t->action + b[r] * A, (size_t)A * sizeof *t->led);
  }
  t->decoded += n;
  return ORR_OK;
}

static orr_code act(train_model_trials *t, const train_starts *s, int64_t first, int64_t b,
                    int64_t h, train_actor *a, train_verdicts *out) {
  const int64_t A = s->A, trial = first + b;
  float *row = out->actions + (trial * out->horizon + h) * A, *action = t->action + b * A;
  const float *before = s->prompt > 1 ? s->led + (trial * s->prompt + s->prompt - 1) * A : NULL;
  if (!a) {
    memcpy(action, row, (size_t)A * sizeof *row);
    return ORR_OK;
  }
  ORR_TRY(
      train_actor_act(a, b, t->frames + b * frame_bytes(t), h ? t->led + b * A : before, action));
  memcpy(row, action, (size_t)A * sizeof *row);
  return ORR_OK;
}

// What a trial came to by a frame, number h of those that the model made.
static void note(const train_model_trials *t, int64_t trial, int64_t b, int64_t h, double level,
                 train_verdicts *out) {
  out->progress[trial] = fmax(out->progress[trial], t->watch[b].progress);
  out->level[trial] = fmax(out->level[trial], level);
  if (h < TRAIN_MODEL_FIRST)
    out->surprise[trial] += (t->nats[b] - out->surprise[trial]) / (double)(h + 1);
}

static orr_code run_some(train_model_trials *t, const train_starts *s, int64_t first, int64_t B,
                         train_actor *a, uint64_t sample, train_verdicts *out) {
  int64_t on[TRAIN_ACTOR_PLACES_MAX];
  double level[TRAIN_ACTOR_PLACES_MAX];
  ORR_TRY(begin(t, s, first, B, a, sample));
  for (int64_t b = 0; b < B; b++)
    out->progress[first + b] = out->surprise[first + b] = out->level[first + b] = 0;
  for (int64_t h = 0; h < out->horizon; h++) {
    int64_t n = 0; // what was done once is done: nothing that follows can undo it
    for (int64_t b = 0; b < B; b++)
      if (!t->watch[b].done) on[n++] = b;
    if (!n) break;
    for (int64_t r = 0; r < n; r++) ORR_TRY(act(t, s, first, on[r], h, a, out));
    ORR_TRY(go_on(t, on, n, level));
    for (int64_t r = 0; r < n; r++) note(t, first + on[r], on[r], h, level[r], out);
  }
  for (int64_t b = 0; b < B; b++) out->success[first + b] = out->seen[first + b] = t->watch[b].done;
  return ORR_OK;
}

orr_code train_model_run(train_model_trials *t, const train_starts *s, train_actor *a,
                         uint64_t sample, train_verdicts *out) {
  for (int64_t first = 0; first < s->N; first += t->w->places) {
    const int64_t B = s->N - first < t->w->places ? s->N - first : t->w->places;
    ORR_TRY(run_some(t, s, first, B, a, sample, out));
  }
  return ORR_OK;
}

orr_code train_model_show(train_model_trials *t, const train_starts *s, int64_t n,
                          const float *actions, int64_t horizon, uint8_t *frames) {
  const size_t bytes = s->frame_bytes;
  const train_starts one = {.N = 1,
                            .prompt = s->prompt,
                            .A = s->A,
                            .frame_bytes = bytes,
                            .frames = s->frames + (size_t)(n * s->prompt) * bytes,
                            .led = s->led + n * s->prompt * s->A};
  const int64_t place = 0;
  double level;
  ORR_TRY(begin(t, &one, 0, 1, NULL, 0));
  memcpy(frames, t->frames, bytes);
  for (int64_t h = 0; h < horizon; h++) {
    memcpy(t->action, actions + h * s->A, (size_t)s->A * sizeof *t->action);
    ORR_TRY(go_on(t, &place, 1, &level));
    memcpy(frames + (size_t)(h + 1) * bytes, t->frames, bytes);
  }
  return ORR_OK;
}
