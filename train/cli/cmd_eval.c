// `orrery eval`: the measures of a world model, or of a tokenizer alone (docs/evaluation.md).
// Local. ORR_EINVAL when model, tokenizer and data set do not fit together.
#include "train/cli/cmd.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "base/args.h"
#include "base/mem.h"
#include "train/cli/decoding_args.h"
#include "train/cli/eval_branches.h"
#include "train/eval/eval.h"
#include "train/eval/tokenizer_eval.h"
#include "train/setup/remote_data.h"
#include "train/infer/world_model.h"

static const orr_option options[] = {
    {"data", "DIR|URL", "held-out data set with frames; with --by-branch several",
     ORR_OPTION_REPEATED},
    {"by-branch", NULL, "all of them, as one table: a column for each set's branch", 0},
    {"json", "FILE", "write the figures there", 0},
    {"strip", "FILE.png",
     "write a picture of real over predicted (or decoded) frames; with --by-branch one a "
     "branch, FILE-BRANCH.png",
     0},
    {"clips", "N", "clips rolled out; a tokenizer takes as many frames as they would have", 0},
    {"prompt", "N", "frames given", 0},
    {"horizon", "N", "frames rolled out", 0},
    TRAIN_DECODING_OPTIONS,
    {"memory", "N", "frames that stay when they leave the window, those least alike", 0},
    {"memory-by", "likeness|pose", "what is alike: codes, or poses that actions add up to", 0},
    {"guidance", "W", "how much more the action counts; 0 = as in training", 0},
    TRAIN_WORLD_MODEL_OPTIONS,
    TRAIN_REMOTE_OPTION,
    {0}};
static const orr_command command = {
    "eval",
    "CHECKPOINT",
    1,
    1,
    "Measures a world model, or a tokenizer alone, on held-out episodes.",
    options};

// The run's own settings, unless the command line says otherwise.
static orr_code read_options(const orr_args *a, const cfg *c, train_eval_options *o) {
  train_engine_settings decoding;
  ORR_TRY(train_decoding_args(a, c, &decoding));
  *o = (train_eval_options){.clips = c->eval.clips,
                            .prompt = c->eval.prompt,
                            .horizon = c->eval.horizon,
                            .steps = decoding.steps,
                            .temperature = decoding.temperature,
                            .choice_temperature = decoding.choice_temperature,
                            .guidance = c->eval.guidance,
                            .memory = c->eval.memory,
                            .by_pose = c->eval.memory_by == CFG_MEMORY_BY_POSE,
                            .seed = decoding.seed};
  ORR_TRY(orr_args_i64(a, "clips", 2, 1000000, &o->clips));
  ORR_TRY(orr_args_i64(a, "prompt", 1, 65536, &o->prompt));
  ORR_TRY(orr_args_i64(a, "horizon", 1, 65536, &o->horizon));
  ORR_TRY(orr_args_i64(a, "memory", 0, 1024, &o->memory));
  ORR_TRY(train_memory_by_args(a, &o->by_pose));
  ORR_TRY(train_carry_args(a, c, &o->carry));
  ORR_TRY(orr_args_f64(a, "guidance", 0.0, 100.0, &o->guidance));
  return ORR_OK;
}

static void print_number(const json_t *v) {
  if (json_is_integer(v))
    fprintf(stderr, " %7" PRId64, (int64_t)json_integer_value(v));
  else if (json_is_number(v))
    fprintf(stderr, " %7.3f", json_number_value(v));
  else
    fprintf(stderr, " %7s", "-");
}

static void print_figures(const json_t *j) {
  static const char *const single[] = {"tokenizer_psnr",
                                       "tokenizer_ssim",
                                       "tokenizer_sharpness",
                                       "codes",
                                       "codes_used",
                                       "code_perplexity",
                                       "gain_over_persistence",
                                       "delta_psnr",
                                       "action_shuffle_ratio",
                                       "given_reward_error",
                                       "given_reward_corr",
                                       "reward_error",
                                       "reward_corr",
                                       "given_done_error",
                                       "given_done_accuracy",
                                       "done_error",
                                       "done_accuracy",
                                       "given_progress_error",
                                       "given_progress_corr",
                                       "progress_error",
                                       "progress_corr",
                                       "effect_corr",
                                       "foresight_auroc",
                                       "wrong_at_16",
                                       "changed_iou",
                                       "action_accuracy",
                                       "turn_accuracy",
                                       "walk_accuracy",
                                       "revisit_gap_db",
                                       "things_kept",
                                       "things_doubled",
                                       "mouth_corr",
                                       "av_offset_frames",
                                       "mouth_in_silence",
                                       "audio_shuffle_ratio",
                                       "eyes_shut",
                                       "blinks_a_minute",
                                       "identity_drift",
                                       "drift"};
  static const char *const curves[] = {"psnr", "persistence_psnr", "decoded_persistence_psnr",
                                       "ssim", "persistence_ssim", "position_error"};
  for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
    const json_t *v = json_object_get(j, single[i]);
    if (!v) continue;
    fprintf(stderr, "  %-24s", single[i]);
    print_number(v);
    fputc('\n', stderr);
  }
  for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
    const json_t *a = json_object_get(j, curves[i]);
    if (!a) continue;
    fprintf(stderr, "  %-24s", curves[i]);
    for (size_t k = 0; k < json_array_size(a); k++) print_number(json_array_get(a, k));
    fputc('\n', stderr);
  }
}

// Prints the figures and writes them where --json says.
static orr_code tell(const orr_args *a, json_t *j) {
  ORR_CHECK(json_object_set_new(j, "data", json_string(orr_args_text(a, "data", ""))) == 0,
            ORR_ENOMEM, "evaluation: out of memory, or the name of --data is not UTF-8");
  print_figures(j);
  const char *path = orr_args_text(a, "json", NULL);
  return path ? orr_json_store(path, j) : ORR_OK;
}

// *out (=) the figures of a world model on one data set. strip: NULL, or where to show it.
static orr_code measure_world(const orr_args *a, const train_world_model *m,
                              train_episodes *episodes, const char *strip, json_t **out) {
  train_eval_options o;
  train_eval *e = NULL;
  ORR_TRY(train_world_model_fits(m, train_episodes_index(episodes)));
  ORR_TRY(read_options(a, m->dynamics->c, &o));
  ORR_TRY(train_eval_create(m->dynamics, m->tokenizer, episodes, &o, &e));
  orr_code rc = train_eval_run(e, out);
  if (rc == ORR_OK && strip) rc = train_eval_strip(e, strip, 4);
  train_eval_destroy(e);
  return rc;
}

static orr_code eval_world(const orr_args *a, train_episodes *episodes) {
  train_world_model m = {0};
  json_t *j = NULL;
  orr_code rc = train_world_model_open(a, a->operand[0], &m);
  if (rc == ORR_OK) rc = measure_world(a, &m, episodes, orr_args_text(a, "strip", NULL), &j);
  if (rc == ORR_OK) rc = tell(a, j);
  json_decref(j);
  train_world_model_close(&m);
  return rc;
}

// One data set of several, into the table.
static orr_code eval_branch(const orr_args *a, const train_world_model *m, const char *dir,
                            data_remote *remote, json_t *all) {
  train_episodes *episodes = NULL;
  json_t *j = NULL;
  char *strip = NULL;
  ORR_TRY(train_episodes_open(dir, remote, &episodes));
  const char *branch = train_episodes_index(episodes)->format.branch;
  ORR_INFO("eval: %s, branch %s", dir, branch);
  orr_code rc =
      train_eval_branches_strip(all, orr_args_text(a, "strip", NULL), branch, dir, &strip);
  if (rc == ORR_OK) rc = measure_world(a, m, episodes, strip, &j);
  if (rc == ORR_OK && json_object_set_new(j, "data", json_string(dir)) != 0)
    rc = ORR_FAIL(ORR_ENOMEM, "evaluation: out of memory, or the name of --data is not UTF-8");
  if (rc == ORR_OK) rc = train_eval_branches_add(all, branch, dir, j);
  json_decref(j);
  orr_free(strip);
  train_episodes_close(episodes);
  return rc;
}

static orr_code eval_branches(const orr_args *a, data_remote *remote) {
  train_world_model m = {0};
  const char *dir, *path = orr_args_text(a, "json", NULL);
  json_t *all = json_object(), *out = NULL;
  ORR_CHECK(all, ORR_ENOMEM, "evaluation: out of memory");
  orr_code rc = train_world_model_open(a, a->operand[0], &m);
  for (int i = 0; rc == ORR_OK && (dir = orr_args_nth(a, "data", i)); i++)
    rc = eval_branch(a, &m, dir, remote, all);
  if (rc == ORR_OK) {
    train_eval_branches_print(stderr, all);
    out = json_pack("{s:s, s:I, s:O}", "checkpoint", m.dynamics->path, "step",
                    (json_int_t)m.dynamics->step, "branches", all);
    rc = !out   ? ORR_FAIL(ORR_ENOMEM, "evaluation: out of memory")
         : path ? orr_json_store(path, out)
                : ORR_OK;
  }
  json_decref(out);
  json_decref(all);
  train_world_model_close(&m);
  return rc;
}

static orr_code measure_tokenizer(const orr_args *a, train_loaded_model *m,
                                  train_episodes *episodes) {
  train_eval_options o;
  json_t *j = NULL;
  ORR_TRY(train_loaded_model_fits(m, train_episodes_index(episodes)));
  ORR_TRY(train_loaded_model_pack(m));
  ORR_TRY(read_options(a, m->c, &o));
  const train_tokenizer_eval_options t = {.frames = o.clips * (o.prompt + o.horizon),
                                          .seed = o.seed,
                                          .strip = orr_args_text(a, "strip", NULL)};
  orr_code rc = train_tokenizer_eval(m, episodes, &t, &j);
  if (rc == ORR_OK) rc = tell(a, j);
  json_decref(j);
  return rc;
}

static orr_code eval_tokenizer(const orr_args *a, train_episodes *episodes) {
  int64_t threads = 0;
  kern *k = NULL;
  train_loaded_model *m = NULL;
  ORR_CHECK(!orr_args_text(a, "tokenizer", NULL), ORR_ECONFIG,
            "%s holds a tokenizer: --tokenizer belongs to a dynamics model", a->operand[0]);
  ORR_TRY(orr_args_i64(a, "threads", 0, 4096, &threads));
  ORR_TRY(train_kern_open(orr_args_text(a, "device", "auto"), (int)threads, &k));
  orr_code rc = train_loaded_model_open(a->operand[0], CFG_STAGE_TOKENIZER,
                                        !orr_args_flag(a, "no-ema"), k, &m);
  if (rc == ORR_OK) rc = measure_tokenizer(a, m, episodes);
  train_loaded_model_close(m);
  kern_destroy(k);
  return rc;
}

orr_code train_cmd_eval(int argc, char **argv) {
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  const char *dir;
  cfg *c = NULL;
  data_remote *remote = NULL;
  train_episodes *episodes = NULL;
  orr_code rc;
  const bool by_branch = orr_args_flag(&args, "by-branch");
  ORR_TRY(orr_args_require(&args, "data", &dir));
  ORR_CHECK(by_branch || !orr_args_nth(&args, "data", 1), ORR_ECONFIG,
            "eval: several --data; --by-branch makes one table of them");
  ORR_TRY(train_remote_create_args(&args, &remote));
  ORR_TRY_GOTO(train_loaded_model_config(args.operand[0], &c), out);
  ORR_CHECK_GOTO(!by_branch || c->train.stage != CFG_STAGE_TOKENIZER, out, ORR_ECONFIG,
                 "%s holds a tokenizer: --by-branch is for dynamics models", args.operand[0]);
  if (by_branch) {
    rc = eval_branches(&args, remote);
    goto out;
  }
  ORR_TRY_GOTO(train_episodes_open(dir, remote, &episodes), out);
  rc = c->train.stage == CFG_STAGE_TOKENIZER ? eval_tokenizer(&args, episodes)
                                             : eval_world(&args, episodes);
out:
  cfg_destroy(c);
  train_episodes_close(episodes);
  data_remote_destroy(remote);
  return rc;
}
