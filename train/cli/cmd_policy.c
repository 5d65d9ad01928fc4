// `orrery policy evaluate`: policies judged in a model and for real (docs/evaluation.md). Local.
// Call it before the process uses OpenGL. ORR_EIO where a policy did not answer, after everything
// else has been judged and written.
#include "train/cli/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "train/cli/decoding_args.h"
#include "train/cli/policy_args.h"
#include "train/infer/episodes.h"
#include "train/policy/evaluate.h"
#include "train/setup/remote_data.h"
#include "train/setup/run_data.h"

static const orr_option options[] = {
    {"data", "DIR|URL", "data set of the scene: its size, rate, task and branch are taken", 0},
    {"scene", "NAME", "the scene, instead of --data (orrery data generate --help lists them)", 0},
    {"task", "NAME", "one of the scene's tasks (that of --data, or the scene's first)", 0},
    {"policy", "WHO",
     "expert, expert:noise=X,delay=FRAMES,bias=X,lazy=SHARE, ws://HOST:PORT, recorded:DIR, or a "
     "program to start; several times (16 experts from good to bad)",
     ORR_OPTION_REPEATED},
    {"trials", "N", "trials of each policy (100)", 0},
    {"prompt", "N", "frames that both worlds begin from (eval.prompt)", 0},
    {"horizon", "N", "frames of a trial, after those (40)", 0},
    {"judge", "head|colour",
     "who sees success in the model's frames: its head for progress, or positions by colour (the "
     "head where there is one)",
     0},
    {"calibrate", "DIR|URL",
     "recordings of the task with /success, on which the head's threshold is found (--data, unless "
     "recordings are judged)",
     0},
    {"samples", "K", "rolls of the model's dice for each trial (1)", 0},
    {"replays", "N", "trials whose frames are compared with the simulator's, in all (128)", 0},
    {"replay-horizon", "N", "frames of each that are compared (16)", 0},
    {"draws", "N", "tables of the bootstrap (1000)", 0},
    {"places", "N", "trials in the model at once (16)", 0},
    {"fps", "X", "frames a second, with --scene (10)", 0},
    {"branch", "NAME", "branch of the model, with --scene (the scene's)", 0},
    {"json", "FILE", "write the figures there", 0},
    TRAIN_POLICY_OPTIONS,
    TRAIN_DECODING_OPTIONS,
    {"guidance", "W", "how much more the action counts; 0 = as in training", 0},
    TRAIN_WORLD_MODEL_OPTIONS,
    TRAIN_REMOTE_OPTION,
    {0}};
static const orr_command command = {
    "policy evaluate",
    "RUN",
    1,
    1,
    "Judges policies in a model and in the simulator, or by recordings, from the same starts.",
    options};

// From good to bad, in every way that an expert can be made worse.
static const char *const ladder[] = {
    "expert",           "expert:noise=0.2", "expert:noise=0.5", "expert:noise=0.8",
    "expert:noise=1.2", "expert:noise=2",   "expert:noise=4",   "expert:delay=2",
    "expert:delay=4",   "expert:delay=8",   "expert:bias=0.4",  "expert:bias=0.8",
    "expert:bias=1.2",  "expert:lazy=0.5",  "expert:lazy=0.8",  "expert:lazy=1",
};
enum { POLICIES_MOST = 256 };

typedef struct {
  train_policy_options o;
  const char *policy[POLICIES_MOST];
  train_policy_args served;
  train_episodes *episodes;
  data_remote *remote;
  train_world_model m;
  const char *branch;
  train_episodes *recordings; // that the judge is calibrated on, where they are not --data
} job;

// -- what is asked --------------------------------------------------------------------------

static orr_code read_policies(const orr_args *a, job *j) {
  const char *text;
  for (int i = 0; (text = orr_args_nth(a, "policy", i)); i++) {
    ORR_CHECK(i < POLICIES_MOST, ORR_ECONFIG, "--policy: at most %d", (int)POLICIES_MOST);
    j->policy[i] = text;
    j->o.policies++;
  }
  for (size_t i = 0; !orr_args_nth(a, "policy", 0) && i < sizeof ladder / sizeof *ladder; i++)
    j->policy[j->o.policies++] = ladder[i];
  j->o.policy = j->policy;
  if (j->o.policies == 1)
    ORR_INFO("one policy: its verdicts trial by trial; r, ranks and MMRV compare two or more");
  return ORR_OK;
}

// What the data set says of the scene that made it.
static orr_code read_data(const orr_args *a, job *j) {
  train_actor_world *w = &j->o.world;
  const char *where = orr_args_text(a, "data", NULL), *scene = orr_args_text(a, "scene", NULL);
  ORR_CHECK(!where != !scene, ORR_ECONFIG, "policy evaluate: give --data DIR or --scene NAME");
  w->fps = 10;
  if (scene) {
    ORR_TRY(data_scene_find(scene, &w->scene));
    j->branch = orr_args_text(a, "branch", w->scene->branch);
    return orr_args_f64(a, "fps", 1, 100, &w->fps);
  }
  ORR_TRY(train_episodes_open(where, j->remote, &j->episodes));
  const data_index *x = train_episodes_index(j->episodes);
  const char *made_by = json_string_value(json_object_get(x->json, "scene"));
  if (made_by) ORR_TRY(data_scene_find(made_by, &w->scene));
  w->task_name = json_string_value(json_object_get(x->json, "task"));
  w->fps = x->format.fps;
  w->A = x->format.A;
  w->action_names = x->format.action_names;
  j->branch = x->format.branch;
  return ORR_OK;
}

static orr_code read_task(const orr_args *a, job *j) {
  train_actor_world *w = &j->o.world;
  w->task_name = orr_args_text(a, "task", w->task_name);
  if (!w->scene || !w->scene->goals) {
    if (!w->task_name) w->task_name = "";
    return ORR_OK;
  }
  if (!w->task_name) w->task_name = w->scene->goals->tasks[0];
  w->task = data_goals_task(w->scene->goals, w->task_name);
  ORR_CHECK(w->task >= 0, ORR_ECONFIG,
            "policy evaluate --task: got '%s', which is no task of the scene %s; orrery data "
            "generate --help lists them",
            w->task_name, w->scene->name);
  return ORR_OK;
}

static orr_code read_numbers(const orr_args *a, job *j) {
  train_policy_options *o = &j->o;
  const cfg *c = j->m.dynamics->c;
  o->trials = 100;
  o->horizon = 40;
  o->samples = 1;
  o->replays = 128;
  o->replay_horizon = 16;
  o->draws = 1000;
  o->world.places = 16;
  o->prompt = c->eval.prompt;
  o->guidance = c->eval.guidance;
  ORR_TRY(train_decoding_args(a, c, &o->decoding));
  o->world.seed = o->decoding.seed;
  ORR_TRY(orr_args_i64(a, "trials", 2, 1000000, &o->trials));
  ORR_TRY(orr_args_i64(a, "prompt", 1, 65536, &o->prompt));
  ORR_TRY(orr_args_i64(a, "horizon", 1, 65536, &o->horizon));
  ORR_TRY(orr_args_i64(a, "samples", 1, 1024, &o->samples));
  ORR_TRY(orr_args_i64(a, "replays", 0, 1000000, &o->replays));
  ORR_TRY(orr_args_i64(a, "replay-horizon", 1, 65536, &o->replay_horizon));
  ORR_TRY(orr_args_i64(a, "draws", 1, 1000000, &o->draws));
  ORR_TRY(orr_args_i64(a, "places", 1, TRAIN_ACTOR_PLACES_MAX, &o->world.places));
  ORR_TRY(orr_args_f64(a, "guidance", 0.0, 100.0, &o->guidance));
  ORR_TRY(train_carry_args(a, c, &o->carry));
  ORR_CHECK(c->data.stride == 1, ORR_EINVAL,
            "policy evaluate: the model was trained on frames %" PRId64
            " apart (data.stride); policies act on every frame",
            c->data.stride);
  return ORR_OK;
}

// The world that all policies act in, as model and data say.
static orr_code read_world(const orr_args *a, job *j) {
  train_actor_world *w = &j->o.world;
  const train_tokenizer_dims *t = &j->m.tokenizer->tokenizer;
  w->height = t->rows * t->patch;
  w->width = t->cols * t->patch;
  if (!j->episodes) {
    w->A = w->scene->A;
    w->action_names = w->scene->action_names;
  } else {
    ORR_TRY(train_world_model_fits(&j->m, train_episodes_index(j->episodes)));
  }
  ORR_CHECK(w->A <= j->m.dynamics->dynamics.A, ORR_EINVAL,
            "the scene %s has %" PRId64 " action components, the model takes %" PRId64,
            w->scene->name, w->A, j->m.dynamics->dynamics.A);
  ORR_TRY(read_task(a, j));
  ORR_CHECK(
      (w->scene && w->scene->goals) || j->m.dynamics->dynamics.outcome[TRAIN_PROGRESS], ORR_EINVAL,
      "policy evaluate: nothing here can tell success in the model's frames: the model has no "
      "head for progress (model.progress_weight), and %s",
      w->scene ? "the scene has no tasks" : "the data set was made by no scene of orrery's");
  ORR_TRY(train_policy_args_read(a, w->task_name, &j->served));
  w->key = j->served.key;
  w->part = j->served.part;
  w->parts = j->served.parts;
  w->replan = j->served.replan;
  w->patience_s = j->served.patience_s;
  return train_branch_id(j->m.dynamics->c, j->branch, &j->o.branch);
}

static bool any_recorded(const job *j) {
  for (int64_t i = 0; i < j->o.policies; i++)
    if (strncmp(j->policy[i], "recorded:", 9) == 0) return true;
  return false;
}

// --data is taken where its recordings are of the task, and not themselves what is judged.
static orr_code read_judge(const orr_args *a, job *j) {
  const char *judge = orr_args_text(a, "judge", "head"),
             *where = orr_args_text(a, "calibrate", NULL);
  ORR_CHECK(strcmp(judge, "head") == 0 || strcmp(judge, "colour") == 0, ORR_ECONFIG,
            "policy evaluate --judge: got '%s', wanted head or colour", judge);
  j->o.by_colour = strcmp(judge, "colour") == 0;
  ORR_CHECK(
      !j->o.by_colour || (j->o.world.scene && j->o.world.scene->goals), ORR_ECONFIG,
      "policy evaluate --judge colour: nothing says what success looks like: the data set was "
      "made by no scene that has tasks");
  if (where) {
    ORR_TRY(train_episodes_open(where, j->remote, &j->recordings));
    ORR_CHECK(train_episodes_index(j->recordings)->format.success, ORR_EINVAL,
              "policy evaluate --calibrate: %s: nothing says which of its episodes succeeded "
              "(/success)",
              where);
    j->o.calibrate = j->recordings;
    return ORR_OK;
  }
  if (!j->episodes || any_recorded(j)) return ORR_OK;
  const data_index *x = train_episodes_index(j->episodes);
  const char *task = json_string_value(json_object_get(x->json, "task"));
  if (x->format.success && task && strcmp(task, j->o.world.task_name) == 0)
    j->o.calibrate = j->episodes;
  return ORR_OK;
}

// -- what is told ---------------------------------------------------------------------------

// What common chances spare, of pairs of policies of three kinds.
static void print_chances(const json_t *common) {
  static const char *const worlds[] = {"simulator", "model", "model_progress"},
                           *const kinds[] = {"all", "neighbours", "close"},
                           *const figures[] = {"pooled", "median", "median_of_most"};
  fprintf(stderr, "  fewer trials by common chances: pooled, median of pairs, at most, pairs\n");
  for (int w = 0; w < 3; w++)
    for (int k = 0; k < 3; k++) {
      const json_t *c = json_object_get(json_object_get(common, worlds[w]), kinds[k]);
      fprintf(stderr, "    %-14s %-10s", worlds[w], kinds[k]);
      for (int i = 0; i < 3; i++) {
        const json_t *v = json_object_get(c, figures[i]);
        fprintf(stderr, json_is_number(v) ? " %7.2f" : "       -", json_number_value(v));
      }
      fprintf(stderr, " %5d\n", (int)json_integer_value(json_object_get(c, "pairs")));
    }
}

static void print_figures(const json_t *j) {
  static const char *const single[] = {
      "policy_r",        "policy_mmrv",     "policy_spearman",     "policy_kendall", "ece",
      "trial_agreement", "judge_agreement", "failure_error_ratio", "surprise_auroc",
  };
  for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
    const json_t *v = json_object_get(j, single[i]);
    if (v)
      fprintf(stderr, json_is_number(v) ? "  %-22s %7.3f\n" : "  %-22s       -\n", single[i],
              json_number_value(v));
  }
  if (json_array_size(json_object_get(j, "policies")) > 1)
    print_chances(json_object_get(j, "common_chances"));
}

static orr_code tell(const orr_args *a, const job *j, json_t *out) {
  const char *path = orr_args_text(a, "json", NULL);
  const json_t *failed = json_object_get(out, "failed");
  print_figures(out);
  if (path) ORR_TRY(orr_json_store(path, out));
  const json_t *first = json_array_get(failed, 0);
  ORR_CHECK(!first, ORR_EIO, "%zu of %" PRId64 " policies could not be judged; %s: %s",
            json_array_size(failed), j->o.policies,
            json_string_value(json_object_get(first, "policy")),
            json_string_value(json_object_get(first, "why")));
  return ORR_OK;
}

static orr_code run(const orr_args *a, job *j) {
  json_t *out = NULL;
  ORR_TRY(read_policies(a, j));
  ORR_TRY(train_remote_create_args(a, &j->remote));
  j->o.remote = j->remote;
  ORR_TRY(read_data(a, j));
  ORR_TRY(train_world_model_open(a, a->operand[0], &j->m));
  ORR_TRY(read_numbers(a, j));
  ORR_TRY(read_world(a, j));
  ORR_TRY(read_judge(a, j));
  ORR_TRY(train_policy_evaluate(&j->m, &j->o, &out));
  const orr_code rc = tell(a, j, out);
  json_decref(out);
  return rc;
}

orr_code train_cmd_policy(int argc, char **argv) {
  orr_args args;
  const char *verb = argc > 1 ? argv[1] : "";
  const bool help = strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0;
  ORR_CHECK(help || strcmp(verb, "evaluate") == 0, ORR_ECONFIG,
            "orrery policy: got '%s', wanted evaluate", verb);
  ORR_TRY(orr_args_parse(&command, help ? argc : argc - 1, help ? argv : argv + 1, &args));
  if (args.help) return ORR_OK;
  job j = {0};
  const orr_code rc = run(&args, &j);
  train_policy_args_release(&j.served);
  train_world_model_close(&j.m);
  train_episodes_close(j.recordings);
  train_episodes_close(j.episodes);
  data_remote_destroy(j.remote);
  return rc;
}
