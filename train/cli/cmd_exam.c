// `orrery exam`: does a world model know what causes what (docs/exam.md)? Collective over the world
// when started by mpirun or srun: the ranks share out the groups of episodes, and exam.json is the
// same for any number of them. ORR_EINVAL where frames or actions do not fit, with what to
// fine-tune.
#include "train/cli/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "base/cores.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "dist/world.h"
#include "train/cli/decoding_args.h"
#include "train/exam/calibration_file.h"
#include "train/exam/exam.h"
#include "train/infer/world_model.h"

enum { PAIRS = 48, ROLLOUTS = 24, CHANGES = 16, LONG = 24, CALIBRATION = 24, PASSES = 8 };

static const orr_option options[] = {
    {"concept", "NAME", "examine this concept (again for others); all without it",
     ORR_OPTION_REPEATED},
    {"range", "inside|outside", "examine this range alone", 0},
    {"json", "FILE", "the figures (RUN/exam.json)", 0},
    {"data", "DIR", "folder of the exam's sets, made where they are missing (RUN/exam)", 0},
    {"pairs", "N", "possible and impossible endings a concept and range (48)", 0},
    {"rollouts", "N", "endings that are predicted, likewise (24)", 0},
    {"changes", "N", "interventions, likewise (16)", 0},
    {"long", "N", "rollouts of 16 frames, of which is foretold whether they go wrong (24)", 0},
    {"calibration", "N",
     "pairs and long rollouts a concept of the training range, by which the model's own figures "
     "are read as chances; 0: none (24)",
     0},
    {"passes", "P", "in which the likelihood of a frame is summed up; its positions: exact (8)", 0},
    {"examinee", "NAME", "in place of the model: oracle, blind, copy, linear or looks", 0},
    {"size", "N|HxW", "frames of such an examinee (64)", 0},
    {"branch", "NAME", "branch of the model (its first)", 0},
    {"guidance", "W", "how much more the action counts; 0 = as in training", 0},
    {"processes", "P", "processes that make the sets (the machine's cores)", 0},
    TRAIN_DECODING_OPTIONS,
    TRAIN_WORLD_MODEL_OPTIONS,
    {0}};
static const orr_command command = {
    "exam", "RUN", 1, 1, "Examines what a world model knows of things and their causes.", options};

typedef struct {
  const char *run, *examinee; // examinee NULL: the run's model
  orr_path root, json;
  train_exam_options o;
  train_examinee_options model;
  kern *k;
  train_world_model m;
  train_examinee e;
  int64_t calibrated; // pairs a concept
  train_exam_calibration calibration;
  char branch[128];
} exam;

// -- what is asked for ----------------------------------------------------------------------

static orr_code read_concepts(const orr_args *a, train_exam_options *o) {
  const char *name;
  for (int i = 0; (name = orr_args_nth(a, "concept", i)); i++) {
    int c = 0;
    while (c < DATA_PHYSICS_CONCEPTS && strcmp(name, data_physics_concept_names[c]) != 0) c++;
    ORR_CHECK(c < DATA_PHYSICS_CONCEPTS, ORR_ECONFIG,
              "exam: --concept is '%s'; `orrery data generate --help` lists the concepts", name);
    o->concept[c] = true;
  }
  for (int c = 0; c < DATA_PHYSICS_CONCEPTS; c++)
    if (!orr_args_nth(a, "concept", 0)) o->concept[c] = true;
  return ORR_OK;
}

static orr_code read_ranges(const orr_args *a, train_exam_options *o) {
  const char *name = orr_args_text(a, "range", NULL);
  for (int r = DATA_PHYSICS_RANGE_inside; r < DATA_PHYSICS_RANGES; r++)
    o->range[r] = !name || strcmp(name, data_physics_range_names[r]) == 0;
  ORR_CHECK(o->range[DATA_PHYSICS_RANGE_inside] || o->range[DATA_PHYSICS_RANGE_outside],
            ORR_ECONFIG, "exam: --range is '%s', wanted inside or outside", name);
  return ORR_OK;
}

// The size of the frames that the run's tokenizer takes, from its configuration alone.
static orr_code read_size(const orr_args *a, const cfg *c, train_exam_options *o) {
  const char *path = orr_args_text(a, "tokenizer", c->tokenizer.checkpoint);
  cfg *tokenizer = NULL;
  ORR_CHECK(path[0], ORR_ECONFIG, "exam: the run does not name its tokenizer: give --tokenizer");
  ORR_TRY(train_loaded_model_config(path, &tokenizer));
  o->height = tokenizer->tokenizer.rows * tokenizer->tokenizer.patch;
  o->width = tokenizer->tokenizer.cols * tokenizer->tokenizer.patch;
  cfg_destroy(tokenizer);
  return ORR_OK;
}

static orr_code read_model(const orr_args *a, exam *x) {
  cfg *c = NULL;
  ORR_TRY(train_loaded_model_config(x->run, &c));
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO(c->train.stage == CFG_STAGE_DYNAMICS, destroy, ORR_EINVAL,
                 "%s holds a tokenizer: the exam is for dynamics models", x->run);
  snprintf(x->branch, sizeof x->branch, "%s",
           orr_args_text(a, "branch", c->model.branches.n ? c->model.branches.v[0] : "worlds"));
  x->model = (train_examinee_options){.passes = PASSES, .guidance = c->eval.guidance};
  ORR_TRY_GOTO(train_decoding_args(a, c, &x->model.decoding), destroy);
  ORR_TRY_GOTO(orr_args_f64(a, "guidance", 0.0, 100.0, &x->model.guidance), destroy);
  ORR_TRY_GOTO(train_carry_args(a, c, &x->model.carry), destroy);
  ORR_TRY_GOTO(orr_args_i64(a, "passes", 1, 1 << 20, &x->model.passes), destroy);
  x->model.branch = x->branch;
  ORR_TRY_GOTO(train_examinee_model_check(c, x->run, &x->model), destroy); // before sets are made
  ORR_TRY_GOTO(read_size(a, c, &x->o), destroy);
  x->o.seed = x->model.decoding.seed;
destroy:
  cfg_destroy(c);
  return rc;
}

static orr_code read_files(const orr_args *a, exam *x) {
  const char *root = orr_args_text(a, "data", NULL), *json = orr_args_text(a, "json", NULL);
  if (root)
    snprintf(x->root, sizeof x->root, "%s", root);
  else
    ORR_TRY(orr_fs_join(x->root, sizeof x->root, x->run, "exam"));
  if (json)
    snprintf(x->json, sizeof x->json, "%s", json);
  else
    ORR_TRY(orr_fs_join(x->json, sizeof x->json, x->run, "exam.json"));
  return ORR_OK;
}

static orr_code read_amounts(const orr_args *a, exam *x) {
  int64_t processes = orr_cores_usable(), seed = 1;
  x->o.pairs = PAIRS;
  x->o.rollouts = ROLLOUTS;
  x->o.changes = CHANGES;
  x->o.longs = LONG;
  x->calibrated = CALIBRATION;
  x->o.height = x->o.width = 64;
  ORR_TRY(orr_args_i64(a, "pairs", 2, 100000, &x->o.pairs));
  ORR_TRY(orr_args_i64(a, "rollouts", 1, 100000, &x->o.rollouts));
  ORR_TRY(orr_args_i64(a, "changes", 0, 100000, &x->o.changes));
  ORR_TRY(orr_args_i64(a, "long", 0, 100000, &x->o.longs));
  ORR_TRY(orr_args_i64(a, "calibration", 0, 100000, &x->calibrated));
  ORR_TRY(orr_args_i64(a, "processes", 1, 1024, &processes));
  ORR_TRY(orr_args_i64(a, "seed", 0, INT64_MAX, &seed));
  ORR_TRY(orr_args_size(a, "size", 16, 2048, &x->o.height, &x->o.width));
  x->o.processes = (int)processes;
  x->o.seed = (uint64_t)seed;
  return ORR_OK;
}

static orr_code read_request(const orr_args *a, exam *x) {
  x->run = a->operand[0];
  x->examinee = orr_args_text(a, "examinee", NULL);
  if (x->examinee && strcmp(x->examinee, "model") == 0) x->examinee = NULL;
  ORR_CHECK(x->examinee || !orr_args_text(a, "size", NULL), ORR_ECONFIG,
            "exam: a model decides the size of the frames: --size belongs to --examinee");
  snprintf(x->branch, sizeof x->branch, "%s", orr_args_text(a, "branch", "worlds"));
  ORR_TRY(read_concepts(a, &x->o));
  ORR_TRY(read_ranges(a, &x->o));
  ORR_TRY(read_amounts(a, x));
  if (!x->examinee) ORR_TRY(read_model(a, x));
  ORR_TRY(read_files(a, x));
  x->o.root = x->root;
  x->o.strips = x->root;
  x->o.branch = x->branch;
  return ORR_OK;
}

// -- the exam -------------------------------------------------------------------------------

static orr_code open_examinee(const orr_args *a, double cores, exam *x) {
  int64_t threads = 0;
  if (x->examinee) return train_examinee_find(x->examinee, &x->e);
  ORR_TRY(orr_args_i64(a, "threads", 0, 4096, &threads));
  if (threads == 0) threads = orr_cores_threads(cores);
  ORR_TRY(train_kern_open(orr_args_text(a, "device", "auto"), (int)threads, &x->k));
  ORR_TRY(train_world_model_open_on(a, x->run, x->k, &x->m));
  return train_examinee_model(x->m.dynamics, x->m.tokenizer, &x->model, &x->e);
}

// The checksum of a checkpoint's manifest, which covers all that it holds.
static orr_code add_checkpoint(json_t *key, const char *name, const train_loaded_model *m) {
  orr_path path;
  json_t *j = NULL;
  const char *sum;
  ORR_TRY(orr_fs_join(path, sizeof path, m->path, "manifest.json"));
  ORR_TRY(orr_json_load(path, &j));
  const orr_code rc = orr_json_get_str(j, path, "checksum", &sum);
  if (rc == ORR_OK) json_object_set_new(key, name, json_string(sum));
  json_decref(j);
  return rc;
}

// What a calibration is of: everything that its figures follow from.
static orr_code key_of(const exam *x, json_t *key) {
  const train_engine_settings *d = &x->model.decoding;
  json_object_set_new(key, "examinee", json_string(x->e.name));
  json_object_set_new(key, "pairs", json_integer((json_int_t)x->calibrated));
  json_object_set_new(key, "seed", json_integer((json_int_t)x->o.seed));
  json_object_set_new(key, "size",
                      json_pack("[I,I]", (json_int_t)x->o.height, (json_int_t)x->o.width));
  if (!x->m.dynamics) return ORR_OK;
  json_object_set_new(key, "decoding",
                      json_pack("{s:I, s:I, s:f, s:f, s:f}", "passes", (json_int_t)x->model.passes,
                                "steps", (json_int_t)d->steps, "temperature", d->temperature,
                                "choice_temperature", d->choice_temperature, "guidance",
                                x->model.guidance));
  json_object_set_new(key, "carry", json_boolean(x->model.carry));
  json_object_set_new(key, "branch", json_string(x->branch));
  json_object_set_new(key, "ema", json_boolean(x->m.dynamics->ema));
  json_object_set_new(key, "adapter",
                      json_string(x->m.dynamics->adapter ? x->m.dynamics->adapter : ""));
  ORR_TRY(add_checkpoint(key, "dynamics", x->m.dynamics));
  return add_checkpoint(key, "tokenizer", x->m.tokenizer);
}

static orr_code calibrate(exam *x, dist_comm *all) {
  const train_exam_options o = train_exam_calibration_options(&x->o, x->calibrated);
  orr_path file;
  if (x->calibrated == 0) return ORR_OK;
  json_t *key = json_object();
  orr_code rc = key ? key_of(x, key) : ORR_FAIL(ORR_ENOMEM, "exam: out of memory");
  if (rc == ORR_OK) rc = orr_fs_join(file, sizeof file, x->root, "calibration.json");
  rc = dist_agree(all, rc, "say what is calibrated");
  if (rc == ORR_OK) rc = train_exam_calibration_find(all, file, key, &o, &x->e, &x->calibration);
  x->o.calibration = &x->calibration;
  json_decref(key);
  return rc;
}

static void print_figure(const json_t *figures, const char *name) {
  const json_t *v = json_object_get(json_object_get(figures, name), "value");
  if (json_is_number(v))
    fprintf(stderr, " %9.3f", json_number_value(v));
  else
    fprintf(stderr, " %9s", "-");
}

static void print_all(const json_t *j) {
  static const char *const names[] = {"surprise_accuracy",
                                      "surprise_relative",
                                      "surprise_auroc",
                                      "ece",
                                      "ece_scaled",
                                      "relative_ece",
                                      "position_error",
                                      "velocity_error",
                                      "linear_velocity_error",
                                      "effect_corr",
                                      "permanence",
                                      "number",
                                      "momentum_error",
                                      "confounder_ratio",
                                      "wrong_at_16",
                                      "foresight_auroc",
                                      "foresight_ece"};
  static const char *const heads[] = {"accuracy",  "relative", "auroc",    "ece",      "scaled",
                                      "rel. ece",  "position", "velocity", "linear",   "effect",
                                      "permanent", "number",   "momentum", "confound", "wrong",
                                      "foresight", "its ece"};
  fprintf(stderr, "%-12s %-8s", "", "");
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) fprintf(stderr, " %9s", heads[i]);
  fputc('\n', stderr);
  for (int c = 0; c <= DATA_PHYSICS_CONCEPTS; c++)
    for (int r = 0; r < DATA_PHYSICS_RANGES; r++) {
      const char *name = c < DATA_PHYSICS_CONCEPTS ? data_physics_concept_names[c] : "all";
      const json_t *f = json_object_get(json_object_get(j, name), data_physics_range_names[r]);
      if (!f) continue;
      fprintf(stderr, "%-12s %-8s", name, data_physics_range_names[r]);
      for (size_t i = 0; i < sizeof names / sizeof *names; i++) print_figure(f, names[i]);
      fputc('\n', stderr);
    }
}

static orr_code tell(const exam *x, json_t *j) {
  json_object_set_new(j, "examinee", json_string(x->e.name));
  json_object_set_new(j, "seed", json_integer((json_int_t)x->o.seed));
  json_object_set_new(j, "pairs", json_integer((json_int_t)x->o.pairs));
  json_object_set_new(j, "rollouts", json_integer((json_int_t)x->o.rollouts));
  json_object_set_new(j, "changes", json_integer((json_int_t)x->o.changes));
  json_object_set_new(j, "long", json_integer((json_int_t)x->o.longs));
  if (x->o.calibration)
    json_object_set_new(j, "calibration", train_exam_calibration_json(x->o.calibration));
  if (x->m.dynamics) {
    json_object_set_new(j, "checkpoint", json_string(x->m.dynamics->path));
    json_object_set_new(j, "step", json_integer((json_int_t)x->m.dynamics->step));
    json_object_set_new(j, "passes", json_integer((json_int_t)x->model.passes));
  }
  print_all(j);
  return orr_json_store(x->json, j);
}

static orr_code make_sets(const exam *x) {
  const train_exam_options o = train_exam_calibration_options(&x->o, x->calibrated);
  ORR_TRY(train_exam_make(&x->o));
  return x->calibrated ? train_exam_make(&o) : ORR_OK;
}

static orr_code examine(const orr_args *a, dist_world *world, exam *x) {
  dist_comm *all = world->axis[DIST_AXIS_WORLD];
  const bool first = world->grid.rank == 0;
  json_t *j = NULL;
  ORR_TRY(dist_agree(all, read_request(a, x), "read what is asked for"));
  orr_code rc = first ? orr_fs_mkdirs(x->root) : ORR_OK;
  if (first && rc == ORR_OK) rc = make_sets(x);
  ORR_TRY(dist_agree(all, rc, "make the exam's worlds"));
  ORR_TRY(dist_agree(all, open_examinee(a, world->cores, x), "open the examinee"));
  ORR_TRY(calibrate(x, all));
  ORR_TRY(train_exam_run(all, &x->o, &x->e, &j));
  rc = dist_agree(all, first ? tell(x, j) : ORR_OK, "write the figures");
  json_decref(j);
  return rc;
}

orr_code train_cmd_exam(int argc, char **argv) {
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  exam x = {0};
  dist_world *world = NULL;
  ORR_TRY(dist_world_open(&world));
  orr_log_setup(ORR_LOG_INFO, world->grid.rank, world->grid.ranks);
  const orr_code rc = examine(&args, world, &x);
  if (world->grid.rank != 0) orr_status_clear(); // all ranks have the same words: rank 0 says them
  train_examinee_destroy(&x.e);
  train_world_model_close(&x.m);
  kern_destroy(x.k);
  dist_world_close(world);
  return rc;
}
