#include "train/eval/eval.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/sim/tabletop.h"
#include "train/engine/engine.h"
#include "train/eval/set.h"
#include "train/eval/shuffle.h"
#include "train/eval/strip.h"
#include "train/eval/measures.h"
#include "train/eval/reconstruction.h"
#include "train/eval/ssim.h"

enum {
  CODEC_FRAMES = 64,  // frames encoded or decoded at once
  ROLLOUT_CLIPS = 16, // clips rolled out side by side
  DELTA_HORIZON = 4,  // Genie's k of delta PSNR
  CHANGED_AT = 24,    // a pixel changed when a channel differs by more than this
};
// Where an object that cannot be found counts as being: half a table away, in metres.
static const double MISSED_AT = 1.0;

struct train_eval {
  const train_loaded_model *dynamics, *tokenizer;
  train_eval_options o;
  train_codec *codec;
  train_eval_set set;
  uint8_t *predicted; // [E,horizon,height,width,3] under the true actions
  uint8_t *other;     // the same under other actions
  uint8_t *given;     // [E,height,width,3] the last prompt frame, encoded and decoded
  train_ssim *ssim;
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
  ORR_TRY_GOTO(train_eval_set_load(episodes, dynamics, e->codec, &wish, &e->set), fail);
  const size_t bytes = (size_t)(e->set.E * horizon(e) * frame_bytes(e));
  e->predicted = orr_malloc(bytes);
  e->other = orr_malloc(bytes);
  e->given = orr_malloc((size_t)(e->set.E * frame_bytes(e)));
  ORR_CHECK_GOTO(e->predicted && e->other && e->given, fail, ORR_ENOMEM,
                 "evaluation: out of memory; lower --clips");
  ORR_TRY_GOTO(train_ssim_create(e->set.height, e->set.width, &e->ssim), fail);
  *out = e;
  return ORR_OK;
fail:
  train_eval_destroy(e);
  return rc;
}

void train_eval_destroy(train_eval *e) {
  if (!e) return;
  train_ssim_destroy(e->ssim);
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

static orr_code roll_portion(train_eval *e, train_engine *g, int64_t first, const int64_t *source,
                             int32_t *tokens, int32_t *rolled) {
  const train_eval_set *s = &e->set;
  const int64_t B = s->E - first < ROLLOUT_CLIPS ? s->E - first : ROLLOUT_CLIPS;
  train_engine_frame f[ROLLOUT_CLIPS];
  ORR_TRY(begin_portion(e, g, first, B));
  for (int64_t t = 0; t < s->T; t++) {
    gather_frames(e, first, B, t, source, tokens, f);
    if (t < s->prompt) {
      ORR_TRY(train_engine_push(g, f, B));
      continue;
    }
    ORR_TRY(train_engine_next(g, f, B));
    for (int64_t b = 0; b < B; b++)
      memcpy(rolled + ((first + b) * horizon(e) + t - s->prompt) * s->S, tokens + b * s->S,
             (size_t)s->S * sizeof *rolled);
  }
  return ORR_OK;
}

// All clips under the actions of clips source[i], decoded to frames [E,horizon,...].
static orr_code roll(train_eval *e, const int64_t *source, const char *what, uint8_t *frames) {
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
                                                  .steps = e->o.steps},
                          &g),
      out);
  for (int64_t first = 0; first < s->E; first += ROLLOUT_CLIPS) {
    ORR_TRY_GOTO(roll_portion(e, g, first, source, tokens, rolled), out);
    orr_progress(first + ROLLOUT_CLIPS >= s->E,
                 "eval: rollouts under %s: clip %" PRId64 " of %" PRId64, what,
                 first + ROLLOUT_CLIPS < s->E ? first + ROLLOUT_CLIPS : s->E, s->E);
  }
  rc = train_codec_decode(e->codec, rolled, s->E * horizon(e), frames);
out:
  train_engine_destroy(g);
  orr_free(rolled);
  orr_free(tokens);
  return rc;
}

// -- measures -------------------------------------------------------------------------------

static json_t *array_of(const double *v, int64_t n) {
  json_t *a = json_array();
  for (int64_t i = 0; i < n; i++) json_array_append_new(a, orr_json_number(v[i]));
  return a;
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

// What stands beside the real frames at each horizon.
typedef enum {
  PREDICTED,     // rollouts under the true actions
  OTHER_ACTIONS, // and under another clip's
  STILL,         // the last prompt frame, held
  STILL_DECODED, // the same as the tokenizer gives it back: what "nothing moves" costs a model
} film;

static const uint8_t *film_frame(const train_eval *e, film f, int64_t clip, int64_t k) {
  const int64_t rolled = (clip * horizon(e) + k) * frame_bytes(e);
  switch (f) {
  case PREDICTED:
    return e->predicted + rolled;
  case OTHER_ACTIONS:
    return e->other + rolled;
  case STILL:
    return real_frame(e, clip, e->set.prompt - 1);
  case STILL_DECODED:
    break;
  }
  return e->given + clip * frame_bytes(e);
}

// psnr [horizon] (=) means over the clips; ssim [horizon] (=) unless NULL.
static void curves(const train_eval *e, film f, double *psnr, double *ssim) {
  for (int64_t k = 0; k < horizon(e); k++) {
    train_measure_mean p = {0}, s = {0};
    for (int64_t i = 0; i < e->set.E; i++) {
      const uint8_t *real = real_frame(e, i, e->set.prompt + k), *shown = film_frame(e, f, i, k);
      train_measure_mean_add(&p,
                             train_measure_psnr(train_measure_mse(real, shown, frame_bytes(e))));
      if (ssim) train_measure_mean_add(&s, train_ssim_of(e->ssim, real, shown));
    }
    psnr[k] = train_measure_mean_of(&p);
    if (ssim) ssim[k] = train_measure_mean_of(&s);
  }
}

// By horizon: PSNR and structural similarity; drift, and delta_psnr against rollouts under another
// clip's actions.
static orr_code measure_horizons(train_eval *e, json_t *out) {
  static const struct {
    film film;
    const char *psnr, *ssim;
  } lines[] = {{PREDICTED, "psnr", "ssim"},
               {STILL, "persistence_psnr", "persistence_ssim"},
               {STILL_DECODED, "decoded_persistence_psnr", "decoded_persistence_ssim"},
               {OTHER_ACTIONS, "random_action_psnr", NULL}};
  enum { LINES = sizeof lines / sizeof *lines };
  const int64_t h = horizon(e), k = DELTA_HORIZON - 1;
  double *v = orr_calloc((size_t)((LINES + 1) * h), sizeof *v), *ssim = v + LINES * h;
  ORR_CHECK(v, ORR_ENOMEM, "evaluation: out of memory");
  for (int i = 0; i < LINES; i++) {
    curves(e, lines[i].film, v + i * h, lines[i].ssim ? ssim : NULL);
    json_object_set_new(out, lines[i].psnr, array_of(v + i * h, h));
    if (lines[i].ssim) json_object_set_new(out, lines[i].ssim, array_of(ssim, h));
  }
  json_object_set_new(out, "delta_psnr",
                      orr_json_number(k < h ? v[k] - v[(LINES - 1) * h + k] : NAN));
  json_object_set_new(out, "drift", orr_json_number(train_measure_slope(v, h)));
  orr_free(v);
  return ORR_OK;
}

// Two futures of one state: what the actions change, predicted against simulated.
static void measure_effect(const train_eval *e, json_t *out) {
  train_measure_effect effect = {0};
  const int64_t h = horizon(e), bytes = frame_bytes(e);
  for (int64_t i = 0; i + 1 < e->set.E; i += 2)
    for (int64_t k = 0; k < h; k++)
      train_measure_effect_add(
          e->predicted + (i * h + k) * bytes, e->predicted + ((i + 1) * h + k) * bytes,
          real_frame(e, i, e->set.prompt + k), real_frame(e, i + 1, e->set.prompt + k),
          e->set.pixels, CHANGED_AT, &effect);
  json_object_set_new(out, "effect_corr", orr_json_number(train_measure_effect_corr(&effect)));
  json_object_set_new(out, "changed_iou", orr_json_number(train_measure_effect_iou(&effect)));
}

static void locate_objects(const train_eval *e, int64_t clip, int64_t k,
                           train_measure_position *all) {
  const train_eval_set *s = &e->set;
  const uint8_t *rgb = e->predicted + (clip * horizon(e) + k) * frame_bytes(e);
  const float *state = s->state + (clip * s->T + s->prompt + k) * s->Q;
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++) {
    double x = 0.0, y = 0.0, area = 0.0;
    data_tabletop_locate(rgb, s->height, s->width, (data_tabletop_object)o, &x, &y, &area);
    train_measure_position_add(area > 0.0, x, y, state[4 * o], state[4 * o + 1], MISSED_AT, all);
  }
}

static void measure_position(const train_eval *e, json_t *out) {
  json_t *errors = json_array();
  int64_t missed = 0;
  for (int64_t k = 0; k < horizon(e); k++) {
    train_measure_position all = {0};
    for (int64_t i = 0; i < e->set.E; i++) locate_objects(e, i, k, &all);
    json_array_append_new(errors, orr_json_number(train_measure_mean_of(&all.error)));
    missed += all.missed;
  }
  json_object_set_new(out, "position_error", errors);
  json_object_set_new(out, "objects_missed", json_integer((json_int_t)missed));
}

static orr_code measure_shuffle(train_eval *e, const int64_t *same, const int64_t *shuffled,
                                json_t *out) {
  double loss = 0.0, other = 0.0;
  ORR_TRY(train_eval_loss(e->dynamics, &e->set, e->o.seed, same, &loss));
  ORR_TRY(train_eval_loss(e->dynamics, &e->set, e->o.seed, shuffled, &other));
  json_object_set_new(out, "loss", orr_json_number(loss));
  json_object_set_new(out, "action_shuffle_ratio",
                      orr_json_number(loss > 0.0 ? other / loss : NAN));
  return ORR_OK;
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
  ORR_TRY(roll(e, same, "the true actions", e->predicted));
  ORR_TRY(roll(e, shuffled, "other actions", e->other));
  ORR_TRY(measure_horizons(e, out));
  ORR_TRY(measure_shuffle(e, same, shuffled, out));
  if (e->o.brief) return ORR_OK;
  if (s->forks)
    measure_effect(e, out);
  else
    ORR_INFO("eval: no effect_corr and changed_iou: the data set has no forks (orrery data "
             "generate --forks)");
  if (s->tabletop)
    measure_position(e, out);
  else
    ORR_INFO("eval: no position_error: the data set has no state of the tabletop scene");
  return ORR_OK;
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
