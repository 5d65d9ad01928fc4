#include "train/engine/engine.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/engine/batch.h"
#include "train/engine/memory.h"
#include "train/engine/rings.h"

typedef struct {
  train_engine_settings settings;
  int64_t frame; // number of the next one
  int64_t most;  // the same when it was largest: frames beyond have been taken back
  bool open;
} session;

struct train_engine {
  train_dynamics_dims d;
  train_engine_options o;
  train_batch batch;
  session *session;            // [sessions]
  train_engine_frame *pending; // [batch], decoded and not yet appended; what follows is theirs
  float *pending_action;       // [batch,2A]
  int32_t *pending_tokens;     // [batch,S]
  int64_t pendings;
  train_memory memory;
  train_pose_moves moves;
  int32_t
      *past; // [sessions,ahead+1,S], where the model asks for it: frame t's codes at t % (ahead+1)
};

// -- life -------------------------------------------------------------------------------------

static orr_code check_options(const train_dynamics_dims *d, const train_engine_options *o) {
  ORR_CHECK(o->window >= 1 && o->steps >= 1, ORR_EINVAL,
            "rollout of window %" PRId64 " and %" PRId64 " passes a frame: both must be at least 1",
            o->window, o->steps);
  ORR_CHECK(o->guidance >= 0.0 && isfinite(o->guidance), ORR_EINVAL,
            "rollout of guidance %g: wanted 0 or more", o->guidance);
  ORR_CHECK(o->memory >= 0 && o->memory <= TRAIN_MEMORY_MOST, ORR_EINVAL,
            "rollout with a memory of %" PRId64 " frames: wanted 0 to %d", o->memory,
            (int)TRAIN_MEMORY_MOST);
  ORR_CHECK(o->sessions >= 1 && o->batch >= 1 && o->ahead >= 0, ORR_EINVAL,
            "rollout of %" PRId64 " sessions, %" PRId64 " at once, %" PRId64
            " frames ahead: wanted 1, 1 and 0 or more",
            o->sessions, o->batch, o->ahead);
  ORR_CHECK(o->batch * d->N <= INT32_MAX, ORR_EINVAL,
            "rollout of %" PRId64 " clips with %" PRId64 " tokens a frame: %" PRId64
            " rows, kernels count to %d: "
            "fewer clips at once",
            o->batch, d->N, o->batch * d->N, INT32_MAX);
  return ORR_OK;
}

// What a session needs of its past frames' codes: as many as it can be taken back, and one more.
static size_t past_bytes(const train_engine *e) {
  return e->d.before ? (size_t)((e->o.ahead + 1) * e->d.S) * sizeof *e->past : 0;
}

static int32_t *past_of(const train_engine *e, int32_t i, int64_t frame) {
  const int64_t places = e->o.ahead + 1;
  return e->past + (i * places + frame % places) * e->d.S;
}

static orr_code take_tables(train_engine *e) {
  const size_t batch = (size_t)e->o.batch;
  e->session = orr_calloc((size_t)e->o.sessions, sizeof *e->session);
  e->pending = orr_calloc(batch, sizeof *e->pending);
  e->pending_action = orr_calloc(batch * 2 * (size_t)e->d.A, sizeof *e->pending_action);
  e->pending_tokens = orr_calloc(batch * (size_t)e->d.S, sizeof *e->pending_tokens);
  if (e->d.before) e->past = orr_calloc((size_t)e->o.sessions, past_bytes(e));
  ORR_CHECK(e->session && e->pending && e->pending_action && e->pending_tokens &&
                (e->past || !e->d.before),
            ORR_ENOMEM, "engine of %" PRId64 " sessions: out of memory", e->o.sessions);
  return ORR_OK;
}

orr_code train_engine_create(kern *k, const train_dynamics_dims *d, const train_dynamics_params *p,
                             const train_weights *w, const train_engine_options *o,
                             train_engine **out) {
  orr_code rc;
  ORR_TRY(check_options(d, o));
  train_engine *e = orr_calloc(1, sizeof *e);
  ORR_CHECK(e, ORR_ENOMEM, "engine: out of memory");
  *e = (train_engine){.d = *d, .o = *o};
  // a ring has a place for the frame that is appended, whatever a frame sees
  if (o->window - 1 + o->ahead < 1) e->o.ahead = 1;
  e->batch = (train_batch){.k = k,
                           .d = &e->d,
                           .p = p,
                           .w = w,
                           .most = o->batch,
                           .steps = o->steps,
                           .window = o->window,
                           .guidance = o->guidance};
  if (o->moves) e->moves = *o->moves;
  ORR_TRY_GOTO(train_memory_init(&e->memory, o->sessions, o->memory, o->window, e->o.ahead, d->S,
                                 o->moves ? &e->moves : NULL),
               fail);
  e->batch.memory = o->memory;
  e->batch.pins = e->memory.slots;
  ORR_TRY_GOTO(train_batch_init(&e->batch, o->sessions, o->window - 1 + e->o.ahead), fail);
  ORR_TRY_GOTO(take_tables(e), fail);
  *out = e;
  return ORR_OK;
fail:
  train_engine_destroy(e);
  return rc;
}

void train_engine_destroy(train_engine *e) {
  if (!e) return;
  orr_free(e->past);
  orr_free(e->pending_tokens);
  orr_free(e->pending_action);
  orr_free(e->pending);
  orr_free(e->session);
  train_batch_release(&e->batch);
  train_memory_release(&e->memory);
  orr_free(e);
}

size_t train_engine_bytes(const train_engine *e) {
  const train_batch *b = &e->batch;
  return b->arena.capacity + b->device.arena.capacity + b->host.arena.capacity;
}

int64_t train_engine_window(const cfg *c, int64_t frames) {
  const int64_t trained = c->data.frames > 2 ? c->data.frames - 1 : 1;
  int64_t window = c->model.window;
  if (window > trained) window = trained;
  return window < frames ? window : frames;
}

// -- sessions ---------------------------------------------------------------------------------

static orr_code check_session(const train_engine *e, int32_t i) {
  ORR_CHECK(i >= 0 && i < e->o.sessions, ORR_EINVAL, "session %d of %" PRId64, i, e->o.sessions);
  return ORR_OK;
}

static orr_code check_open(const train_engine *e, int32_t i) {
  ORR_TRY(check_session(e, i));
  ORR_CHECK(e->session[i].open, ORR_EINVAL, "session %d has not begun", i);
  return ORR_OK;
}

orr_code train_engine_begin(train_engine *e, int32_t i, const train_engine_settings *s) {
  ORR_TRY(check_session(e, i));
  ORR_CHECK(s->steps >= 1 && s->steps <= e->o.steps, ORR_EINVAL,
            "session of %" PRId64 " passes a frame: wanted 1 to %" PRId64, s->steps, e->o.steps);
  ORR_CHECK(s->temperature >= 0.0 && s->choice_temperature >= 0.0, ORR_EINVAL,
            "session of temperatures %g and %g: wanted 0 or more", s->temperature,
            s->choice_temperature);
  ORR_TRY(train_engine_commit(e));
  e->session[i] = (session){.settings = *s, .open = true};
  if (e->o.memory) train_memory_begin(&e->memory, i);
  return ORR_OK;
}

int64_t train_engine_remembered(const train_engine *e, int32_t i, int64_t *frames) {
  return e->o.memory ? train_memory_frames(&e->memory, i, e->session[i].frame, frames) : 0;
}

int64_t train_engine_at(const train_engine *e, int32_t i) {
  return e->session[i].frame;
}

orr_code train_engine_back(train_engine *e, int32_t i, int64_t frames) {
  ORR_TRY(check_open(e, i));
  ORR_TRY(train_engine_commit(e));
  session *s = &e->session[i];
  const int64_t to = s->frame - frames;
  ORR_CHECK(frames >= 0 && to >= (s->frame > 0) && s->most - to <= e->o.ahead, ORR_EINVAL,
            "session at frame %" PRId64 ", once at %" PRId64 ", cannot go back %" PRId64
            " frames: %" PRId64 " at most",
            s->frame, s->most, frames, e->o.ahead);
  s->frame = to;
  return ORR_OK;
}

size_t train_engine_state_bytes(const train_engine *e) {
  return sizeof(session) + past_bytes(e) + e->memory.bytes + train_rings_bytes(&e->batch.rings);
}

orr_code train_engine_save(train_engine *e, int32_t i, void *state) {
  ORR_TRY(check_open(e, i));
  ORR_TRY(train_engine_commit(e));
  unsigned char *to = state;
  memcpy(to, &e->session[i], sizeof(session));
  to += sizeof(session);
  if (e->past) memcpy(to, past_of(e, i, 0), past_bytes(e));
  to += past_bytes(e);
  if (e->o.memory) memcpy(to, train_memory_state(&e->memory, i), e->memory.bytes);
  return train_rings_save(&e->batch.rings, i, to + e->memory.bytes);
}

orr_code train_engine_load(train_engine *e, int32_t i, const void *state) {
  ORR_TRY(check_session(e, i));
  ORR_TRY(train_engine_commit(e));
  const unsigned char *from = state;
  memcpy(&e->session[i], from, sizeof(session));
  from += sizeof(session);
  if (e->past) memcpy(past_of(e, i, 0), from, past_bytes(e));
  from += past_bytes(e);
  if (e->o.memory) memcpy(train_memory_state(&e->memory, i), from, e->memory.bytes);
  return train_rings_load(&e->batch.rings, i, from + e->memory.bytes);
}

// -- what a batch is told ---------------------------------------------------------------------

// What pass `step` needs to know. The noise on the confidence fades with the passes, so that early
// choices are spread over the frame.
static void fill_pass(train_engine *e, int64_t b, const session *s, int64_t step) {
  const train_engine_inputs *in = &e->batch.host.in;
  const int64_t steps = s->settings.steps, at = step * e->o.batch + b;
  const double done = (double)(step + 1) / (double)steps;
  in->draw[at] = (uint64_t)(s->frame * steps + step);
  in->noise[at] = (float)(s->settings.choice_temperature * (1.0 - done));
  in->left[at] = step + 1 == steps
                     ? 0
                     : (int32_t)floor((double)e->d.S * cos(0.5 * 3.14159265358979323846 * done));
}

// The codes of the frame before.
static void fill_before(train_engine *e, int64_t b, int32_t i) {
  int32_t *to = e->batch.host.in.before + b * e->d.S;
  const int64_t t = e->session[i].frame;
  if (t > 0)
    memcpy(to, past_of(e, i, t - 1), (size_t)e->d.S * sizeof *to);
  else
    for (int64_t s = 0; s < e->d.S; s++) to[s] = (int32_t)e->d.V;
}

static void fill_action(train_engine *e, int64_t b, const train_engine_frame *f) {
  const train_engine_inputs *in = &e->batch.host.in;
  float *to = in->action + b * 2 * e->d.A;
  const size_t bytes = (size_t)(2 * e->d.A) * sizeof *to;
  if (f->action)
    memcpy(to, f->action, bytes);
  else
    memset(to, 0, bytes);
  in->has_action[b] = f->has_action && f->action;
  in->branch[b] = f->branch;
}

// Frames that stay: those that frame t sees, and the one that leaves the window as it is appended.
static void fill_memory(train_engine *e, int64_t b, int32_t i, int64_t t) {
  const train_engine_inputs *in = &e->batch.host.in;
  const int64_t K = e->d.block.K;
  memcpy(in->pin + b * e->o.memory, train_memory_seen(&e->memory, i, t),
         (size_t)e->o.memory * sizeof *in->pin);
  in->pin_to[b] = train_memory_leaving(&e->memory, i, t, &in->pin_from[b]);
  if (in->pin_to[b] < 0) in->pin_from[b] = 0;
  train_rope_time_row((double)in->pin_from[b], K, in->pin_cos + b * (K / 2),
                      in->pin_sin + b * (K / 2));
}

// Frame b of the batch; `masked`: its tokens are to be decoded.
static void fill(train_engine *e, int64_t b, const train_engine_frame *f, bool masked) {
  const session *s = &e->session[f->session];
  const train_engine_inputs *in = &e->batch.host.in;
  const int64_t S = e->d.S, K = e->d.block.K, t = s->frame;
  for (int64_t i = 0; i < S; i++) in->tokens[b * S + i] = masked ? (int32_t)e->d.V : f->tokens[i];
  if (e->past) fill_before(e, b, f->session);
  if (e->o.memory) {
    train_memory_move(&e->memory, f->session, t, f->has_action ? f->action : NULL);
    fill_memory(e, b, f->session, t);
  }
  fill_action(e, b, f);
  in->ring[b] = f->session;
  in->frame[b] = t;
  train_rope_time_row((double)t, K, in->cos_ + b * (K / 2), in->sin_ + b * (K / 2));
  // Once frame 0 has left the window, its keys turn on with the session.
  const int64_t sink = t > e->o.window ? t - e->o.window : 0;
  train_rope_time_row((double)sink, K, in->sink_cos + b * (K / 2), in->sink_sin + b * (K / 2));
  in->seed[b] = s->settings.seed;
  in->sample[b] = s->settings.sample;
  in->temperature[b] = (float)s->settings.temperature;
  in->nll[b] = 0.0;
  for (int64_t i = 0; masked && i < s->settings.steps; i++) fill_pass(e, b, s, i);
}

// -- frames -----------------------------------------------------------------------------------

static orr_code check_frames(const train_engine *e, const train_engine_frame *f, int64_t n) {
  ORR_CHECK(n >= 1 && n <= e->o.batch, ORR_EINVAL,
            "%" PRId64 " frames at once: wanted 1 to %" PRId64, n, e->o.batch);
  for (int64_t i = 0; i < n; i++) {
    ORR_TRY(check_open(e, f[i].session));
    ORR_CHECK(f[i].branch >= 0 && f[i].branch < e->d.branches, ORR_EINVAL,
              "frame of branch %d, the model has %" PRId64, f[i].branch, e->d.branches);
    for (int64_t j = 0; j < i; j++)
      ORR_CHECK(f[j].session != f[i].session, ORR_EINVAL, "two frames of session %d at once",
                f[i].session);
  }
  return ORR_OK;
}

static orr_code check_tokens(const train_engine *e, const train_engine_frame *f, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t s = 0; s < e->d.S; s++)
      ORR_CHECK(f[i].tokens[s] >= 0 && f[i].tokens[s] <= e->d.V, ORR_EINVAL,
                "token %d at position %" PRId64 " of a frame: the model has %" PRId64 " codes",
                f[i].tokens[s], s, e->d.V);
  return ORR_OK;
}

// Frames that the backend takes at once without one changing another's bits.
static int64_t at_once(const train_engine *e, int64_t n) {
  return e->batch.k->rows_apart ? n : 1;
}

static double outcome(const train_engine *e, train_outcome o, int64_t b) {
  const float *logits = e->batch.host.in.outcome[o];
  return logits ? train_outcome_mean(o, logits + b * train_outcome_bins(o)) : (double)NAN;
}

// What the heads on registers say of frames that were appended; they are n at once.
static orr_code take_outcomes(train_engine *e, train_engine_frame *f, int64_t n) {
  if (train_registers_any(&e->d)) ORR_TRY(kern_sync(e->batch.k));
  for (int64_t i = 0; i < n; i++) {
    f[i].reward = outcome(e, TRAIN_REWARD, i);
    f[i].done = outcome(e, TRAIN_DONE, i);
    f[i].progress = outcome(e, TRAIN_PROGRESS, i);
  }
  return ORR_OK;
}

static orr_code append(train_engine *e, train_engine_frame *f, int64_t n) {
  const int64_t portion = at_once(e, n);
  for (int64_t first = 0; first < n; first += portion) {
    ORR_TRY(train_batch_begin(&e->batch, portion));
    for (int64_t i = 0; i < portion; i++) fill(e, i, &f[first + i], false);
    ORR_TRY(train_batch_run(&e->batch, TRAIN_BATCH_COMMIT));
    ORR_TRY(take_outcomes(e, f + first, portion));
  }
  for (int64_t i = 0; i < n; i++) {
    session *s = &e->session[f[i].session];
    if (e->past)
      memcpy(past_of(e, f[i].session, s->frame), f[i].tokens, (size_t)e->d.S * sizeof *e->past);
    if (e->o.memory) train_memory_append(&e->memory, f[i].session, s->frame, f[i].tokens);
    s->frame++;
    if (s->frame > s->most) s->most = s->frame;
  }
  return ORR_OK;
}

orr_code train_engine_push(train_engine *e, train_engine_frame *f, int64_t n) {
  ORR_TRY(train_engine_commit(e));
  ORR_TRY(check_frames(e, f, n));
  ORR_TRY(check_tokens(e, f, n));
  return append(e, f, n);
}

orr_code train_engine_commit(train_engine *e) {
  const int64_t n = e->pendings;
  e->pendings = 0;
  return n ? append(e, e->pending, n) : ORR_OK;
}

// What commit needs of a frame, so that the caller's memory is his again.
static void remember(train_engine *e, const train_engine_frame *f) {
  const int64_t i = e->pendings++, A2 = 2 * e->d.A, S = e->d.S;
  train_engine_frame *to = &e->pending[i];
  *to = *f;
  to->tokens = e->pending_tokens + i * S;
  memcpy(to->tokens, f->tokens, (size_t)S * sizeof *f->tokens);
  if (!f->action) return;
  memcpy(e->pending_action + i * A2, f->action, (size_t)A2 * sizeof *f->action);
  to->action = e->pending_action + i * A2;
}

static orr_code decode(train_engine *e, train_engine_frame *f, int64_t n) {
  const train_engine_inputs *in = &e->batch.host.in;
  const int64_t S = e->d.S;
  ORR_TRY(train_batch_begin(&e->batch, n));
  for (int64_t i = 0; i < n; i++) fill(e, i, &f[i], true);
  ORR_TRY(train_batch_run(&e->batch, e->session[f[0].session].settings.steps));
  ORR_TRY(kern_sync(e->batch.k));
  for (int64_t i = 0; i < n; i++) {
    memcpy(f[i].tokens, in->tokens + i * S, (size_t)S * sizeof *in->tokens);
    f[i].nll = in->nll[i];
  }
  return ORR_OK;
}

orr_code train_engine_decode(train_engine *e, train_engine_frame *f, int64_t n) {
  const int64_t portion = at_once(e, n);
  ORR_TRY(train_engine_commit(e));
  ORR_TRY(check_frames(e, f, n));
  for (int64_t i = 1; i < n; i++)
    ORR_CHECK(e->session[f[i].session].settings.steps == e->session[f[0].session].settings.steps,
              ORR_EINVAL, "frames of %" PRId64 " and %" PRId64 " passes at once",
              e->session[f[0].session].settings.steps, e->session[f[i].session].settings.steps);
  for (int64_t first = 0; first < n; first += portion) ORR_TRY(decode(e, f + first, portion));
  for (int64_t i = 0; i < n; i++) remember(e, &f[i]);
  if (!train_registers_any(&e->d)) return ORR_OK;
  ORR_TRY(train_engine_commit(e));
  for (int64_t i = 0; i < n; i++) {
    f[i].reward = e->pending[i].reward;
    f[i].done = e->pending[i].done;
    f[i].progress = e->pending[i].progress;
  }
  return ORR_OK;
}

orr_code train_engine_next(train_engine *e, train_engine_frame *f, int64_t n) {
  ORR_TRY(train_engine_decode(e, f, n));
  return train_engine_commit(e);
}

orr_code train_engine_logits(train_engine *e, train_engine_frame *f, int64_t n, float *logits) {
  const int64_t portion = at_once(e, n), SV = e->d.S * e->d.V;
  ORR_TRY(train_engine_commit(e));
  ORR_TRY(check_frames(e, f, n));
  ORR_TRY(check_tokens(e, f, n));
  for (int64_t first = 0; first < n; first += portion) {
    ORR_TRY(train_batch_begin(&e->batch, portion));
    for (int64_t i = 0; i < portion; i++) fill(e, i, &f[first + i], false);
    ORR_TRY(train_batch_logits(&e->batch));
    ORR_TRY(
        kern_copy(e->batch.k, &(kern_copy_args){.dst = logits + first * SV,
                                                .src = e->batch.logits,
                                                .bytes = (size_t)(portion * SV) * sizeof *logits,
                                                .way = KERN_COPY_OUT}));
    ORR_TRY(kern_sync(e->batch.k));
  }
  return ORR_OK;
}
