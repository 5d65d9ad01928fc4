#include "train/eval/held_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "train/eval/eval.h"
#include "train/eval/tokenizer_eval.h"
#include "train/run/run.h"
#include "train/save/whole.h"
#include "train/setup/device.h"

enum { MOST_SETS = 8, STRIP_CLIPS = 4 };

// A data set, with the clips of a dynamics model's evaluation in memory.
typedef struct {
  train_episodes *episodes;
  train_eval *eval;
} held_set;

typedef struct {
  train_whole *whole; // on all ranks
  // Rank 0's.
  kern *k;
  train_loaded_model *model, *tokenizer; // tokenizer: of a dynamics model
  held_set set[MOST_SETS];
} held_out;

// What a look tells, and where it stands in eval.json: a number, or one of an array by horizon.
static const struct {
  const char *name, *key;
  int64_t k;
} figures[] = {
    // of a tokenizer alone; a dynamics model's does not change
    {"eval_tokenizer_psnr", "tokenizer_psnr", 0},
    {"eval_tokenizer_ssim", "tokenizer_ssim", 0},
    {"eval_codes_used", "codes_used", 0},
    {"eval_code_perplexity", "code_perplexity", 0},
    // of a dynamics model
    {"eval_loss", "loss", 0},
    {"eval_action_shuffle_ratio", "action_shuffle_ratio", 0},
    {"eval_delta_psnr", "delta_psnr", 0},
    {"eval_psnr_1", "psnr", 1},
    {"eval_psnr_2", "psnr", 2},
    {"eval_psnr_3", "psnr", 3},
    {"eval_psnr_4", "psnr", 4},
    {"eval_psnr_5", "psnr", 5},
    {"eval_psnr_6", "psnr", 6},
    {"eval_psnr_7", "psnr", 7},
    {"eval_psnr_8", "psnr", 8},
    {"eval_psnr_9", "psnr", 9},
    {"eval_psnr_10", "psnr", 10},
    {"eval_psnr_11", "psnr", 11},
    {"eval_psnr_12", "psnr", 12},
    {"eval_psnr_16", "psnr", 16},
    {"eval_psnr_24", "psnr", 24},
    {"eval_psnr_32", "psnr", 32},
    {"eval_psnr_48", "psnr", 48},
    {"eval_psnr_64", "psnr", 64},
};
enum { FIGURES = sizeof figures / sizeof *figures, OF_TOKENIZER = 4 };
_Static_assert((int)FIGURES <= (int)TRAIN_METRICS_FIGURES, "a look has room for all of them");

typedef struct {
  double sum;
  int sets; // that have it
} mean;

// -- opening --------------------------------------------------------------------------------

static orr_code open_models(held_out *h, const train_run *r) {
  const kern_setup setup = train_device_setup(r->c, r->world);
  ORR_TRY(kern_open(&setup, &h->k));
  ORR_TRY(kern_commit(h->k));
  ORR_TRY(train_loaded_model_of(r->config_text, r->c->run.dir, h->k, &h->model));
  if (r->c->train.stage == CFG_STAGE_TOKENIZER) return ORR_OK;
  ORR_TRY(train_loaded_model_open(r->c->tokenizer.checkpoint, CFG_STAGE_TOKENIZER, true, h->k,
                                  &h->tokenizer));
  return train_loaded_model_pack(h->tokenizer);
}

static orr_code open_set(held_out *h, const train_run *r, int i) {
  const cfg *c = r->c;
  held_set *s = &h->set[i];
  ORR_TRY(train_episodes_open(c->eval.data.v[i], r->remote, &s->episodes));
  const data_index *x = train_episodes_index(s->episodes);
  ORR_TRY(train_loaded_model_fits(h->tokenizer ? h->tokenizer : h->model, x));
  if (!h->tokenizer) return ORR_OK;
  ORR_CHECK(x->format.A <= c->model.actions, ORR_EINVAL,
            "%s has %" PRId64 " action components, model.actions is %" PRId64
            ": use a data set of a branch that is trained",
            x->dir, x->format.A, c->model.actions);
  return train_eval_create(h->model, h->tokenizer, s->episodes,
                           &(train_eval_options){.clips = c->eval.every_clips,
                                                 .prompt = c->eval.prompt,
                                                 .horizon = c->eval.horizon,
                                                 .steps = c->eval.steps,
                                                 .temperature = c->eval.temperature,
                                                 .choice_temperature = c->eval.choice_temperature,
                                                 .guidance = c->eval.guidance,
                                                 .carry = c->eval.carry,
                                                 .memory = c->eval.memory,
                                                 .by_pose = c->eval.memory_by == CFG_MEMORY_BY_POSE,
                                                 .seed = (uint64_t)c->eval.seed,
                                                 .brief = true},
                           &s->eval);
}

static orr_code open_first(held_out *h, const train_run *r) {
  orr_path dir;
  if (r->world->grid.rank != 0) return ORR_OK;
  ORR_TRY(orr_fs_join(dir, sizeof dir, r->c->run.dir, "eval"));
  ORR_TRY(orr_fs_mkdirs(dir));
  ORR_TRY(open_models(h, r));
  for (int i = 0; i < r->c->eval.data.n; i++) ORR_TRY(open_set(h, r, i));
  return ORR_OK;
}

static orr_code open_all(void *ctx, struct train_run *r) {
  held_out *h = ctx;
  ORR_TRY(dist_agree(r->all, open_first(h, r), "open eval.data"));
  const orr_code rc = train_whole_create(r->c, train_step_model(&r->work), &r->axes, &h->whole);
  return dist_agree(r->all, rc, "take memory for held-out figures");
}

// -- figures --------------------------------------------------------------------------------

static void add_figures(mean *m, const json_t *eval) {
  for (int i = 0; i < FIGURES; i++) {
    const json_t *v = json_object_get(eval, figures[i].key);
    if (figures[i].k > 0) v = json_array_get(v, (size_t)figures[i].k - 1);
    if (!json_is_number(v)) continue;
    m[i].sum += json_number_value(v);
    m[i].sets++;
  }
}

static void tell_figures(const mean *m, bool dynamics, train_look_figures *out) {
  for (int i = dynamics ? OF_TOKENIZER : 0; i < FIGURES; i++)
    if (m[i].sets > 0)
      out->v[out->n++] = (train_scalar){figures[i].name, "%.9g", m[i].sum / m[i].sets};
}

// The picture of this step, and, as that of the latest one, what a report shows.
static orr_code show(const train_run *r, const char *picture) {
  orr_path latest;
  char *bytes = NULL;
  size_t size;
  ORR_TRY(orr_fs_join(latest, sizeof latest, r->c->run.dir, "strip-held-out.png"));
  ORR_TRY(orr_fs_read_all(picture, &bytes, &size));
  const orr_code rc = orr_fs_write_atomic(latest, bytes, size);
  orr_free(bytes);
  return rc;
}

static orr_code measure_set(held_out *h, const train_run *r, int i, const char *picture,
                            json_t **eval) {
  const char *strip = i == 0 ? picture : NULL;
  if (!h->tokenizer)
    return train_tokenizer_eval(h->model, h->set[i].episodes,
                                &(train_tokenizer_eval_options){.frames = r->c->eval.every_clips,
                                                                .seed = (uint64_t)r->c->eval.seed,
                                                                .strip = strip},
                                eval);
  ORR_TRY(train_eval_run(h->set[i].eval, eval));
  return strip ? train_eval_strip(h->set[i].eval, strip, STRIP_CLIPS) : ORR_OK;
}

// Other ranks wait in short collectives, one after the other, however long rank 0 is at work: none
// of them is a hang.
typedef struct {
  dist_comm *all;
} waiting;

static orr_code go_on(waiting *w, bool mine, bool *theirs) {
  int64_t going = mine;
  ORR_TRY(dist_all_reduce(w->all, &going, 1, DIST_I64, DIST_MAX));
  *theirs = going != 0;
  return ORR_OK;
}

static orr_code measure_all(held_out *h, const train_run *r, waiting *w, const float *flat,
                            train_look_figures *out) {
  mean m[FIGURES] = {0};
  bool going;
  ORR_TRY(train_loaded_model_set(h->model, flat));
  for (int i = 0; i < r->c->eval.data.n; i++) {
    json_t *eval = NULL;
    const orr_code rc = measure_set(h, r, i, out->picture, &eval);
    add_figures(m, eval);
    json_decref(eval);
    ORR_TRY(rc);
    ORR_TRY(go_on(w, true, &going));
  }
  tell_figures(m, h->tokenizer != NULL, out);
  return show(r, out->picture);
}

// Rank 0. A run is worth more than its curve.
static orr_code measure(held_out *h, const train_run *r, waiting *w, const float *flat,
                        int64_t step, train_look_figures *out) {
  snprintf(out->picture, sizeof out->picture, "%s/eval/step-%08" PRId64 ".png", r->c->run.dir,
           step);
  h->model->step = step;
  const orr_code rc = measure_all(h, r, w, flat, out);
  if (rc == ORR_OK || rc == ORR_ECOMM) return rc;
  ORR_WARN("held-out figures of step %" PRId64 ": %s; training goes on without them", step,
           orr_status_message());
  orr_status_clear();
  *out = (train_look_figures){0};
  return ORR_OK;
}

static orr_code at(void *ctx, struct train_run *r, int64_t step, train_look_figures *out) {
  held_out *h = ctx;
  const float *flat;
  waiting w = {r->all};
  bool going = true;
  *out = (train_look_figures){0};
  ORR_TRY(dist_agree(r->all, train_whole_take(h->whole, &flat), "bring the weights together"));
  if (r->world->grid.rank == 0) {
    ORR_TRY(measure(h, r, &w, flat, step, out));
    return go_on(&w, false, &going);
  }
  while (going) ORR_TRY(go_on(&w, false, &going));
  return ORR_OK;
}

// -- life -----------------------------------------------------------------------------------

static void close_all(void *ctx) {
  held_out *h = ctx;
  for (int i = 0; i < MOST_SETS; i++) {
    train_eval_destroy(h->set[i].eval);
    train_episodes_close(h->set[i].episodes);
  }
  train_loaded_model_close(h->tokenizer);
  train_loaded_model_close(h->model);
  kern_destroy(h->k);
  train_whole_destroy(h->whole);
  *h = (held_out){0};
}

orr_code train_held_out_create(const cfg *c, train_look *look) {
  held_out *h = orr_calloc(1, sizeof *h);
  ORR_CHECK(h, ORR_ENOMEM, "held-out figures: out of memory");
  *look = (train_look){
      .ctx = h, .every = c->eval.every, .open = open_all, .at = at, .close = close_all};
  return ORR_OK;
}

void train_held_out_destroy(train_look *look) {
  orr_free(look->ctx);
  *look = (train_look){0};
}
