#include "train/eval/set.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/sim/tabletop.h"
#include "train/setup/run_data.h"

static orr_code allocate(train_eval_set *s) {
  const size_t frames = (size_t)(s->E * s->T);
  s->frames = orr_malloc(frames * (size_t)s->pixels * 3);
  s->tokens = orr_malloc(frames * (size_t)s->S * sizeof *s->tokens);
  s->action = orr_calloc(frames * 2 * (size_t)s->A, sizeof *s->action);
  s->has = orr_calloc(frames, 1);
  s->state = orr_calloc(frames * (size_t)(s->Q + 1), sizeof *s->state);
  ORR_CHECK(s->frames && s->tokens && s->action && s->has && s->state, ORR_ENOMEM,
            "evaluation of %" PRId64 " clips of %" PRId64 " frames: out of memory; lower --clips",
            s->E, s->T);
  return ORR_OK;
}

void train_eval_set_release(train_eval_set *s) {
  orr_free(s->state);
  orr_free(s->has);
  orr_free(s->action);
  orr_free(s->tokens);
  orr_free(s->frames);
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

static orr_code read_clips(train_eval_set *s, train_episodes *episodes, int64_t A_set,
                           int64_t stride) {
  const int64_t count = train_episodes_count(episodes), unit = s->forks ? 2 : 1;
  float *raw = orr_malloc((size_t)(s->T * A_set) * sizeof *raw);
  ORR_CHECK(raw, ORR_ENOMEM, "actions of a clip: out of memory");
  orr_code rc = ORR_OK;
  for (int64_t i = 0; i < s->E && rc == ORR_OK; i++) {
    const int64_t episode = i / unit * (count / unit) / (s->E / unit) * unit + i % unit;
    rc = train_episodes_read(episodes, episode, s->T, stride, s->frames + i * s->T * s->pixels * 3,
                             raw, s->Q ? s->state + i * s->T * s->Q : NULL);
    if (rc == ORR_OK) align_actions(s, i, raw, A_set);
  }
  orr_free(raw);
  return rc;
}

static bool is_tabletop(const data_shard_format *f) {
  if (f->Q != DATA_TABLETOP_STATE) return false;
  for (int64_t i = 0; i < f->Q; i++)
    if (strcmp(f->state_names[i], data_tabletop_state_names[i]) != 0) return false;
  return true;
}

orr_code train_eval_set_load(train_episodes *episodes, const train_loaded_model *dynamics,
                             train_codec *codec, int64_t clips, int64_t prompt, int64_t horizon,
                             train_eval_set *out) {
  orr_code rc;
  const data_index *x = train_episodes_index(episodes);
  const json_t *forks = json_object_get(json_object_get(x->json, "forks"), "prompt");
  const int64_t stride = dynamics->c->data.stride;
  *out = (train_eval_set){.E = clips < x->episodes ? clips : x->episodes,
                          .prompt = prompt,
                          .S = dynamics->dynamics.S,
                          .A = dynamics->dynamics.A,
                          .Q = x->format.Q,
                          .height = x->format.height,
                          .width = x->format.width,
                          .pixels = x->format.height * x->format.width,
                          .tabletop = is_tabletop(&x->format)};
  if (forks) {
    out->forks = true;
    out->prompt = (json_integer_value(forks) - 1) / stride + 1; // frames before the futures part
    out->E = out->E / 2 * 2;
    if (out->prompt != prompt)
      ORR_INFO("%s forks after %" PRId64 " frames: that is the prompt", x->dir, out->prompt);
  }
  const int64_t fewest = forks ? 4 : 2; // another clip's actions: not those of a pair's own twin
  ORR_CHECK(out->E >= fewest, ORR_EINVAL,
            "%s: %" PRId64 " clips of its %" PRId64 " episodes%s, wanted at least %" PRId64
            ": take a set with more "
            "episodes, or a larger --clips",
            x->dir, out->E, x->episodes, forks ? " in pairs" : "", fewest);
  out->T = out->prompt + horizon;
  ORR_TRY(train_branch_id(dynamics->c, x->format.branch, &out->branch));
  ORR_TRY_GOTO(allocate(out), fail);
  ORR_TRY_GOTO(read_clips(out, episodes, x->format.A, stride), fail);
  ORR_TRY_GOTO(train_codec_encode(codec, out->frames, out->E * out->T, out->tokens), fail);
  return ORR_OK;
fail:
  train_eval_set_release(out);
  return rc;
}
