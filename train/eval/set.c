#include "train/eval/set.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/set/windows.h"
#include "data/sim/face.h"
#include "data/sim/rooms.h"
#include "data/sim/tabletop.h"
#include "train/setup/run_data.h"

static orr_code allocate(train_eval_set *s) {
  const size_t frames = (size_t)(s->E * s->T);
  s->window = orr_calloc((size_t)s->E, sizeof *s->window);
  s->frames = orr_malloc(frames * (size_t)s->pixels * 3);
  s->tokens = orr_malloc(frames * (size_t)s->S * sizeof *s->tokens);
  s->action = orr_calloc(frames * 2 * (size_t)s->A, sizeof *s->action);
  s->has = orr_calloc(frames, 1);
  s->state = orr_calloc(frames * (size_t)(s->Q + 1), sizeof *s->state);
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    s->outcome[o] = orr_malloc(frames * sizeof *s->outcome[o]);
    ORR_CHECK(s->outcome[o], ORR_ENOMEM, "evaluation: out of memory; lower --clips");
  }
  ORR_CHECK(s->window && s->frames && s->tokens && s->action && s->has && s->state, ORR_ENOMEM,
            "evaluation of %" PRId64 " clips of %" PRId64 " frames: out of memory; lower --clips",
            s->E, s->T);
  return ORR_OK;
}

void train_eval_set_release(train_eval_set *s) {
  for (int o = 0; o < TRAIN_OUTCOMES; o++) orr_free(s->outcome[o]);
  orr_free(s->state);
  orr_free(s->has);
  orr_free(s->action);
  orr_free(s->tokens);
  orr_free(s->frames);
  orr_free(s->window);
  memset(s, 0, sizeof *s);
}

// raw [T-1,A_set]: row t led from frame t to t+1; here row t is what led to frame t.
static void align_actions(train_eval_set *s, int64_t clip, const float *raw, int64_t A_set) {
  for (int64_t t = 1; t < s->T; t++) {
    float *to = s->action + (clip * s->T + t) * 2 * s->A;
    for (int64_t a = 0; a < A_set; a++) {
      to[a] = raw[(t - 1) * A_set + a];
      to[s->A + a] = 1.0f;
    }
    s->has[clip * s->T + t] = 1;
  }
}

// Pairs of forks spread evenly, from their first frames.
static void choose_forks(train_eval_set *s, int64_t episodes) {
  for (int64_t i = 0; i < s->E; i++)
    s->window[i].episode = i / 2 * (episodes / 2) / (s->E / 2) * 2 + i % 2;
}

static orr_code choose_windows(train_eval_set *s, train_episodes *episodes, int64_t stride,
                               uint64_t seed) {
  const int64_t clips = data_windows_clips(train_episodes_index(episodes), s->T, stride);
  for (int64_t i = 0; i < s->E; i++)
    ORR_TRY(train_episodes_place(episodes, data_windows_clip(clips, s->E, seed, i), s->T, stride,
                                 &s->window[i].episode, &s->window[i].start));
  return ORR_OK;
}

static orr_code read_clips(train_eval_set *s, train_episodes *episodes, int64_t A_set,
                           int64_t stride) {
  float *raw = orr_malloc((size_t)(s->T * A_set) * sizeof *raw);
  ORR_CHECK(raw, ORR_ENOMEM, "actions of a clip: out of memory");
  orr_code rc = ORR_OK;
  for (int64_t i = 0; i < s->E && rc == ORR_OK; i++) {
    rc = train_episodes_read(episodes, s->window[i].episode, s->window[i].start, s->T, stride,
                             s->frames + i * s->T * s->pixels * 3, raw,
                             s->Q ? s->state + i * s->T * s->Q : NULL);
    if (rc == ORR_OK) align_actions(s, i, raw, A_set);
    if (rc == ORR_OK)
      rc = train_episodes_outcomes(episodes, s->window[i].episode, s->window[i].start, s->T, stride,
                                   s->outcome[TRAIN_REWARD] + i * s->T,
                                   s->outcome[TRAIN_DONE] + i * s->T,
                                   s->outcome[TRAIN_PROGRESS] + i * s->T);
  }
  orr_free(raw);
  return rc;
}

static bool has_state(const data_shard_format *f, int64_t Q, const char *const *names) {
  if (f->Q != Q) return false;
  for (int64_t i = 0; i < f->Q; i++)
    if (strcmp(f->state_names[i], names[i]) != 0) return false;
  return true;
}

static int64_t longest_episode(const data_index *x, int64_t stride) {
  int64_t most = 0;
  for (int64_t i = 0; i < x->count; i++)
    for (int64_t k = 0; k < x->shards[i].length_count; k++)
      if (x->shards[i].lengths[k][0] > most) most = x->shards[i].lengths[k][0];
  return (most + stride - 1) / stride;
}

// How many clips: those wanted, or what the set has.
static orr_code count_clips(train_eval_set *s, const data_index *x, int64_t stride,
                            int64_t wanted) {
  const int64_t clips = s->forks ? x->episodes / 2 * 2 : data_windows_clips(x, s->T, stride),
                fewest = s->forks ? 4 : 2; // another's actions: not those of a pair's own twin
  s->E = wanted < clips ? wanted : clips;
  if (s->forks) s->E = s->E / 2 * 2;
  ORR_CHECK(s->E >= fewest || clips >= fewest, ORR_EINVAL,
            "%s: %" PRId64 " clips of %" PRId64 " frames (at stride %" PRId64 ") in its %" PRId64
            " episodes, the longest of %" PRId64 " frames; wanted %" PRId64
            ": take a set with %s episodes%s",
            x->dir, clips, s->T, stride, x->episodes, longest_episode(x, stride), fewest,
            s->forks ? "more" : "longer or more",
            s->forks ? "" : ", or fewer frames (--horizon, --prompt)");
  ORR_CHECK(s->E >= fewest, ORR_EINVAL,
            "%" PRId64 " clips%s, wanted at least %" PRId64 ": give a larger --clips", wanted,
            s->forks ? " of pairs of futures" : "", fewest);
  if (!s->forks && s->E * ((s->T - 1) * stride + 1) > x->frames)
    ORR_INFO("%s: %" PRId64 " clips of %" PRId64 " frames overlap: it has %" PRId64 " frames",
             x->dir, s->E, s->T, x->frames);
  return ORR_OK;
}

static orr_code fill(train_eval_set *s, train_episodes *episodes, train_codec *codec,
                     int64_t stride, uint64_t seed) {
  const data_index *x = train_episodes_index(episodes);
  ORR_TRY(allocate(s));
  if (s->forks)
    choose_forks(s, x->episodes);
  else
    ORR_TRY(choose_windows(s, episodes, stride, seed));
  ORR_TRY(read_clips(s, episodes, x->format.A, stride));
  return train_codec_encode(codec, s->frames, s->E * s->T, s->tokens);
}

orr_code train_eval_set_load(train_episodes *episodes, const train_loaded_model *dynamics,
                             train_codec *codec, const train_eval_wish *w, train_eval_set *out) {
  const data_index *x = train_episodes_index(episodes);
  const json_t *forks = json_object_get(json_object_get(x->json, "forks"), "prompt");
  const int64_t stride = dynamics->c->data.stride;
  *out = (train_eval_set){.prompt = w->prompt,
                          .S = dynamics->dynamics.S,
                          .A = dynamics->dynamics.A,
                          .Q = x->format.Q,
                          .height = x->format.height,
                          .width = x->format.width,
                          .pixels = x->format.height * x->format.width,
                          .forks = forks != NULL,
                          .tabletop =
                              has_state(&x->format, DATA_TABLETOP_STATE, data_tabletop_state_names),
                          .rooms = has_state(&x->format, DATA_ROOMS_STATE, data_rooms_state_names),
                          .face = has_state(&x->format, DATA_FACE_STATE, data_face_state_names),
                          .dt_s = (double)stride / x->format.fps};
  if (forks) {
    out->prompt = (json_integer_value(forks) - 1) / stride + 1; // frames before the futures part
    if (out->prompt != w->prompt)
      ORR_INFO("%s forks after %" PRId64 " frames: that is the prompt", x->dir, out->prompt);
  }
  out->T = out->prompt + w->horizon;
  ORR_TRY(count_clips(out, x, stride, w->clips));
  ORR_TRY(train_branch_id(dynamics->c, x->format.branch, &out->branch));
  const orr_code rc = fill(out, episodes, codec, stride, w->seed);
  if (rc != ORR_OK) train_eval_set_release(out);
  return rc;
}
