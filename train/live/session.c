#include "train/live/session.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { MOST_SNAPSHOTS = 32, FIRST_EVERY = 16 };

// -- life -------------------------------------------------------------------------------------

static size_t state_bytes(const train_live_session *s, int w) {
  return train_engine_state_bytes(s->world[w]->engine);
}

static int64_t snapshots_within(const train_live_session *s, size_t bytes) {
  size_t one = 0;
  for (int w = 0; w < s->worlds; w++) one += state_bytes(s, w);
  const int64_t n = (int64_t)(bytes / one);
  return n < 2 ? 2 : n > MOST_SNAPSHOTS ? MOST_SNAPSHOTS : n;
}

static orr_code take_memory(train_live_session *s) {
  const size_t action = 2 * (size_t)s->world[0]->A, frame = s->world[0]->frame_bytes;
  bool all = true;
  s->action = orr_calloc(action, sizeof *s->action);
  s->ahead_action = orr_calloc(action, sizeof *s->ahead_action);
  s->snapshot = orr_calloc((size_t)s->snapshots, sizeof *s->snapshot);
  ORR_CHECK(s->action && s->ahead_action && s->snapshot, ORR_ENOMEM, "session: out of memory");
  for (int w = 0; w < s->worlds; w++) {
    s->pixels[w] = orr_calloc(1, frame);
    s->ahead_pixels[w] = orr_calloc(1, frame);
    all = all && s->pixels[w] && s->ahead_pixels[w];
    for (int64_t i = 0; i < s->snapshots; i++) {
      s->snapshot[i].state[w] = orr_malloc(state_bytes(s, w));
      all = all && s->snapshot[i].state[w];
    }
  }
  ORR_CHECK(all, ORR_ENOMEM, "session: out of memory");
  return ORR_OK;
}

orr_code train_live_session_create(train_live_world *const *worlds, int count, int32_t slot,
                                   size_t snapshot_bytes, train_live_session *s) {
  *s = (train_live_session){.worlds = count, .slot = slot};
  for (int w = 0; w < count; w++) s->world[w] = worlds[w];
  s->snapshots = snapshots_within(s, snapshot_bytes);
  return take_memory(s);
}

void train_live_session_release(train_live_session *s) {
  for (int w = 0; w < s->worlds; w++) {
    for (int64_t i = 0; s->snapshot && i < s->snapshots; i++) orr_free(s->snapshot[i].state[w]);
    orr_free(s->ahead_pixels[w]);
    orr_free(s->pixels[w]);
  }
  train_record_release(&s->record);
  orr_free(s->snapshot);
  orr_free(s->ahead_action);
  orr_free(s->action);
  *s = (train_live_session){0};
}

size_t train_live_session_bytes(const train_live_session *s) {
  size_t bytes = 0;
  for (int w = 0; w < s->worlds; w++)
    bytes += (size_t)s->snapshots * state_bytes(s, w) + 2 * s->world[w]->frame_bytes;
  return bytes;
}

// -- what is remembered -----------------------------------------------------------------------

static void forget_snapshots(train_live_session *s, int64_t after) {
  for (int64_t i = 0; i < s->snapshots; i++)
    if (s->snapshot[i].frame > after) s->snapshot[i].frame = -1;
}

static bool is_kept(const train_live_session *s, int64_t frame) {
  for (int64_t i = 0; i < s->snapshots; i++)
    if (s->snapshot[i].frame == frame) return true;
  return false;
}

// A free place; where all are taken, every second frame that is remembered makes room, never the
// first.
static train_live_snapshot *free_snapshot(train_live_session *s) {
  for (;;) {
    for (int64_t i = 0; i < s->snapshots; i++)
      if (s->snapshot[i].frame < 0) return &s->snapshot[i];
    s->snapshot_every *= 2;
    for (int64_t i = 0; i < s->snapshots; i++) {
      const int64_t since = s->snapshot[i].frame - s->record.prompt;
      if (since % s->snapshot_every != 0) s->snapshot[i].frame = -1;
    }
  }
}

static orr_code remember(train_live_session *s, orr_hash128 chain) {
  const int64_t since = s->frame - s->record.prompt;
  if (since % s->snapshot_every != 0 || is_kept(s, s->frame)) return ORR_OK;
  train_live_snapshot *to = free_snapshot(s);
  if (since % s->snapshot_every != 0) return ORR_OK; // the distance has just grown
  for (int w = 0; w < s->worlds; w++)
    ORR_TRY(train_engine_save(s->world[w]->engine, s->slot, to->state[w]));
  to->frame = s->frame;
  to->chain = chain;
  return ORR_OK;
}

// -- beginning --------------------------------------------------------------------------------

static orr_code show_tokens(train_live_session *s, const int32_t *tokens) {
  for (int w = 0; w < s->worlds; w++) {
    ORR_TRY(train_codec_decode(s->world[w]->codec, tokens, 1, s->pixels[w]));
    s->hash[w] = orr_hash_bytes(s->pixels[w], s->world[w]->frame_bytes);
    s->nll[w] = NAN;
  }
  return ORR_OK;
}

static const int32_t *last_given(const train_live_session *s) {
  return s->record.tokens + (s->record.prompt - 1) * s->record.S;
}

// Of the session's components those that are not given are 0; the model's others are not valid.
static void set_action(const train_live_session *s, const float *v, int64_t n, float *to) {
  const int64_t A = s->world[0]->A, own = s->record.A;
  for (int64_t i = 0; i < A; i++) {
    to[i] = i < n && i < own ? v[i] : 0.0f;
    to[A + i] = i < own ? 1.0f : 0.0f;
  }
}

static size_t action_bytes(const train_live_session *s) {
  return 2 * (size_t)s->world[0]->A * sizeof *s->action;
}

static train_wire_outcome said_of(const train_engine_frame *f) {
  return (train_wire_outcome){(float)f->reward, (float)f->done, (float)f->progress};
}

static orr_code push_prompt(train_live_session *s) {
  train_record *r = &s->record;
  float *action = s->ahead_action;
  for (int64_t t = 0; t < r->prompt; t++) {
    if (t) set_action(s, r->prompt_actions + (t - 1) * r->A, r->A, action);
    for (int w = 0; w < s->worlds; w++) {
      train_engine_frame f = {.session = s->slot,
                              .branch = r->branch,
                              .has_action = t > 0,
                              .action = t ? action : NULL,
                              .tokens = r->tokens + t * r->S};
      ORR_TRY(train_engine_push(s->world[w]->engine, &f, 1));
      s->said[w] = said_of(&f);
    }
  }
  return ORR_OK;
}

static orr_code stand_at_beginning(train_live_session *s) {
  for (int w = 0; w < s->worlds; w++)
    ORR_TRY(train_engine_begin(s->world[w]->engine, s->slot, &s->record.settings));
  ORR_TRY(push_prompt(s));
  ORR_TRY(show_tokens(s, last_given(s)));
  s->frame = s->goal = s->record.prompt;
  s->chain = (orr_hash128){0};
  s->ahead = s->fresh = s->replays = s->checks = false;
  s->differs = -1;
  s->snapshot_every = FIRST_EVERY;
  forget_snapshots(s, -1);
  s->begun = true;
  set_action(s, NULL, 0, s->action);
  return remember(s, s->chain);
}

static orr_code check_start(const train_live_session *s, const train_live_start *start) {
  const train_live_world *w = s->world[0];
  ORR_CHECK(start->prompt >= 1, ORR_EINVAL, "session: a start of no frame");
  ORR_CHECK(start->A_set >= 1 && start->A_set <= w->A, ORR_EINVAL,
            "session: actions of %" PRId64 " components, the model takes 1 to %" PRId64,
            start->A_set, w->A);
  return ORR_OK;
}

// Tokens of the prompt [prompt,S], and its actions [prompt-1,A_set].
static orr_code encode_start(train_live_session *s, const train_live_start *start, int32_t *tokens,
                             float *actions) {
  const train_live_world *w = s->world[0];
  if (start->prompt > 1)
    memcpy(actions, start->actions, (size_t)((start->prompt - 1) * start->A_set) * sizeof *actions);
  if (start->frames) return train_codec_encode(w->codec, start->frames, start->prompt, tokens);
  memcpy(tokens, start->tokens, (size_t)(start->prompt * w->S) * sizeof *tokens);
  return ORR_OK;
}

orr_code train_live_session_begin(train_live_session *s, const train_live_start *start,
                                  size_t most_record_bytes) {
  const train_live_world *w = s->world[0];
  ORR_TRY(check_start(s, start));
  s->begun = false;
  train_record_release(&s->record);
  s->record = (train_record){.checkpoint = w->checkpoint,
                             .tokenizer = w->tokenizer,
                             .ema = w->m.dynamics->ema,
                             .A = start->A_set,
                             .S = w->S,
                             .prompt = start->prompt,
                             .window = w->window,
                             .branch = start->branch,
                             .fps = start->fps,
                             .settings = start->settings,
                             .start = json_incref(start->start),
                             .mapping = json_incref(start->mapping)};
  int32_t *tokens = orr_calloc((size_t)(start->prompt * w->S), sizeof *tokens);
  float *actions = orr_calloc((size_t)(start->prompt * start->A_set), sizeof *actions);
  orr_code rc = tokens && actions ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "session: out of memory");
  if (rc == ORR_OK) rc = encode_start(s, start, tokens, actions);
  if (rc == ORR_OK) rc = train_record_begin(&s->record, tokens, actions, most_record_bytes);
  orr_free(actions);
  orr_free(tokens);
  return rc == ORR_OK ? stand_at_beginning(s) : rc;
}

static orr_code check_models(const train_live_session *s, const train_record *r, bool anyway) {
  const train_live_world *w = s->world[0];
  ORR_CHECK(
      anyway || strcmp(r->checkpoint.s, w->checkpoint.s) == 0, ORR_EINVAL,
      "the session is of checkpoint %s, this is %s (%s): its frames would be others; --anyway "
      "plays its actions here",
      r->checkpoint.s, w->checkpoint.s, w->m.dynamics->path);
  ORR_CHECK(anyway || strcmp(r->tokenizer.s, w->tokenizer.s) == 0, ORR_EINVAL,
            "the session is of tokenizer %s, this is %s (%s): its frames would be others; --anyway "
            "plays its actions here",
            r->tokenizer.s, w->tokenizer.s, w->m.tokenizer->path);
  ORR_CHECK(anyway || r->ema == w->m.dynamics->ema, ORR_EINVAL,
            "the session is of %s weights: %s --no-ema", r->ema ? "averaged" : "plain",
            r->ema ? "leave out" : "give");
  return ORR_OK;
}

static orr_code check_sizes(const train_live_session *s, const train_record *r) {
  const train_live_world *w = s->world[0];
  ORR_CHECK(r->A <= w->A && r->S == w->S, ORR_EINVAL,
            "the session has %" PRId64 " action components and %" PRId64
            " positions, the model %" PRId64 " and %" PRId64 ": it cannot be played here",
            r->A, r->S, w->A, w->S);
  ORR_CHECK(r->branch < w->m.dynamics->dynamics.branches, ORR_EINVAL,
            "the session is of branch %d, the model has %" PRId64, r->branch,
            w->m.dynamics->dynamics.branches);
  return ORR_OK;
}

static orr_code check_tokens(const train_record *r, int64_t codes) {
  for (int64_t i = 0; i < r->prompt * r->S; i++)
    ORR_CHECK(r->tokens[i] >= 0 && r->tokens[i] < codes, ORR_EFORMAT,
              "the session begins with a token %d, the model has %" PRId64, r->tokens[i], codes);
  return ORR_OK;
}

orr_code train_live_session_fits(const train_live_session *s, const train_record *r, bool anyway) {
  ORR_TRY(check_models(s, r, anyway));
  ORR_TRY(check_sizes(s, r));
  return check_tokens(r, s->world[0]->m.dynamics->dynamics.V);
}

orr_code train_live_session_load(train_live_session *s, train_record *r, bool anyway) {
  ORR_TRY(train_live_session_fits(s, r, anyway));
  const bool same = !anyway || check_models(s, r, false) == ORR_OK;
  orr_status_clear();
  s->begun = false;
  train_record_release(&s->record);
  s->record = *r;
  *r = (train_record){0};
  ORR_TRY(stand_at_beginning(s));
  s->goal = s->record.prompt + s->record.frames;
  s->replays = s->frame < s->goal;
  s->checks = same;
  return ORR_OK;
}

void train_live_session_act(train_live_session *s, const float *action, int64_t components) {
  set_action(s, action, components, s->action);
}

// -- frames -----------------------------------------------------------------------------------

// What leads to the next frame: the record's own while it is played again.
static const float *next_action(train_live_session *s) {
  const train_record *r = &s->record;
  if (!train_live_session_catching_up(s)) return s->action;
  set_action(s, train_record_action(r, s->frame - r->prompt), r->A, s->action);
  return s->action;
}

static bool comes_ahead(const train_live_session *s, const float *action) {
  return s->ahead && memcmp(action, s->ahead_action, action_bytes(s)) == 0;
}

static orr_code drop_ahead(train_live_session *s) {
  if (!s->ahead) return ORR_OK;
  s->ahead = false;
  for (int w = 0; w < s->worlds; w++) ORR_TRY(train_engine_back(s->world[w]->engine, s->slot, 1));
  return ORR_OK;
}

static void take_ahead(train_live_session *s) {
  s->ahead = false;
  s->decode_ms = 0.0;
  for (int w = 0; w < s->worlds; w++) {
    uint8_t *shown = s->pixels[w];
    s->pixels[w] = s->ahead_pixels[w];
    s->ahead_pixels[w] = shown;
    s->nll[w] = s->ahead_nll[w];
    s->said[w] = s->ahead_said[w];
  }
}

// Decodes the next frame of each session in world w under what `action` says of it.
static orr_code decode_world(train_live_session *const *s, int64_t n, int w, bool ahead) {
  train_live_world *world = s[0]->world[w];
  train_engine_frame f[TRAIN_LIVE_SESSIONS_MAX];
  for (int64_t i = 0; i < n; i++)
    f[i] = (train_engine_frame){.session = s[i]->slot,
                                .branch = s[i]->record.branch,
                                .has_action = true,
                                .action = ahead ? s[i]->ahead_action : s[i]->action,
                                .tokens = world->tokens + i * world->S};
  ORR_TRY(train_engine_decode(world->engine, f, n));
  ORR_TRY(train_codec_decode(world->codec, world->tokens, n, world->pixels));
  for (int64_t i = 0; i < n; i++) {
    uint8_t *to = ahead ? s[i]->ahead_pixels[w] : s[i]->pixels[w];
    memcpy(to, world->pixels + (size_t)i * world->frame_bytes, world->frame_bytes);
    (ahead ? s[i]->ahead_nll : s[i]->nll)[w] = f[i].nll / (double)world->S;
    (ahead ? s[i]->ahead_said : s[i]->said)[w] = said_of(&f[i]);
  }
  return ORR_OK;
}

// The record's own word on the chain after `frames` frames; true where it says nothing.
static bool chain_fits(const train_live_session *s) {
  const train_record *r = &s->record;
  const int64_t frames = s->frame - r->prompt;
  if (frames == r->frames) return r->chain.lo == s->chain.lo;
  if (frames % TRAIN_RECORD_DIGEST_EVERY != 0) return true;
  return r->digests[frames / TRAIN_RECORD_DIGEST_EVERY - 1] == s->chain.lo;
}

// The frame has been decoded.
static orr_code conclude(train_live_session *s) {
  const bool again = train_live_session_catching_up(s);
  for (int w = 0; w < s->worlds; w++)
    s->hash[w] = orr_hash_bytes(s->pixels[w], s->world[w]->frame_bytes);
  if (!again) {
    ORR_TRY(train_record_add(&s->record, s->action, s->hash[0]));
    s->fresh = true;
  }
  s->chain = train_record_link(s->chain, s->hash[0]);
  s->frame++;
  if (again && s->checks && s->differs < 0 && !chain_fits(s)) s->differs = s->frame - 1;
  if (again && s->frame == s->goal)
    train_record_cut(&s->record, s->frame - s->record.prompt, s->chain);
  return ORR_OK;
}

orr_code train_live_session_step(train_live_session *const *s, int64_t n) {
  train_live_session *fresh[TRAIN_LIVE_SESSIONS_MAX];
  int64_t count = 0;
  const double begin = orr_clock_ms();
  for (int64_t i = 0; i < n; i++) {
    if (comes_ahead(s[i], next_action(s[i]))) {
      take_ahead(s[i]);
      continue;
    }
    ORR_TRY(drop_ahead(s[i]));
    fresh[count++] = s[i];
  }
  for (int w = 0; count && w < s[0]->worlds; w++) ORR_TRY(decode_world(fresh, count, w, false));
  for (int64_t i = 0; i < count; i++) fresh[i]->decode_ms = orr_clock_ms() - begin;
  for (int64_t i = 0; i < n; i++) ORR_TRY(conclude(s[i]));
  return ORR_OK;
}

orr_code train_live_session_settle(train_live_session *const *s, int64_t n) {
  for (int w = 0; w < s[0]->worlds; w++) ORR_TRY(train_engine_commit(s[0]->world[w]->engine));
  for (int64_t i = 0; i < n; i++)
    if (!s[i]->ahead) ORR_TRY(remember(s[i], s[i]->chain));
  return ORR_OK;
}

orr_code train_live_session_look_ahead(train_live_session *const *s, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    memcpy(s[i]->ahead_action, s[i]->action, action_bytes(s[i]));
    s[i]->ahead = true;
  }
  for (int w = 0; w < s[0]->worlds; w++) ORR_TRY(decode_world(s, n, w, true));
  return ORR_OK;
}

// -- going back -------------------------------------------------------------------------------

static const train_live_snapshot *before(const train_live_session *s, int64_t frame) {
  const train_live_snapshot *best = NULL;
  for (int64_t i = 0; i < s->snapshots; i++) {
    const train_live_snapshot *x = &s->snapshot[i];
    if (x->frame >= 0 && x->frame <= frame && (!best || x->frame > best->frame)) best = x;
  }
  return best;
}

orr_code train_live_session_back(train_live_session *s, int64_t frame) {
  const int64_t prompt = s->record.prompt, goal = frame + 1;
  const int64_t end = train_live_session_catching_up(s) ? s->goal : s->frame;
  ORR_CHECK(goal >= prompt && goal <= end, ORR_EINVAL,
            "back to frame %" PRId64 ": the session has %" PRId64 " to %" PRId64, frame, prompt - 1,
            end - 1);
  // the last frame on the way is decoded again, so that there is something to see
  const train_live_snapshot *from = before(s, goal > prompt ? goal - 1 : goal);
  ORR_CHECK(from, ORR_EINVAL, "session: nothing is remembered before frame %" PRId64, frame);
  s->ahead = false;
  for (int w = 0; w < s->worlds; w++)
    ORR_TRY(train_engine_load(s->world[w]->engine, s->slot, from->state[w]));
  s->frame = from->frame;
  s->chain = from->chain;
  s->goal = goal;
  s->replays = s->checks = false;
  forget_snapshots(s, goal);
  if (goal > prompt) return ORR_OK;
  train_record_cut(&s->record, 0, (orr_hash128){0});
  return show_tokens(s, last_given(s));
}
