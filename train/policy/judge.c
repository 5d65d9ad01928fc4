#include "train/policy/judge.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/auroc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/policy/figures.h"

static orr_code find_threshold(train_model_trials *t, const train_verdicts *truth,
                               const train_verdicts *model, train_judge *out) {
  const int64_t N = truth->N;
  orr_judged *all = orr_malloc((size_t)N * (sizeof *all + 1));
  ORR_CHECK(all, ORR_ENOMEM, "recordings to judge by: out of memory");
  uint8_t *is = (uint8_t *)(all + N);
  out->succeeded = 0;
  for (int64_t n = 0; n < N; n++) {
    out->succeeded += is[n] = truth->success[n] > 0.5;
    all[n] = (orr_judged){.score = model->level[n], .is = is[n]};
  }
  out->recordings = N;
  out->auroc = orr_auroc(all, N);
  const bool enough =
      out->succeeded >= TRAIN_JUDGE_LEAST && N - out->succeeded >= TRAIN_JUDGE_LEAST;
  orr_code rc = ORR_OK;
  if (enough) rc = train_figures_threshold(model->level, is, N, &out->threshold, &out->balanced);
  orr_free(all);
  ORR_TRY(rc);
  if (enough) {
    t->arrived = out->threshold;
    ORR_INFO(
        "policy evaluate: there is where the head for progress says %.3f: tells %.2f of %" PRId64
        " recordings rightly (succeeded and failed alike)",
        out->threshold, out->balanced, N);
    return ORR_OK;
  }
  ORR_WARN("policy evaluate: %" PRId64 " of %" PRId64
           " recordings succeed within the horizon: too few of one kind to find a threshold on; "
           "%.2f is taken",
           out->succeeded, N, t->arrived);
  out->recordings = 0;
  return ORR_OK;
}

orr_code train_judge_calibrate(train_model_trials *t, train_episodes *recordings, int64_t N,
                               int64_t prompt, int64_t horizon, train_judge *out) {
  const train_actor_world *w = t->w;
  const double before = t->arrived;
  train_starts starts = {0};
  train_verdicts truth = {0}, model = {0};
  orr_code rc;
  *out = (train_judge){.threshold = before, .balanced = NAN, .auroc = NAN};
  if (N > train_episodes_count(recordings)) N = train_episodes_count(recordings);
  ORR_TRY_GOTO(train_starts_create(N, prompt, w->A, (size_t)(w->height * w->width * 3), &starts),
               release);
  ORR_TRY_GOTO(train_verdicts_create(N, horizon, w->A, &truth), release);
  ORR_TRY_GOTO(train_recorded_read(recordings, horizon, &starts, &truth), release);
  ORR_TRY_GOTO(train_verdicts_create(truth.N, horizon, w->A, &model), release);
  memcpy(model.actions, truth.actions, (size_t)(truth.N * horizon * w->A) * sizeof(float));
  t->arrived = INFINITY; // nothing is over before its end
  rc = train_model_run(t, &starts, NULL, 0, &model);
  t->arrived = before;
  if (rc == ORR_OK) rc = find_threshold(t, &truth, &model, out);
release:
  train_verdicts_release(&model);
  train_verdicts_release(&truth);
  train_starts_release(&starts);
  return rc;
}

json_t *train_judge_tell(const train_judge *j, bool by_head) {
  if (!by_head) return json_pack("{s:s}", "by", "positions in predicted frames, by colour");
  return json_pack("{s:s, s:o, s:I, s:I, s:I, s:o, s:o}", "by", "the model's head for progress",
                   "threshold", orr_json_number(j->threshold), "frames_in_a_row",
                   (json_int_t)DATA_GOALS_HELD, "recordings", (json_int_t)j->recordings,
                   "recordings_succeeded", (json_int_t)j->succeeded, "balanced_accuracy",
                   orr_json_number(j->balanced), "auroc", orr_json_number(j->auroc));
}
