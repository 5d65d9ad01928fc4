// Starts and outcomes: what both worlds share.
#include "train/policy/trials.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "data/shard/shard.h"

orr_code train_starts_create(int64_t N, int64_t prompt, int64_t A, size_t frame_bytes,
                             train_starts *out) {
  *out = (train_starts){.N = N, .prompt = prompt, .A = A, .frame_bytes = frame_bytes};
  out->episode = orr_calloc((size_t)N, sizeof *out->episode);
  out->frames = orr_malloc((size_t)(N * prompt) * frame_bytes);
  out->led = orr_calloc((size_t)(N * prompt * A), sizeof *out->led);
  ORR_CHECK(out->episode && out->frames && out->led, ORR_ENOMEM,
            "starts of %" PRId64 " trials: out of memory; lower --trials", N);
  return ORR_OK;
}

void train_starts_release(train_starts *s) {
  orr_free(s->led);
  orr_free(s->frames);
  orr_free(s->episode);
  *s = (train_starts){0};
}

orr_code train_verdicts_create(int64_t N, int64_t horizon, int64_t A, train_verdicts *out) {
  *out = (train_verdicts){.N = N, .horizon = horizon, .A = A};
  out->success = orr_calloc((size_t)N, sizeof *out->success);
  out->progress = orr_calloc((size_t)N, sizeof *out->progress);
  out->seen = orr_calloc((size_t)N, sizeof *out->seen);
  out->surprise = orr_calloc((size_t)N, sizeof *out->surprise);
  out->level = orr_calloc((size_t)N, sizeof *out->level);
  out->actions = orr_calloc((size_t)(N * horizon * A), sizeof *out->actions);
  ORR_CHECK(out->success && out->progress && out->seen && out->surprise && out->level &&
                out->actions,
            ORR_ENOMEM, "%" PRId64 " trials: out of memory; lower --trials", N);
  return ORR_OK;
}

void train_verdicts_release(train_verdicts *o) {
  orr_free(o->actions);
  orr_free(o->level);
  orr_free(o->surprise);
  orr_free(o->seen);
  orr_free(o->progress);
  orr_free(o->success);
  *o = (train_verdicts){0};
}

// -- recordings -----------------------------------------------------------------------------

// Whether the goal was reached in the frames that are played again, where /done says when.
static orr_code reached_in(train_episodes *e, int64_t episode, int64_t prompt, int64_t T,
                           uint8_t *success) {
  float *said = orr_malloc(3 * (size_t)T * sizeof *said), *progress = said + 2 * T;
  ORR_CHECK(said, ORR_ENOMEM, "%s: out of memory", train_episodes_index(e)->dir);
  const orr_code rc = train_episodes_outcomes(e, episode, 0, T, 1, said, said + T, progress);
  *success = 0;
  for (int64_t i = prompt; rc == ORR_OK && i < T; i++) *success |= progress[i] >= 1;
  orr_free(said);
  return rc;
}

static orr_code read_one(train_episodes *e, int64_t episode, int64_t n, float *raw, train_starts *s,
                         train_verdicts *out) {
  const int64_t T = s->prompt + out->horizon, A = s->A, prompt = s->prompt;
  uint8_t success = 0;
  ORR_TRY(train_episodes_read_actions(e, episode, 0, T, 1, raw));
  ORR_TRY(train_episodes_read(e, episode, 0, prompt, 1,
                              s->frames + (size_t)(n * prompt) * s->frame_bytes,
                              s->led + n * prompt * A, NULL));
  // row t of the recording led from frame t to t+1
  memset(s->led + n * prompt * A, 0, (size_t)A * sizeof *raw);
  memcpy(s->led + (n * prompt + 1) * A, raw, (size_t)((prompt - 1) * A) * sizeof *raw);
  memcpy(out->actions + n * out->horizon * A, raw + (prompt - 1) * A,
         (size_t)(out->horizon * A) * sizeof *raw);
  ORR_TRY(train_episodes_success(e, episode, &success));
  if (success && train_episodes_index(e)->format.done)
    ORR_TRY(reached_in(e, episode, prompt, T, &success));
  s->episode[n] = (uint64_t)episode;
  out->success[n] = out->progress[n] = success;
  return ORR_OK;
}

orr_code train_recorded_read(train_episodes *e, int64_t horizon, train_starts *s,
                             train_verdicts *out) {
  const data_index *x = train_episodes_index(e);
  orr_code rc = ORR_OK;
  int64_t n = 0;
  ORR_CHECK(x->format.success, ORR_EINVAL,
            "%s: nothing says which of its episodes succeeded (/success): it cannot stand for a "
            "policy's real runs",
            x->dir);
  ORR_CHECK(x->format.A == s->A &&
                s->frame_bytes == (size_t)(x->format.height * x->format.width * 3),
            ORR_EINVAL,
            "%s: %" PRId64 " action components and frames of %" PRId64 " x %" PRId64
            ", other than the rest of the evaluation has",
            x->dir, x->format.A, x->format.height, x->format.width);
  float *raw = orr_malloc((size_t)((s->prompt + horizon) * s->A) * sizeof *raw);
  ORR_CHECK(raw, ORR_ENOMEM, "%s: out of memory", x->dir);
  for (int64_t i = 0; i < train_episodes_count(e) && n < s->N && rc == ORR_OK; i++) {
    int64_t length = 0;
    rc = train_episodes_length(e, i, 0, 1, &length);
    if (rc == ORR_OK && length >= s->prompt + horizon) rc = read_one(e, i, n++, raw, s, out);
  }
  orr_free(raw);
  ORR_TRY(rc);
  ORR_CHECK(n > 0, ORR_EINVAL,
            "%s: no episode of %" PRId64 " frames or more: lower --horizon or --prompt", x->dir,
            s->prompt + horizon);
  s->N = out->N = n;
  return ORR_OK;
}
