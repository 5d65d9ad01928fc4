// Both models go the same way: sizes -> parameter list -> plan (a pass without memory) -> commit ->
// weights -> loss with gradients -> report.
#include "tests/golden/golden_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "train/step/state.h"
#include "train/model/tokenizer.h"

#define NAME_MAX_BYTES 192

// -- sizes ----------------------------------------------------------------------------------

// One row a size: a missing one is an error that names it.
typedef struct {
  const char *key;
  int64_t *at;
} size_row;

static orr_code read_rows(const json_t *sizes, const char *what, const size_row *rows, size_t n) {
  for (size_t i = 0; i < n; i++) {
    ORR_TRY(orr_json_get_i64(sizes, what, rows[i].key, rows[i].at));
    int64_t lowest = strcmp(rows[i].key, "registers") == 0 ? 0 : 1;
    ORR_CHECK(*rows[i].at >= lowest && *rows[i].at <= INT32_MAX, ORR_EFORMAT,
              "%s: %s is %" PRId64 ", wanted at least %" PRId64, what, rows[i].key, *rows[i].at,
              lowest);
  }
  return ORR_OK;
}

static orr_code read_block(const json_t *sizes, const char *what, kern_dtype act,
                           train_block_dims *b) {
  const size_row rows[] = {{"width", &b->D},
                           {"heads", &b->H},
                           {"kv_heads", &b->G},
                           {"head_width", &b->K},
                           {"hidden", &b->F}};
  b->act = act;
  ORR_TRY(read_rows(sizes, what, rows, sizeof rows / sizeof *rows));
  train_block_dims_split(b, NULL);
  return ORR_OK;
}

static orr_code read_tokenizer(const json_t *sizes, kern_dtype act, train_tokenizer_dims *d) {
  const char *what = "sizes of the tokenizer";
  const size_row rows[] = {
      {"rows", &d->rows}, {"cols", &d->cols}, {"patch", &d->patch}, {"layers", &d->layers}};
  json_t *levels;
  memset(d, 0, sizeof *d);
  d->patchwise = json_is_true(json_object_get(sizes, "patchwise"));
  ORR_TRY(read_rows(sizes, what, rows, sizeof rows / sizeof *rows));
  ORR_TRY(orr_json_get_f64(sizes, what, "l2", &d->l2));
  ORR_TRY(orr_json_get_f64(sizes, what, "l1", &d->l1));
  ORR_TRY(orr_json_get_array(sizes, what, "levels", &levels));
  ORR_CHECK(json_array_size(levels) <= KERN_FSQ_MAX, ORR_EFORMAT,
            "%s: %zu levels, at most %d are supported", what, json_array_size(levels),
            KERN_FSQ_MAX);
  d->n = (int)json_array_size(levels);
  for (int i = 0; i < d->n; i++)
    d->levels[i] = (int32_t)json_integer_value(json_array_get(levels, (size_t)i));
  d->S = d->rows * d->cols;
  d->P = 3 * d->patch * d->patch;
  return read_block(sizes, what, act, &d->block);
}

// Heads on registers by name, with the weights of their losses; a reference may have none.
static orr_code read_outcomes(const json_t *sizes, train_dynamics_dims *d, double *weights) {
  const json_t *all = json_object_get(sizes, "outcomes");
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    const json_t *w = json_object_get(all, train_outcome_name((train_outcome)o));
    d->outcome[o] = w != NULL;
    weights[o] = json_number_value(w);
  }
  return ORR_OK;
}

static orr_code read_dynamics(const json_t *sizes, kern_dtype act, train_dynamics_dims *d,
                              double *weights) {
  const char *what = "sizes of the dynamics model";
  const size_row rows[] = {{"rows", &d->rows},
                           {"cols", &d->cols},
                           {"registers", &d->R},
                           {"layers", &d->layers},
                           {"time_every", &d->time_every},
                           {"actions", &d->A},
                           {"codes", &d->V},
                           {"branches", &d->branches}};
  memset(d, 0, sizeof *d);
  ORR_TRY(read_rows(sizes, what, rows, sizeof rows / sizeof *rows));
  ORR_TRY(orr_json_get_f64(sizes, what, "z_loss", &d->z_loss));
  d->S = d->rows * d->cols;
  d->N = 1 + d->S + d->R;
  ORR_TRY(read_outcomes(sizes, d, weights));
  const json_t *views = json_object_get(sizes, "views");
  if (views) ORR_TRY(data_views_parse(views, what, &d->views));
  return read_block(sizes, what, act, &d->block);
}

// -- weights and gradients ------------------------------------------------------------------

static orr_code load_weights(const golden_file *f, const char *model, train_state *s, kern *k) {
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%s.weight.%s", model, p->name);
    ORR_TRY(golden_f32(f, name, p->count, s->weights.master + p->at));
  }
  memset(s->weights.grad, 0, (size_t)s->params.total * sizeof(float));
  return train_state_refresh(s);
}

// The largest magnitude among all gradients: what a gradient that is zero throughout is held
// against.
static orr_code largest_gradient(const golden_file *f, const char *model, const train_state *s,
                                 float *want, double *largest) {
  *largest = 0;
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%s.grad.%s", model, p->name);
    ORR_TRY(golden_f32(f, name, p->count, want));
    for (int64_t j = 0; j < p->count; j++) *largest = fmax(*largest, fabs((double)want[j]));
  }
  return ORR_OK;
}

// A patch that attends to itself alone does so whatever its query and key are: what is told of
// their gradients is rounding, and counts beside the largest gradient only. 1e-9: far below
// float32's resolution beside that.
static double least_gradient(const golden_file *f, const char *name, double largest) {
  const bool alone = json_is_true(json_object_get(f->tokenizer, "patchwise")) &&
                     strncmp(name, "tokenizer.grad.encoder.", 23) == 0;
  return alone && (strstr(name, ".attn.q") || strstr(name, ".attn.k")) ? largest : 1e-9 * largest;
}

static orr_code compare_gradients(const golden_file *f, const char *model, const train_state *s,
                                  golden_report *r) {
  orr_code rc = ORR_OK;
  double largest;
  float *want = orr_malloc((size_t)s->params.total * sizeof *want);
  ORR_CHECK(want, ORR_ENOMEM, "gradients of the %s: out of memory", model);
  ORR_TRY_GOTO(largest_gradient(f, model, s, want, &largest), free_want);
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%s.grad.%s", model, p->name);
    ORR_TRY_GOTO(golden_f32(f, name, p->count, want), free_want);
    golden_report_gradient(r, name, s->weights.grad + p->at, want, p->count,
                           least_gradient(f, name, largest));
  }
  char title[64];
  snprintf(title, sizeof title, "%s.grad", model);
  golden_report_gradients(r, title);
free_want:
  orr_free(want);
  return rc;
}

// -- tokenizer ------------------------------------------------------------------------------

typedef struct {
  const golden_file *f;
  train_tokenizer_dims d;
  train_tokenizer_params p;
  train_state state;
  kern *k;
  train_tokenizer *model;
  orr_arena acts, data;
  int64_t B, pixels;           // frames, and values in them
  float *frames;               // [B, rows*p, cols*p, 3]
  int32_t *index, *want_index; // [B,S]
} tokenizer_run;

static orr_code tokenizer_place(tokenizer_run *t) {
  const size_t S = (size_t)(t->B * t->d.S);
  train_state_place(&t->state);
  t->frames = orr_arena_take(&t->data, (size_t)t->pixels * sizeof(float));
  t->index = orr_arena_take(&t->data, S * sizeof(int32_t));
  t->want_index = orr_arena_take(&t->data, S * sizeof(int32_t));
  return train_tokenizer_place(t->model, &t->acts);
}

// The loss is l2 * mean of squares + l1 * mean of magnitudes.
static orr_code tokenizer_loss(tokenizer_run *t, double *loss) {
  double sum = 0, n = (double)t->pixels;
  const float scale = (float)(1 / n);
  const train_frames frames = {.f32 = t->frames};
  ORR_TRY(train_tokenizer_forward(t->model, &frames));
  ORR_TRY(train_tokenizer_loss(t->model, &frames, &scale, true, &sum, NULL, NULL));
  *loss = sum / n;
  return train_tokenizer_encode(t->model, &frames, t->index);
}

static orr_code tokenizer_prepare(tokenizer_run *t, const golden_options *o) {
  double loss;
  const ckpt_entry *frames;
  ORR_TRY(read_tokenizer(t->f->tokenizer, o->precision, &t->d));
  ORR_TRY(golden_entry(t->f, "tokenizer.in.frames", &frames));
  ORR_CHECK(frames->ndim == 4, ORR_EFORMAT, "%s: frames have %d dimensions, wanted 4", t->f->path,
            frames->ndim);
  t->B = frames->shape[0];
  t->pixels = t->B * t->d.S * t->d.P;
  ORR_TRY(kern_create(KERN_DEVICE_CPU, o->threads, &t->k));
  train_state_init(&t->state, t->k, o->precision, true, false);
  ORR_TRY(train_tokenizer_list(&t->d, &t->state.params, &t->p));
  ORR_TRY(train_tokenizer_create(t->k, &t->d, &t->p, &t->state.weights, t->B, o->keep, &t->model));
  ORR_TRY(tokenizer_place(t));
  ORR_TRY(tokenizer_loss(t, &loss)); // plans only
  ORR_TRY(train_state_commit(&t->state));
  ORR_TRY(orr_arena_commit(&t->acts));
  ORR_TRY(orr_arena_commit(&t->data));
  ORR_TRY(kern_commit(t->k));
  return tokenizer_place(t);
}

static orr_code tokenizer_compare(tokenizer_run *t, golden_report *r) {
  double loss;
  float want;
  const int64_t indices = t->B * t->d.S;
  ORR_TRY(load_weights(t->f, "tokenizer", &t->state, t->k));
  ORR_TRY(golden_f32(t->f, "tokenizer.in.frames", t->pixels, t->frames));
  ORR_TRY(golden_f32(t->f, "tokenizer.loss", 1, &want));
  ORR_TRY(golden_i32(t->f, "tokenizer.out.index", indices, t->want_index));
  ORR_TRY(tokenizer_loss(t, &loss));
  golden_report_loss(r, "tokenizer.loss", loss, want);
  golden_report_indices(r, "tokenizer.out.index", t->index, t->want_index, indices);
  return compare_gradients(t->f, "tokenizer", &t->state, r);
}

orr_code golden_run_tokenizer(const golden_file *f, const golden_options *o, golden_report *r) {
  tokenizer_run t = {.f = f};
  orr_arena_init(&t.acts, "activations");
  orr_arena_init(&t.data, "data");
  orr_code rc = tokenizer_prepare(&t, o);
  if (rc == ORR_OK) rc = tokenizer_compare(&t, r);
  train_tokenizer_destroy(t.model);
  orr_free(t.p.enc);
  orr_arena_release(&t.data);
  orr_arena_release(&t.acts);
  train_state_release(&t.state);
  kern_destroy(t.k);
  return rc;
}

// -- dynamics -------------------------------------------------------------------------------

typedef struct {
  const golden_file *f;
  train_dynamics_dims d;
  train_dynamics_params p;
  train_state state;
  kern *k;
  train_dynamics *model;
  orr_arena acts, data;
  int64_t B, T, BT, positions, capacity;     // positions: B*T*S; capacity: rounded up for the head
  int64_t masked;                            // positions that count in the loss
  int32_t *tokens, *target, *branch;         // [BT,S], [BT,S], [B]
  uint8_t *is_masked, *has_action;           // [BT,S], [BT]
  float *action_in, *valid, *action;         // [BT,A], [BT,A], [BT,2A]
  int32_t *masked_row, *masked_target, *row; // [capacity]
  float *logits, *want_logits;               // [capacity,V], [positions,V]
  double outcome_weight[TRAIN_OUTCOMES];     // of the heads on registers that there are
  float *value[TRAIN_OUTCOMES];              // [BT]
  int32_t *bin[TRAIN_OUTCOMES][2];           // [BT]
  float *share[TRAIN_OUTCOMES][2];           // [BT]
  float outcome_scale[TRAIN_OUTCOMES];
  double outcome_sum[TRAIN_OUTCOMES];
} dynamics_run;

static orr_code dynamics_place(dynamics_run *t) {
  const size_t n = (size_t)t->positions, rows = (size_t)t->capacity, V = (size_t)t->d.V,
               actions = (size_t)(t->BT * t->d.A), e = sizeof(float);
  train_state_place(&t->state);
  t->tokens = orr_arena_take(&t->data, n * e);
  t->target = orr_arena_take(&t->data, n * e);
  t->branch = orr_arena_take(&t->data, (size_t)t->B * e);
  t->is_masked = orr_arena_take(&t->data, n);
  t->has_action = orr_arena_take(&t->data, (size_t)t->BT);
  t->action_in = orr_arena_take(&t->data, actions * e);
  t->valid = orr_arena_take(&t->data, actions * e);
  t->action = orr_arena_take(&t->data, 2 * actions * e);
  t->masked_row = orr_arena_take(&t->data, rows * e);
  t->masked_target = orr_arena_take(&t->data, rows * e);
  t->row = orr_arena_take(&t->data, rows * e);
  t->logits = orr_arena_take(&t->data, rows * V * e);
  t->want_logits = orr_arena_take(&t->data, n * V * e);
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    t->value[o] = orr_arena_take(&t->data, (size_t)t->BT * e);
    for (int i = 0; i < 2; i++) {
      t->bin[o][i] = orr_arena_take(&t->data, (size_t)t->BT * e);
      t->share[o][i] = orr_arena_take(&t->data, (size_t)t->BT * e);
    }
  }
  return train_dynamics_place(t->model, &t->acts);
}

// The loss is a mean over the masked positions; those of heads on registers are means of their own,
// and the gradients those of the weighted sum.
static orr_code dynamics_loss(dynamics_run *t, int64_t masked, double *loss) {
  train_outcome_targets targets = {
      .scale = t->outcome_scale, .loss_sum = t->outcome_sum, .stride = 1};
  memcpy(targets.bin, t->bin, sizeof t->bin);
  memcpy(targets.share, t->share, sizeof t->share);
  const train_dynamics_batch batch = {.tokens = t->tokens,
                                      .action = t->action,
                                      .has_action = t->has_action,
                                      .branch = t->branch,
                                      .masked_row = t->masked_row,
                                      .target = t->masked_target,
                                      .masked_rows = t->capacity,
                                      .outcomes = train_registers_any(&t->d) ? &targets : NULL};
  double sum = 0;
  ORR_TRY(train_dynamics_forward(t->model, &batch));
  ORR_TRY(train_dynamics_logits(t->model, t->row, t->positions, t->logits));
  ORR_TRY(train_dynamics_loss(t->model, &batch, &(float){(float)(1.0 / (double)masked)}, true, &sum,
                              NULL, NULL));
  *loss = sum / (double)masked;
  return ORR_OK;
}

static orr_code dynamics_prepare(dynamics_run *t, const golden_options *o) {
  double loss;
  const ckpt_entry *tokens;
  ORR_TRY(read_dynamics(t->f->dynamics, o->precision, &t->d, t->outcome_weight));
  ORR_TRY(golden_entry(t->f, "dynamics.in.tokens", &tokens));
  ORR_CHECK(tokens->ndim == 3, ORR_EFORMAT, "%s: tokens have %d dimensions, wanted 3", t->f->path,
            tokens->ndim);
  t->B = tokens->shape[0];
  t->T = tokens->shape[1];
  t->BT = t->B * t->T;
  t->positions = t->BT * t->d.S;
  ORR_TRY(kern_create(KERN_DEVICE_CPU, o->threads, &t->k));
  train_state_init(&t->state, t->k, o->precision, true, false);
  ORR_TRY(train_dynamics_list(&t->d, &t->state.params, &t->p));
  ORR_TRY(
      train_dynamics_create(t->k, &t->d, &t->p, &t->state.weights, t->B, t->T, o->keep, &t->model));
  t->capacity = train_dynamics_loss_capacity(t->model);
  ORR_TRY(dynamics_place(t));
  ORR_TRY(dynamics_loss(t, 1, &loss)); // plans only
  ORR_TRY(train_state_commit(&t->state));
  ORR_TRY(orr_arena_commit(&t->acts));
  ORR_TRY(orr_arena_commit(&t->data));
  ORR_TRY(kern_commit(t->k));
  return dynamics_place(t);
}

// Row numbers of all positions and of the masked ones, padded with -1; action * valid and valid.
static void dynamics_arrange(dynamics_run *t) {
  const int64_t S = t->d.S, A = t->d.A;
  t->masked = 0;
  for (int64_t i = 0; i < t->capacity; i++) t->row[i] = t->masked_row[i] = t->masked_target[i] = -1;
  for (int64_t i = 0; i < t->positions; i++) {
    t->row[i] = (int32_t)(i / S * t->d.N + 1 + i % S);
    if (!t->is_masked[i]) continue;
    t->masked_row[t->masked] = t->row[i];
    t->masked_target[t->masked++] = t->target[i];
  }
  for (int64_t i = 0; i < t->BT * A; i++) {
    float *pair = t->action + i / A * 2 * A + i % A;
    pair[0] = t->action_in[i] * t->valid[i];
    pair[A] = t->valid[i];
  }
}

// Targets of the heads on registers.
static orr_code dynamics_load_outcomes(dynamics_run *t) {
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    char name[NAME_MAX_BYTES];
    double known = 0.0;
    if (!t->d.outcome[o]) continue;
    snprintf(name, sizeof name, "dynamics.in.%s", train_outcome_name((train_outcome)o));
    ORR_TRY(golden_f32(t->f, name, t->BT, t->value[o]));
    for (int64_t f = 0; f < t->BT; f++) {
      const train_two_hot x = train_outcome_target((train_outcome)o, t->value[o][f]);
      for (int i = 0; i < 2; i++) {
        t->bin[o][i][f] = x.bin[i];
        t->share[o][i][f] = x.share[i];
      }
      known += x.bin[0] >= 0;
    }
    t->outcome_scale[o] = (float)(t->outcome_weight[o] / known);
    t->outcome_sum[o] = 0.0;
  }
  return ORR_OK;
}

static orr_code dynamics_load(dynamics_run *t) {
  const int64_t actions = t->BT * t->d.A;
  ORR_TRY(load_weights(t->f, "dynamics", &t->state, t->k));
  ORR_TRY(golden_i32(t->f, "dynamics.in.tokens", t->positions, t->tokens));
  ORR_TRY(golden_i32(t->f, "dynamics.in.target", t->positions, t->target));
  ORR_TRY(golden_bool(t->f, "dynamics.in.masked", t->positions, t->is_masked));
  ORR_TRY(golden_f32(t->f, "dynamics.in.action", actions, t->action_in));
  ORR_TRY(golden_f32(t->f, "dynamics.in.valid", actions, t->valid));
  ORR_TRY(golden_bool(t->f, "dynamics.in.has_action", t->BT, t->has_action));
  ORR_TRY(golden_i32(t->f, "dynamics.in.branch", t->B, t->branch));
  ORR_TRY(golden_f32(t->f, "dynamics.out.logits", t->positions * t->d.V, t->want_logits));
  ORR_TRY(dynamics_load_outcomes(t));
  dynamics_arrange(t);
  ORR_CHECK(t->masked > 0, ORR_EFORMAT, "%s: no position is masked", t->f->path);
  return ORR_OK;
}

static orr_code compare_outcomes(const dynamics_run *t, golden_report *r) {
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    char name[NAME_MAX_BYTES];
    float want;
    if (!t->d.outcome[o]) continue;
    snprintf(name, sizeof name, "dynamics.loss.%s", train_outcome_name((train_outcome)o));
    ORR_TRY(golden_f32(t->f, name, 1, &want));
    const double known = t->outcome_weight[o] / (double)t->outcome_scale[o];
    golden_report_loss(r, name, t->outcome_sum[o] / known, want);
  }
  return ORR_OK;
}

static orr_code dynamics_compare(dynamics_run *t, golden_report *r) {
  double loss;
  float want;
  ORR_TRY(dynamics_load(t));
  ORR_TRY(golden_f32(t->f, "dynamics.loss", 1, &want));
  ORR_TRY(dynamics_loss(t, t->masked, &loss));
  golden_report_loss(r, "dynamics.loss", loss, want);
  ORR_TRY(compare_outcomes(t, r));
  golden_report_logits(r, "dynamics.out.logits", t->logits, t->want_logits, t->positions * t->d.V);
  return compare_gradients(t->f, "dynamics", &t->state, r);
}

orr_code golden_run_dynamics(const golden_file *f, const golden_options *o, golden_report *r) {
  dynamics_run t = {.f = f};
  orr_arena_init(&t.acts, "activations");
  orr_arena_init(&t.data, "data");
  orr_code rc = dynamics_prepare(&t, o);
  if (rc == ORR_OK) rc = dynamics_compare(&t, r);
  train_dynamics_destroy(t.model);
  orr_free(t.p.blocks);
  orr_arena_release(&t.data);
  orr_arena_release(&t.acts);
  train_state_release(&t.state);
  kern_destroy(t.k);
  return rc;
}
