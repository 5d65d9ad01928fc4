#include "train/exam/watch.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/cores.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/exam/exam.h"
#include "train/run/run.h"
#include "train/save/whole.h"
#include "train/setup/device.h"

typedef struct {
  orr_path root;
  train_exam_options o;
  train_whole *whole; // on all ranks
  // Rank 0's.
  kern *k;
  train_loaded_model *model, *tokenizer;
  train_examinee e;
} watch;

// -- opening --------------------------------------------------------------------------------

static orr_code open_models(watch *w, const train_run *r) {
  const cfg *c = r->c;
  const kern_setup setup = train_device_setup(c, r->world);
  ORR_TRY(kern_open(&setup, &w->k));
  ORR_TRY(kern_commit(w->k));
  ORR_TRY(train_loaded_model_of(r->config_text, c->run.dir, w->k, &w->model));
  ORR_TRY(train_loaded_model_open(c->tokenizer.checkpoint, CFG_STAGE_TOKENIZER, true, w->k,
                                  &w->tokenizer));
  ORR_TRY(train_loaded_model_pack(w->tokenizer));
  return train_examinee_model(
      w->model, w->tokenizer,
      &(train_examinee_options){.carry = c->eval.carry,
                                .passes = c->eval.exam_passes < w->model->dynamics.S
                                              ? c->eval.exam_passes
                                              : w->model->dynamics.S,
                                .decoding = {.steps = c->eval.steps,
                                             .temperature = c->eval.temperature,
                                             .choice_temperature = c->eval.choice_temperature,
                                             .seed = (uint64_t)c->eval.seed},
                                .guidance = c->eval.guidance,
                                .branch = w->o.branch},
      &w->e);
}

static orr_code open_first(watch *w, const train_run *r) {
  if (r->world->grid.rank != 0) return ORR_OK;
  return open_models(w, r);
}

static orr_code open_all(void *ctx, struct train_run *r) {
  watch *w = ctx;
  ORR_TRY(dist_agree(r->all, open_first(w, r), "open the exam"));
  const orr_code rc = train_whole_create(r->c, &r->work.state, &r->axes, &w->whole);
  return dist_agree(r->all, rc, "take memory for exams");
}

// -- figures --------------------------------------------------------------------------------

#define NAMES(name, ...) {"eval_exam_" #name, "eval_exam_" #name "_velocity"},
static const char *const names[DATA_PHYSICS_CONCEPTS][2] = {DATA_PHYSICS_CONCEPT_ROWS(NAMES)};
#undef NAMES

static void tell(const json_t *exam, int concept, train_look_figures *out) {
  static const char *const keys[2] = {"surprise_accuracy", "velocity_error"};
  const json_t *figures =
      json_object_get(json_object_get(exam, data_physics_concept_names[concept]),
                      data_physics_range_names[DATA_PHYSICS_RANGE_inside]);
  for (int i = 0; i < 2; i++) {
    const json_t *v = json_object_get(json_object_get(figures, keys[i]), "value");
    if (json_is_number(v))
      out->v[out->n++] = (train_scalar){names[concept][i], "%.9g", json_number_value(v)};
  }
}

// The other ranks wait in short collectives, however long rank 0 is at work: none of them is a
// hang.
static orr_code go_on(dist_comm *all, bool mine, bool *theirs) {
  int64_t going = mine;
  ORR_TRY(dist_all_reduce(all, &going, 1, DIST_I64, DIST_MAX));
  *theirs = going != 0;
  return ORR_OK;
}

static orr_code examine_one(watch *w, int concept, train_look_figures *out) {
  json_t *exam = NULL;
  train_exam_options o = w->o;
  for (int c = 0; c < DATA_PHYSICS_CONCEPTS; c++) o.concept[c] = c == concept;
  ORR_TRY(train_exam_run(NULL, &o, &w->e, &exam));
  tell(exam, concept, out);
  json_decref(exam);
  return ORR_OK;
}

static orr_code examine_all(watch *w, dist_comm *all, const float *flat, train_look_figures *out) {
  bool going;
  ORR_TRY(train_loaded_model_set(w->model, flat));
  for (int c = 0; c < DATA_PHYSICS_CONCEPTS; c++) {
    ORR_TRY(examine_one(w, c, out));
    ORR_TRY(go_on(all, true, &going));
  }
  return ORR_OK;
}

// Rank 0. A run is worth more than its curve.
static orr_code examine(watch *w, const train_run *r, const float *flat, int64_t step,
                        train_look_figures *out) {
  const orr_code rc = examine_all(w, r->all, flat, out);
  if (rc == ORR_OK || rc == ORR_ECOMM) return rc;
  ORR_WARN("exam after step %" PRId64 ": %s; training goes on without it", step,
           orr_status_message());
  orr_status_clear();
  *out = (train_look_figures){0};
  return ORR_OK;
}

static orr_code at(void *ctx, struct train_run *r, int64_t step, train_look_figures *out) {
  watch *w = ctx;
  const float *flat;
  bool going = true;
  *out = (train_look_figures){0};
  ORR_TRY(dist_agree(r->all, train_whole_take(w->whole, &flat), "bring the weights together"));
  if (r->world->grid.rank == 0) {
    ORR_TRY(examine(w, r, flat, step, out));
    return go_on(r->all, false, &going);
  }
  while (going) ORR_TRY(go_on(r->all, false, &going));
  return ORR_OK;
}

// -- life -----------------------------------------------------------------------------------

static void close_all(void *ctx) {
  watch *w = ctx;
  train_examinee_destroy(&w->e);
  train_loaded_model_close(w->tokenizer);
  train_loaded_model_close(w->model);
  kern_destroy(w->k);
  train_whole_destroy(w->whole);
  w->tokenizer = w->model = NULL;
  w->k = NULL;
  w->whole = NULL;
}

// What is asked, and the sets in the run's folder.
static orr_code prepare(watch *w, const cfg *c, bool first) {
  cfg *tokenizer = NULL;
  ORR_TRY(orr_fs_join(w->root, sizeof w->root, c->run.dir, "exam"));
  ORR_TRY(train_loaded_model_config(c->tokenizer.checkpoint, &tokenizer));
  const int64_t patch = tokenizer->tokenizer.patch;
  w->o = (train_exam_options){.root = w->root,
                              .pairs = c->eval.exam_pairs,
                              .rollouts = c->eval.exam_pairs,
                              .height = tokenizer->tokenizer.rows * patch,
                              .width = tokenizer->tokenizer.cols * patch,
                              .seed = (uint64_t)c->eval.seed,
                              .branch = c->model.branches.n ? c->model.branches.v[0] : "worlds",
                              .processes = orr_cores_usable()};
  w->o.range[DATA_PHYSICS_RANGE_inside] = true;
  for (int i = 0; i < DATA_PHYSICS_CONCEPTS; i++) w->o.concept[i] = true;
  cfg_destroy(tokenizer);
  if (!first) return ORR_OK;
  ORR_TRY(orr_fs_mkdirs(w->root));
  return train_exam_make(&w->o);
}

orr_code train_exam_watch_create(const cfg *c, bool first, train_look *look) {
  watch *w = orr_calloc(1, sizeof *w);
  ORR_CHECK(w, ORR_ENOMEM, "exam: out of memory");
  *look = (train_look){
      .ctx = w, .every = c->eval.exam_every, .open = open_all, .at = at, .close = close_all};
  return prepare(w, c, first);
}

void train_exam_watch_destroy(train_look *look) {
  orr_free(look->ctx);
  *look = (train_look){0};
}
