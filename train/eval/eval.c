#include "train/eval/eval.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "train/engine/engine.h"
#include "train/eval/measure.h"
#include "train/eval/set.h"
#include "train/eval/strip.h"
#include "train/infer/carry.h"
#include "train/infer/moves.h"
#include "train/eval/reconstruction.h"

enum {
  CODEC_FRAMES = 64,  // frames encoded or decoded at once
  ROLLOUT_CLIPS = 16, // clips rolled out side by side
};

struct train_eval {
  const train_loaded_model *dynamics, *tokenizer;
  train_eval_options o;
  train_codec *codec;
  train_eval_set set;
  uint8_t *predicted;        // [E,horizon,height,width,3] under the true actions
  int32_t *predicted_tokens; // [E,horizon,S] of these
  double *nats;              // [E,horizon] their surprise, a token
  uint8_t *other;            // the same under other actions
  uint8_t *given;            // [E,height,width,3] the last prompt frame, encoded and decoded
  // [E,T] what heads on registers say, NULL without them: of what was predicted under the true
  // actions, and of what was recorded.
  double *said[TRAIN_OUTCOMES], *given_said[TRAIN_OUTCOMES];
  bool by_pose; // what is remembered
  train_pose_moves moves;
};

static int64_t frame_bytes(const train_eval *e) {
  return e->set.pixels * 3;
}
static int64_t horizon(const train_eval *e) {
  return e->set.T - e->set.prompt;
}

static const uint8_t *real_frame(const train_eval *e, int64_t clip, int64_t t) {
  return e->set.frames + (clip * e->set.T + t) * frame_bytes(e);
}

orr_code train_eval_create(const train_loaded_model *dynamics, const train_loaded_model *tokenizer,
                           train_episodes *episodes, const train_eval_options *o,
                           train_eval **out) {
  orr_code rc;
  train_eval *e = orr_calloc(1, sizeof *e);
  ORR_CHECK(e, ORR_ENOMEM, "evaluation: out of memory");
  *e = (train_eval){.dynamics = dynamics, .tokenizer = tokenizer, .o = *o};
  ORR_TRY_GOTO(train_codec_create(tokenizer, CODEC_FRAMES, &e->codec), fail);
  const train_eval_wish wish = {o->clips, o->prompt, o->horizon, o->seed};
  e->by_pose = o->memory && o->by_pose &&
               train_moves_of(train_episodes_index(episodes), dynamics->c->data.stride, &e->moves);
  ORR_TRY_GOTO(train_eval_set_load(episodes, dynamics, e->codec, &wish, &e->set), fail);
  const size_t bytes = (size_t)(e->set.E * horizon(e) * frame_bytes(e));
  e->predicted = orr_malloc(bytes);
  e->other = orr_malloc(bytes);
  e->given = orr_malloc((size_t)(e->set.E * frame_bytes(e)));
  e->predicted_tokens =
      orr_malloc((size_t)(e->set.E * horizon(e) * e->set.S) * sizeof *e->predicted_tokens);
  e->nats = orr_malloc((size_t)(e->set.E * horizon(e)) * sizeof *e->nats);
  ORR_CHECK_GOTO(e->predicted && e->other && e->given && e->predicted_tokens && e->nats, fail,
                 ORR_ENOMEM, "evaluation: out of memory; lower --clips");
  for (int i = 0; i < TRAIN_OUTCOMES; i++) {
    const size_t frames = (size_t)(e->set.E * e->set.T);
    if (!dynamics->dynamics.outcome[i]) continue;
    e->said[i] = orr_calloc(frames, sizeof *e->said[i]);
    e->given_said[i] = orr_calloc(frames, sizeof *e->given_said[i]);
    ORR_CHECK_GOTO(e->said[i] && e->given_said[i], fail, ORR_ENOMEM,
                   "evaluation: out of memory; lower --clips");
  }
  *out = e;
  return ORR_OK;
fail:
  train_eval_destroy(e);
  return rc;
}

void train_eval_destroy(train_eval *e) {
  if (!e) return;
  for (int i = 0; i < TRAIN_OUTCOMES; i++) {
    orr_free(e->given_said[i]);
    orr_free(e->said[i]);
  }
  orr_free(e->nats);
  orr_free(e->predicted_tokens);
  orr_free(e->given);
  orr_free(e->other);
  orr_free(e->predicted);
  train_eval_set_release(&e->set);
  train_codec_destroy(e->codec);
  orr_free(e);
}

// -- rollouts -------------------------------------------------------------------------------

// Frame t of clips first..first+B-1; clip i takes the actions of clip source[i].
static void gather_frames(const train_eval *e, int64_t first, int64_t B, int64_t t,
                          const int64_t *source, int32_t *tokens, train_engine_frame *f) {
  const train_eval_set *s = &e->set;
  for (int64_t b = 0; b < B; b++) {
    const int64_t clip = first + b, from = t < s->prompt ? clip : source[clip];
    memcpy(tokens + b * s->S, s->tokens + (clip * s->T + t) * s->S, (size_t)s->S * sizeof *tokens);
    f[b] = (train_engine_frame){.session = (int32_t)b,
                                .branch = s->branch,
                                .has_action = s->has[from * s->T + t],
                                .action = s->action + (from * s->T + t) * 2 * s->A,
                                .tokens = tokens + b * s->S};
  }
}

static orr_code begin_portion(train_eval *e, train_engine *g, int64_t first, int64_t B) {
  for (int64_t b = 0; b < B; b++) {
    // Two futures of one state share their random numbers, so that only the actions tell them
    // apart.
    const train_engine_settings s = {.steps = e->o.steps,
                                     .temperature = e->o.temperature,
                                     .choice_temperature = e->o.choice_temperature,
                                     .seed = e->o.seed,
                                     .sample =
                                         (uint64_t)(e->set.forks ? (first + b) / 2 : first + b)};
    ORR_TRY(train_engine_begin(g, (int32_t)b, &s));
  }
  return ORR_OK;
}

static void note_said(const train_eval *e, int64_t first, int64_t B, int64_t t,
                      const train_engine_frame *f, double *const *said) {
  for (int64_t b = 0; said && b < B; b++) {
    const double v[TRAIN_OUTCOMES] = {f[b].reward, f[b].done, f[b].progress};
    for (int o = 0; o < TRAIN_OUTCOMES; o++)
      if (said[o]) said[o][(first + b) * e->set.T + t] = v[o];
  }
}

// Clips first, first+1, ... under the actions of clips source[i]; said: what heads say of them, or
// NULL. rolled == NULL: the clips as they are.
static orr_code roll_portion(train_eval *e, train_engine *g, int64_t first, const int64_t *source,
                             int32_t *tokens, int32_t *rolled, double *const *said, double *nats) {
  const train_eval_set *s = &e->set;
  const int64_t B = s->E - first < ROLLOUT_CLIPS ? s->E - first : ROLLOUT_CLIPS;
  train_engine_frame f[ROLLOUT_CLIPS];
  ORR_TRY(begin_portion(e, g, first, B));
  for (int64_t t = 0; t < s->T; t++) {
    gather_frames(e, first, B, t, source, tokens, f);
    if (t < s->prompt || !rolled) {
      ORR_TRY(train_engine_push(g, f, B));
      note_said(e, first, B, t, f, said);
      continue;
    }
    ORR_TRY(train_engine_next(g, f, B));
    note_said(e, first, B, t, f, said);
    for (int64_t b = 0; nats && b < B; b++)
      nats[(first + b) * horizon(e) + t - s->prompt] = f[b].nll / (double)s->S;
    for (int64_t b = 0; b < B; b++)
      memcpy(rolled + ((first + b) * horizon(e) + t - s->prompt) * s->S, tokens + b * s->S,
             (size_t)s->S * sizeof *rolled);
  }
  return ORR_OK;
}

// Rolled codes [E,horizon,S] as films [E,horizon,...].
static orr_code decode_films(const train_eval *e, const int32_t *rolled, uint8_t *films) {
  const train_eval_set *s = &e->set;
  const int64_t h = horizon(e), last = s->prompt - 1;
  train_carry carry;
  ORR_TRY(train_codec_decode(e->codec, rolled, s->E * h, films));
  if (!e->o.carry) return ORR_OK;
  ORR_TRY(train_carry_create(e->tokenizer, e->codec, &carry));
  orr_code rc = ORR_OK;
  for (int64_t i = 0; i < s->E && rc == ORR_OK; i++) {
    rc = train_carry_begin(&carry, real_frame(e, i, last), s->tokens + (i * s->T + last) * s->S);
    if (rc == ORR_OK)
      train_carry_on(&carry, rolled + i * h * s->S, h, films + i * h * frame_bytes(e));
  }
  train_carry_release(&carry);
  return rc;
}

// All clips under the actions of clips source[i], decoded to frames [E,horizon,...]; their codes
// [E,horizon,S] go to `kept` unless it is NULL. With `kept` also what heads on registers say of
// them, and of the clips themselves.
static orr_code roll(train_eval *e, const int64_t *source, const char *what, int32_t *kept,
                     uint8_t *frames) {
  const train_loaded_model *m = e->dynamics;
  const train_eval_set *s = &e->set;
  orr_code rc;
  train_engine *g = NULL;
  int32_t *tokens = orr_malloc((size_t)(ROLLOUT_CLIPS * s->S) * sizeof *tokens);
  int32_t *rolled = orr_malloc((size_t)(s->E * horizon(e) * s->S) * sizeof *rolled);
  ORR_CHECK_GOTO(tokens && rolled, out, ORR_ENOMEM, "rollouts: out of memory");
  ORR_TRY_GOTO(
      train_engine_create(m->k, &m->dynamics, &m->dynamics_p, &m->state.weights,
                          &(train_engine_options){.sessions = ROLLOUT_CLIPS,
                                                  .batch = ROLLOUT_CLIPS,
                                                  .window = train_engine_window(m->c, s->T),
                                                  .steps = e->o.steps,
                                                  .memory = e->o.memory,
                                                  .moves = e->by_pose ? &e->moves : NULL,
                                                  .guidance = e->o.guidance},
                          &g),
      out);
  for (int64_t first = 0; first < s->E; first += ROLLOUT_CLIPS) {
    ORR_TRY_GOTO(roll_portion(e, g, first, source, tokens, rolled, kept ? e->said : NULL,
                              kept ? e->nats : NULL),
                 out);
    if (kept && train_registers_any(&m->dynamics))
      ORR_TRY_GOTO(roll_portion(e, g, first, source, tokens, NULL, e->given_said, NULL), out);
    orr_progress(first + ROLLOUT_CLIPS >= s->E,
                 "eval: rollouts under %s: clip %" PRId64 " of %" PRId64, what,
                 first + ROLLOUT_CLIPS < s->E ? first + ROLLOUT_CLIPS : s->E, s->E);
  }
  if (kept) memcpy(kept, rolled, (size_t)(s->E * horizon(e) * s->S) * sizeof *kept);
  rc = decode_films(e, rolled, frames);
out:
  train_engine_destroy(g);
  orr_free(rolled);
  orr_free(tokens);
  return rc;
}

static orr_code measure_tokenizer(train_eval *e, json_t *out) {
  const train_eval_set *s = &e->set;
  const int64_t bytes = frame_bytes(e);
  train_reconstruction *r = NULL;
  orr_code rc;
  uint8_t *decoded = orr_malloc((size_t)(s->T * bytes));
  ORR_CHECK_GOTO(decoded, out, ORR_ENOMEM, "evaluation: out of memory");
  ORR_TRY_GOTO(train_reconstruction_create(s->height, s->width, s->S,
                                           train_tokenizer_codes(&e->tokenizer->tokenizer), &r),
               out);
  for (int64_t i = 0; i < s->E; i++) {
    const int32_t *tokens = s->tokens + i * s->T * s->S;
    ORR_TRY_GOTO(train_codec_decode(e->codec, tokens, s->T, decoded), out);
    train_reconstruction_add(r, real_frame(e, i, 0), decoded, tokens, s->T);
    memcpy(e->given + i * bytes, decoded + (s->prompt - 1) * bytes, (size_t)bytes);
  }
  train_reconstruction_tell(r, out);
out:
  train_reconstruction_destroy(r);
  orr_free(decoded);
  return rc;
}

// -- the whole ------------------------------------------------------------------------------

// Whose actions clip i takes instead of its own: those of the clip half of all on; of the other
// future of the pair half of all on, never of its own twin, whose past is the same.
static int64_t another(const train_eval_set *s, int64_t i) {
  const int64_t unit = s->forks ? 2 : 1, n = s->E / unit;
  return (i / unit + n / 2) % n * unit + (unit - 1 - i % unit);
}

static orr_code measure_all(train_eval *e, int64_t *same, int64_t *shuffled, json_t *out) {
  const train_eval_set *s = &e->set;
  for (int64_t i = 0; i < s->E; i++) {
    same[i] = i;
    shuffled[i] = another(s, i);
  }
  ORR_TRY(measure_tokenizer(e, out));
  ORR_TRY(roll(e, same, "the true actions", e->predicted_tokens, e->predicted));
  ORR_TRY(roll(e, shuffled, "other actions", NULL, e->other));
  train_films f = {.dynamics = e->dynamics,
                   .set = s,
                   .seed = e->o.seed,
                   .brief = e->o.brief,
                   .horizon = horizon(e),
                   .bytes = frame_bytes(e),
                   .own_actions = same,
                   .other_actions = shuffled,
                   .predicted = e->predicted,
                   .predicted_tokens = e->predicted_tokens,
                   .nats = e->nats,
                   .other = e->other,
                   .given = e->given};
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    f.said[o] = e->said[o];
    f.given_said[o] = e->given_said[o];
  }
  return train_measure_all(&f, out);
}

// Which clips were measured: `orrery rollout --clip EPISODE --start START` shows one.
static void list_windows(const train_eval_set *s, json_t *out) {
  json_t *list = json_array();
  for (int64_t i = 0; i < s->E; i++)
    json_array_append_new(list, json_pack("{s:I, s:I}", "episode", (json_int_t)s->window[i].episode,
                                          "start", (json_int_t)s->window[i].start));
  json_object_set_new(out, "windows", list);
}

orr_code train_eval_run(train_eval *e, json_t **out) {
  json_t *j = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f}", "checkpoint", e->dynamics->path,
                        "step", (json_int_t)e->dynamics->step, "clips", (json_int_t)e->set.E,
                        "prompt", (json_int_t)e->set.prompt, "horizon", (json_int_t)horizon(e),
                        "steps", (json_int_t)e->o.steps, "temperature", e->o.temperature);
  int64_t *source = orr_malloc((size_t)(2 * e->set.E) * sizeof *source);
  orr_code rc = j && source ? measure_all(e, source, source + e->set.E, j)
                            : ORR_FAIL(ORR_ENOMEM, "evaluation: out of memory");
  orr_free(source);
  if (rc == ORR_OK) list_windows(&e->set, j);
  if (rc == ORR_OK)
    *out = j;
  else
    json_decref(j);
  return rc;
}

orr_code train_eval_strip(const train_eval *e, const char *path, int64_t rows) {
  return train_eval_strip_write(&e->set, e->predicted, e->given, path, rows);
}
