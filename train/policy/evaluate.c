#include "train/policy/evaluate.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/auroc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/policy/chances.h"
#include "train/policy/figures.h"
#include "train/policy/judge.h"
#include "train/policy/trials.h"

enum { BINS = 10 };
static const char recorded[] = "recorded:";

typedef struct {
  const char *name;
  bool is_recorded, failed;
  char why[ORR_STATUS_MESSAGE_MAX]; // it failed
  train_starts own;                 // of a recorded one
  const train_starts *starts;
  train_verdicts truth, model;
  double *sampled; // [N] share of the model's samples that succeed
  double slowest_s;
} policy;

typedef struct {
  const train_policy_options *o;
  const train_world_model *m;
  policy *p; // [policies]
  bool simulated;
  train_simulator_trials simulator;
  train_model_trials model;
  train_starts starts;
  train_judge judge;
  int64_t N;    // trials that all have
  double run_s; // that the trials in the model took
} evaluation;

// -- trials ---------------------------------------------------------------------------------

static bool is_recorded(const char *text) {
  return strncmp(text, recorded, sizeof recorded - 1) == 0;
}

static void give_up(policy *p) {
  orr_status_copy(p->why, sizeof p->why);
  p->failed = true;
  ORR_WARN("policy %s is left out: %s", p->name, p->why);
}

// A fault of the actor's is that policy's own; one of memory or of the machine is everybody's.
static orr_code its_own(policy *p, orr_code rc) {
  if (rc != ORR_EIO && rc != ORR_EFORMAT) return rc;
  give_up(p);
  return ORR_OK;
}

static orr_code begin_recorded(evaluation *e, policy *p) {
  const train_policy_options *o = e->o;
  train_episodes *episodes = NULL;
  orr_code rc;
  ORR_TRY(train_starts_create(o->trials, o->prompt, o->world.A,
                              (size_t)(o->world.height * o->world.width * 3), &p->own));
  ORR_TRY(train_episodes_open(p->name + sizeof recorded - 1, o->remote, &episodes));
  rc = train_recorded_read(episodes, o->horizon, &p->own, &p->truth);
  train_episodes_close(episodes);
  p->starts = &p->own;
  return rc;
}

static orr_code begin_all(evaluation *e) {
  const train_policy_options *o = e->o;
  for (int64_t i = 0; i < o->policies; i++) {
    policy *p = &e->p[i];
    *p = (policy){.name = o->policy[i], .is_recorded = is_recorded(o->policy[i])};
    e->simulated |= !p->is_recorded;
    ORR_TRY(train_verdicts_create(o->trials, o->horizon, o->world.A, &p->truth));
    ORR_TRY(train_verdicts_create(o->trials, o->horizon, o->world.A, &p->model));
    p->sampled = orr_calloc((size_t)o->trials, sizeof *p->sampled);
    ORR_CHECK(p->sampled, ORR_ENOMEM, "policy evaluation: out of memory");
  }
  if (!e->simulated) return ORR_OK;
  ORR_CHECK(o->world.scene && o->world.scene->goals, ORR_EINVAL,
            "%s%s: only recordings can be judged without a scene that has tasks (--policy "
            "recorded:DIR)",
            o->world.scene ? "the scene has no tasks: " : "the data set was made by no scene",
            o->world.scene ? o->world.scene->name : "");
  ORR_TRY(train_simulator_trials_create(&o->world, &e->simulator));
  ORR_TRY(train_starts_create(o->trials, o->prompt, o->world.A,
                              (size_t)(o->world.height * o->world.width * 3), &e->starts));
  return train_simulator_starts(&e->simulator, &e->starts);
}

static orr_code run_model(evaluation *e, policy *p, train_actor *a) {
  const int64_t samples = e->o->samples;
  const double begin = orr_clock_ms();
  for (int64_t k = samples - 1; k >= 0; k--) { // the first sample's outcome stays
    ORR_TRY(train_model_run(&e->model, p->starts, a, (uint64_t)k, &p->model));
    for (int64_t n = 0; n < p->model.N; n++) p->sampled[n] += p->model.success[n] / (double)samples;
  }
  e->run_s += 1e-3 * (orr_clock_ms() - begin);
  return ORR_OK;
}

static orr_code run_acting(evaluation *e, policy *p) {
  train_actor *a = NULL;
  p->starts = &e->starts;
  orr_code rc = train_actor_open(p->name, &e->o->world, &a);
  if (rc == ORR_OK) rc = train_simulator_run(&e->simulator, p->starts, a, &p->truth);
  if (rc == ORR_OK) rc = run_model(e, p, a);
  if (a) p->slowest_s = train_actor_slowest_s(a);
  train_actor_close(a);
  return its_own(p, rc);
}

static orr_code run_recorded(evaluation *e, policy *p) {
  ORR_TRY(begin_recorded(e, p));
  p->model.N = p->truth.N;
  memcpy(p->model.actions, p->truth.actions,
         (size_t)(p->truth.N * p->truth.horizon * p->truth.A) * sizeof(float));
  return run_model(e, p, NULL);
}

static orr_code run_all(evaluation *e) {
  e->N = e->o->trials;
  for (int64_t i = 0; i < e->o->policies; i++) {
    policy *p = &e->p[i];
    ORR_TRY(p->is_recorded ? run_recorded(e, p) : run_acting(e, p));
    if (p->failed) continue;
    if (p->truth.N < e->N) e->N = p->truth.N;
    ORR_INFO("policy %s: %.2f of %" PRId64 " trials succeed, %.2f in the model", p->name,
             train_figures_mean(p->truth.success, p->truth.N), p->truth.N,
             train_figures_mean(p->sampled, p->model.N));
  }
  return ORR_OK;
}

// -- figures --------------------------------------------------------------------------------

// Of the policies that are left: P x N, row by row.
typedef struct {
  int64_t P;
  const policy **of;     // [P]
  double *truth, *model; // [P,N]
  uint8_t *outcome;      // [P*N]
} table;

static orr_code make_table(const evaluation *e, table *t) {
  const size_t cells = (size_t)(e->o->policies * e->N);
  t->of = orr_calloc((size_t)e->o->policies, sizeof *t->of);
  t->truth = orr_malloc(cells * sizeof *t->truth);
  t->model = orr_malloc(cells * sizeof *t->model);
  t->outcome = orr_malloc(cells);
  ORR_CHECK(t->of && t->truth && t->model && t->outcome, ORR_ENOMEM,
            "policy evaluation: out of memory");
  for (int64_t i = 0; i < e->o->policies; i++) {
    const policy *p = &e->p[i];
    if (p->failed) continue;
    memcpy(t->truth + t->P * e->N, p->truth.success, (size_t)e->N * sizeof *t->truth);
    memcpy(t->model + t->P * e->N, p->sampled, (size_t)e->N * sizeof *t->model);
    t->of[t->P++] = p;
  }
  for (int64_t i = 0; i < t->P * e->N; i++) t->outcome[i] = t->truth[i] > 0.5;
  const int64_t wanted = e->o->policies < 2 ? 1 : 2;
  ORR_CHECK(t->P >= wanted, ORR_EINVAL,
            "%" PRId64 " of %" PRId64 " policies could be judged: wanted at least %" PRId64 "%s%s",
            t->P, e->o->policies, wanted, e->p[0].failed ? "; the first of them: " : "",
            e->p[0].failed ? e->p[0].why : "");
  return ORR_OK;
}

static void release_table(table *t) {
  orr_free(t->outcome);
  orr_free(t->model);
  orr_free(t->truth);
  orr_free(t->of);
}

static json_t *interval(train_interval i) {
  return json_pack("[o, o]", orr_json_number(i.low), orr_json_number(i.high));
}

// Share of the simulator's trials in which its pictures tell what its state tells: how far the
// judge by pictures can be trusted at all.
static double judge_agreement(const table *t, int64_t N) {
  double same = 0, all = 0;
  for (int64_t i = 0; i < t->P; i++)
    for (int64_t n = 0; n < N && !t->of[i]->is_recorded; n++, all++)
      same += t->of[i]->truth.seen[n] == t->of[i]->truth.success[n];
  return all > 0 ? same / all : NAN;
}

static json_t *numbers_of(const double *v, int64_t n) {
  json_t *out = json_array();
  for (int64_t i = 0; i < n; i++) json_array_append_new(out, orr_json_number(v[i]));
  return out;
}

// Whether the model's surprise at the first frames of a trial says that its verdict will be wrong.
static orr_code put_foresight(const evaluation *e, const table *t, json_t *out) {
  const int64_t all = t->P * e->N;
  orr_judged *wrong = orr_malloc((size_t)all * sizeof *wrong);
  ORR_CHECK(wrong, ORR_ENOMEM, "policy evaluation: out of memory");
  for (int64_t i = 0; i < t->P; i++)
    for (int64_t n = 0; n < e->N; n++)
      wrong[i * e->N + n] =
          (orr_judged){.score = t->of[i]->model.surprise[n],
                       .is = t->of[i]->model.success[n] != t->of[i]->truth.success[n]};
  json_object_set_new(out, "surprise_auroc", orr_json_number(orr_auroc(wrong, all)));
  orr_free(wrong);
  return ORR_OK;
}

// A letter a trial: 1 succeeded, 0 failed.
static json_t *letters_of(const double *success, int64_t n) {
  char *text = orr_malloc((size_t)n + 1);
  if (!text) return NULL;
  for (int64_t i = 0; i < n; i++) text[i] = success[i] > 0.5 ? '1' : '0';
  text[n] = '\0';
  json_t *out = json_string(text);
  orr_free(text);
  return out;
}

static orr_code put_rates(const evaluation *e, const table *t, json_t *out) {
  train_figures f;
  train_interval r, mmrv;
  train_interval *rates = orr_calloc((size_t)(2 * t->P), sizeof *rates);
  json_t *list = json_array();
  ORR_CHECK(rates, ORR_ENOMEM, "policy evaluation: out of memory");
  orr_code rc = train_figures_of(t->truth, t->model, t->P, e->N, &f);
  if (rc == ORR_OK)
    rc = train_figures_bootstrap(t->truth, t->model, t->P, e->N, e->o->draws, e->o->world.seed,
                                 rates, rates + t->P, &r, &mmrv);
  for (int64_t i = 0; rc == ORR_OK && i < t->P; i++) {
    const policy *p = t->of[i];
    json_array_append_new(
        list,
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o*, s:o*, s:o}", "policy", p->name,
                  "success", orr_json_number(train_figures_mean(t->truth + i * e->N, e->N)),
                  "success_interval", interval(rates[i]), "model_success",
                  orr_json_number(train_figures_mean(t->model + i * e->N, e->N)),
                  "model_success_interval", interval(rates[t->P + i]), "model_progress",
                  orr_json_number(train_figures_mean(p->model.progress, e->N)), "slowest_answer_s",
                  orr_json_number(p->slowest_s), "outcomes", letters_of(t->truth + i * e->N, e->N),
                  "model_outcomes", letters_of(t->model + i * e->N, e->N), "surprise",
                  numbers_of(p->model.surprise, e->N)));
  }
  json_object_set_new(out, "policies", list);
  orr_free(rates);
  ORR_TRY(rc);
  json_object_set_new(out, "policy_r", orr_json_number(f.r));
  json_object_set_new(out, "policy_r_interval", interval(r));
  json_object_set_new(out, "policy_mmrv", orr_json_number(f.mmrv));
  json_object_set_new(out, "policy_mmrv_interval", interval(mmrv));
  json_object_set_new(out, "policy_spearman", orr_json_number(f.spearman));
  json_object_set_new(out, "policy_kendall", orr_json_number(f.kendall));
  return ORR_OK;
}

static void put_shares(const evaluation *e, const table *t, json_t *out) {
  const int64_t all = t->P * e->N;
  double same = 0;
  for (int64_t i = 0; i < all; i++) same += (t->model[i] > 0.5) == t->outcome[i];
  json_object_set_new(out, "ece",
                      orr_json_number(train_figures_ece(t->model, t->outcome, all, BINS)));
  json_object_set_new(out, "trial_agreement", orr_json_number(same / (double)all));
  json_object_set_new(out, "judge_agreement", orr_json_number(judge_agreement(t, e->N)));
}

static orr_code put_chances(const evaluation *e, const table *t, json_t *out) {
  double *progress = orr_malloc((size_t)(t->P * e->N) * sizeof *progress);
  json_t *j = NULL;
  ORR_CHECK(progress, ORR_ENOMEM, "policy evaluation: out of memory");
  for (int64_t i = 0; i < t->P; i++)
    memcpy(progress + i * e->N, t->of[i]->model.progress, (size_t)e->N * sizeof *progress);
  const orr_code rc = train_chances_tell(t->truth, t->model, progress, t->P, e->N, &j);
  orr_free(progress);
  if (rc == ORR_OK) json_object_set_new(out, "common_chances", j);
  return rc;
}

static json_t *failures_of(const evaluation *e) {
  json_t *list = json_array();
  for (int64_t i = 0; i < e->o->policies; i++)
    if (e->p[i].failed)
      json_array_append_new(list,
                            json_pack("{s:s, s:s}", "policy", e->p[i].name, "why", e->p[i].why));
  return list;
}

// -- frames ---------------------------------------------------------------------------------

static double mse(const uint8_t *a, const uint8_t *b, size_t bytes) {
  int64_t sum = 0;
  for (size_t i = 0; i < bytes; i++) {
    const int d = a[i] - b[i];
    sum += d * d;
  }
  return (double)sum / ((double)bytes * 255 * 255);
}

// Adds the mean error of one trial's frames, under the actions that were taken for real.
static orr_code compare_one(evaluation *e, const policy *p, int64_t n, int64_t horizon,
                            uint8_t *real, uint8_t *made, double sum[2], int64_t count[2]) {
  const size_t bytes = p->starts->frame_bytes;
  const float *actions = p->truth.actions + n * p->truth.horizon * p->truth.A;
  const int which = p->truth.success[n] > 0.5;
  ORR_TRY(train_simulator_show(&e->simulator, p->starts, n, actions, horizon, real));
  ORR_TRY(train_model_show(&e->model, p->starts, n, actions, horizon, made));
  sum[which] += mse(real + bytes, made + bytes, (size_t)horizon * bytes);
  count[which]++;
  return ORR_OK;
}

// Of policies in turn, so that good and bad ones have their share; at equal horizons, as errors
// grow with them and trials that succeed are shorter.
static orr_code compare_frames(evaluation *e, const table *t, json_t *out) {
  const train_policy_options *o = e->o;
  const int64_t horizon = o->replay_horizon < o->horizon ? o->replay_horizon : o->horizon;
  const size_t bytes = (size_t)(o->world.height * o->world.width * 3);
  double sum[2] = {0};
  int64_t count[2] = {0}, made = 0;
  orr_code rc = ORR_OK;
  uint8_t *frames = orr_malloc(2 * (size_t)(horizon + 1) * bytes);
  ORR_CHECK(frames, ORR_ENOMEM, "policy evaluation: out of memory");
  for (int64_t n = 0; n < e->N && made < o->replays && rc == ORR_OK; n++)
    for (int64_t i = 0; i < t->P && made < o->replays && rc == ORR_OK; i++) {
      if (t->of[i]->is_recorded) continue;
      rc = compare_one(e, t->of[i], n, horizon, frames, frames + (size_t)(horizon + 1) * bytes, sum,
                       count);
      made++;
    }
  orr_free(frames);
  ORR_TRY(rc);
  const double failing = count[0] ? sum[0] / (double)count[0] : NAN;
  const double succeeding = count[1] ? sum[1] / (double)count[1] : NAN;
  json_object_set_new(out, "failing_error", orr_json_number(failing));
  json_object_set_new(out, "succeeding_error", orr_json_number(succeeding));
  json_object_set_new(out, "failure_error_ratio", orr_json_number(failing / succeeding));
  json_object_set_new(out, "frames_compared", json_integer((json_int_t)(made * horizon)));
  return ORR_OK;
}

// -- the whole ------------------------------------------------------------------------------

static orr_code judge_all(evaluation *e, json_t *out) {
  table t = {0};
  orr_code rc;
  ORR_TRY(begin_all(e));
  ORR_TRY(train_model_trials_create(&e->o->world, e->m, &e->o->decoding, e->o->guidance,
                                    e->o->carry, e->o->prompt + e->o->horizon, e->o->branch,
                                    &e->model));
  e->model.by_head &= !e->o->by_colour;
  if (e->o->calibrate && e->model.by_head)
    ORR_TRY(train_judge_calibrate(&e->model, e->o->calibrate, e->o->trials, e->o->prompt,
                                  e->o->horizon, &e->judge));
  else
    e->judge = (train_judge){.threshold = e->model.arrived, .balanced = NAN, .auroc = NAN};
  e->model.decoded = 0;
  ORR_TRY(run_all(e));
  ORR_TRY_GOTO(make_table(e, &t), release);
  ORR_TRY_GOTO(put_rates(e, &t, out), release);
  put_shares(e, &t, out);
  ORR_TRY_GOTO(put_foresight(e, &t, out), release);
  ORR_TRY_GOTO(put_chances(e, &t, out), release);
  json_object_set_new(out, "judge", train_judge_tell(&e->judge, e->model.by_head));
  json_object_set_new(out, "model_frames", json_integer((json_int_t)e->model.decoded));
  json_object_set_new(out, "model_trial_ms",
                      orr_json_number(1e3 * e->run_s / (double)(t.P * e->N * e->o->samples)));
  json_object_set_new(out, "trials", json_integer((json_int_t)e->N));
  json_object_set_new(out, "failed", failures_of(e));
  if (e->simulated) rc = compare_frames(e, &t, out);
release:
  release_table(&t);
  return rc;
}

static void release(evaluation *e) {
  for (int64_t i = 0; e->p && i < e->o->policies; i++) {
    train_starts_release(&e->p[i].own);
    train_verdicts_release(&e->p[i].truth);
    train_verdicts_release(&e->p[i].model);
    orr_free(e->p[i].sampled);
  }
  train_starts_release(&e->starts);
  if (e->model.w) train_model_trials_release(&e->model);
  if (e->simulator.w) train_simulator_trials_release(&e->simulator);
  orr_free(e->p);
}

orr_code train_policy_evaluate(const train_world_model *m, const train_policy_options *o,
                               json_t **out) {
  evaluation e = {.o = o, .m = m};
  e.p = orr_calloc((size_t)o->policies, sizeof *e.p);
  json_t *j = json_pack("{s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:I}", "checkpoint", m->dynamics->path,
                        "step", (json_int_t)m->dynamics->step, "scene",
                        o->world.scene ? o->world.scene->name : "", "task", o->world.task_name,
                        "prompt", (json_int_t)o->prompt, "horizon", (json_int_t)o->horizon,
                        "samples", (json_int_t)o->samples, "seed", (json_int_t)o->world.seed);
  orr_code rc =
      j && e.p ? judge_all(&e, j) : ORR_FAIL(ORR_ENOMEM, "policy evaluation: out of memory");
  release(&e);
  if (rc == ORR_OK)
    *out = j;
  else
    json_decref(j);
  return rc;
}
