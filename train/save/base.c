#include "train/save/base.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/model/outcome.h"

static const char action_name[] = "embed.action.weight", // [D, 2 A]: values, then which of them are
    branch_name[] = "embed.branch.weight";               // [branches, D]

// Dimension `dim` of a tensor of the model; -1 when there is none of that name.
static int64_t size_of(const ckpt_reader *r, const char *tensor, int dim) {
  const int n = ckpt_reader_count(r, "model");
  for (int i = 0; i < n; i++) {
    const char *name;
    int ndim;
    int64_t shape[4];
    if (ckpt_reader_tensor(r, "model", i, &name, &ndim, shape) != ORR_OK) break;
    if (strcmp(name, tensor) == 0) return ndim == 2 ? shape[dim] : -1;
  }
  return -1;
}

// -- the names of its branches --------------------------------------------------------------

static orr_code branches_of_config(const ckpt_reader *r, const char *text, json_t **out) {
  cfg *c = NULL;
  ORR_TRY(cfg_create(&c));
  const orr_code rc = cfg_read_text(c, ckpt_reader_path(r), text, strlen(text));
  *out = rc == ORR_OK ? json_array() : NULL;
  for (int i = 0; *out && i < c->model.branches.n; i++)
    json_array_append_new(*out, json_string(c->model.branches.v[i]));
  cfg_destroy(c);
  return rc;
}

// *out (=) a new array, or NULL where the checkpoint does not say.
static orr_code branches_of(const ckpt_reader *r, json_t **out) {
  const json_t *meta = ckpt_reader_meta(r);
  const char *config = json_string_value(json_object_get(meta, "config")),
             *exported = json_string_value(json_object_get(meta, "branches"));
  *out = NULL;
  if (config) return branches_of_config(r, config, out);
  return exported ? orr_json_parse(ckpt_reader_path(r), exported, strlen(exported), out) : ORR_OK;
}

orr_code train_base_branches(const ckpt_reader *r, char **out) {
  json_t *list;
  *out = NULL;
  ORR_TRY(branches_of(r, &list));
  if (list) *out = json_dumps(list, JSON_COMPACT);
  json_decref(list);
  return ORR_OK;
}

// -- comparing ------------------------------------------------------------------------------

static void say(train_base *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(train_base *b, const char *fmt, ...) {
  const size_t used = strlen(b->words);
  va_list args;
  const size_t comma = used ? 2 : 0;
  if (used + comma >= sizeof b->words) return;
  memcpy(b->words + used, "; ", comma);
  va_start(args, fmt);
  vsnprintf(b->words + used + comma, sizeof b->words - used - comma, fmt, args);
  va_end(args);
}

static orr_code compare_actions(const cfg *c, const ckpt_reader *r, train_base *b) {
  b->here = c->model.actions;
  b->actions = size_of(r, action_name, 1) / 2;
  ORR_CHECK(b->actions <= b->here, ORR_ECONFIG,
            "train.init_from: %s has %" PRId64 " action components, model.actions is %" PRId64
            ": set it to %" PRId64 " or more; a data set with fewer is padded",
            ckpt_reader_path(r), b->actions, b->here, b->actions);
  if (b->actions + 1 == b->here)
    say(b, "action component %" PRId64 " is new: its column begins at random", b->here);
  else if (b->actions < b->here)
    say(b, "action components %" PRId64 " to %" PRId64 " are new: their columns begin at random",
        b->actions + 1, b->here);
  return ORR_OK;
}

static int64_t row_named(const json_t *names, const char *name) {
  size_t i;
  json_t *each;
  json_array_foreach(names, i, each) {
    const char *s = json_string_value(each);
    if (s && strcmp(s, name) == 0) return (int64_t)i;
  }
  return -1;
}

static void name_branches(const cfg *c, const json_t *names, train_base *b) {
  size_t i;
  json_t *each;
  for (int k = 0; k < c->model.branches.n; k++) {
    const char *name = c->model.branches.v[k];
    b->row[k] = row_named(names, name);
    if (b->row[k] < 0) say(b, "branch '%s' is new: its row begins at random", name);
  }
  json_array_foreach(names, i, each) {
    bool here = false;
    for (int k = 0; k < c->model.branches.n; k++) here = here || b->row[k] == (int64_t)i;
    if (!here) say(b, "its branch '%s' is left out", json_string_value(each));
  }
}

// Without names: in order.
static orr_code count_branches(const cfg *c, const ckpt_reader *r, train_base *b) {
  const int n = c->model.branches.n;
  ORR_CHECK(b->branches <= n, ORR_ECONFIG,
            "train.init_from: %s has %" PRId64
            " branches and does not name them, model.branches has %d: name as many, in their order",
            ckpt_reader_path(r), b->branches, n);
  for (int k = 0; k < n; k++) {
    b->row[k] = k < b->branches ? k : -1;
    if (b->row[k] < 0)
      say(b, "branch '%s' is new: its row begins at random", c->model.branches.v[k]);
  }
  return ORR_OK;
}

static orr_code compare_branches(const cfg *c, const ckpt_reader *r, train_base *b) {
  json_t *names = NULL;
  b->branches = size_of(r, branch_name, 0);
  b->row = orr_calloc((size_t)c->model.branches.n, sizeof *b->row);
  ORR_CHECK(b->row, ORR_ENOMEM, "train.init_from: out of memory");
  ORR_TRY(branches_of(r, &names));
  orr_code rc = ORR_OK;
  if (names && (int64_t)json_array_size(names) == b->branches)
    name_branches(c, names, b);
  else
    rc = count_branches(c, r, b);
  json_decref(names);
  return rc;
}

bool train_base_lacks(const ckpt_reader *r, const char *file, const char *name,
                      const char *parameter) {
  return (strncmp(parameter, "heads.", 6) == 0 || strncmp(parameter, "embed.view.", 11) == 0) &&
         !ckpt_reader_has(r, file, name);
}

static void name_heads(const cfg *c, const ckpt_reader *r, train_base *b) {
  if (c->model.views.n > 0 && size_of(r, "embed.view.weight", 0) < 0)
    say(b, "the embeddings of its %d views are new: they begin at random", c->model.views.n);
  const double weights[TRAIN_OUTCOMES] = {c->model.reward_weight, c->model.done_weight,
                                          c->model.progress_weight};
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    const char *word = train_outcome_name((train_outcome)o);
    char name[64];
    snprintf(name, sizeof name, "heads.%s.weight", word);
    if (weights[o] > 0.0 && size_of(r, name, 0) < 0)
      say(b, "the head for %s is new: it begins at random", word);
  }
}

orr_code train_base_compare(const cfg *c, const ckpt_reader *r, train_base *out) {
  *out = (train_base){.seed = (uint64_t)c->run.seed};
  if (c->train.stage != CFG_STAGE_DYNAMICS || size_of(r, action_name, 1) < 0 ||
      size_of(r, branch_name, 0) < 0)
    return ORR_OK; // ckpt_reader_match says what it is instead
  orr_code rc = compare_actions(c, r, out);
  if (rc == ORR_OK) rc = compare_branches(c, r, out);
  if (rc != ORR_OK)
    train_base_release(out);
  else
    name_heads(c, r, out);
  return rc;
}

void train_base_release(train_base *b) {
  orr_free(b->row);
  b->row = NULL;
}

void train_base_shapes(const train_base *b, ckpt_tensor *tensors, int count) {
  for (int i = 0; b->row && i < count; i++) {
    if (strcmp(tensors[i].name, action_name) == 0) tensors[i].shape[1] = 2 * b->actions;
    if (strcmp(tensors[i].name, branch_name) == 0) tensors[i].shape[0] = b->branches;
  }
}

// -- reading --------------------------------------------------------------------------------

// One run of elements and where its values are in the base: from element `at` of its tensor on;
// -1: nowhere.
static int64_t place_in_base(const train_base *b, const train_param *p, int64_t global,
                             int64_t *count) {
  int64_t run, at;
  if (strcmp(p->name, action_name) == 0) {
    const int64_t half = global / b->here, component = global % b->here;
    const bool known = component < b->actions;
    run = (known ? b->actions : b->here) - component;
    at = known ? half * b->actions + component : -1;
  } else {
    const int64_t D = p->shape[1], row = b->row[global / D], column = global % D;
    run = D - column;
    at = row >= 0 ? row * D + column : -1;
  }
  if (*count > run) *count = run;
  return at;
}

orr_code train_base_read(const train_base *b, ckpt_reader *r, const char *file, const char *name,
                         const train_params *all, const train_param *p, int64_t global,
                         int64_t count, int64_t local, float *to) {
  const size_t size = sizeof *to;
  if (train_base_lacks(r, file, name, p->name)) {
    train_params_fill(all, b->seed, local, count, to);
    return ORR_OK;
  }
  if (!b->row || (strcmp(p->name, action_name) != 0 && strcmp(p->name, branch_name) != 0))
    return ckpt_read(r, file, name, (uint64_t)global * size, (size_t)count * size, to);
  for (int64_t done = 0, n; done < count; done += n) {
    n = count - done;
    const int64_t at = place_in_base(b, p, global + done, &n);
    if (at < 0)
      train_params_fill(all, b->seed, local + done, n, to + done);
    else
      ORR_TRY(ckpt_read(r, file, name, (uint64_t)at * size, (size_t)n * size, to + done));
  }
  return ORR_OK;
}

// -- whose weights --------------------------------------------------------------------------

static orr_code hash_tensor(ckpt_reader *r, bool ema, int i, float *chunk, size_t most,
                            orr_hash_stream *s) {
  const char *name;
  int ndim;
  int64_t shape[4];
  char full[256];
  uint64_t bytes = sizeof *chunk;
  ORR_TRY(ckpt_reader_tensor(r, "model", i, &name, &ndim, shape));
  for (int d = 0; d < ndim; d++) bytes *= (uint64_t)shape[d];
  snprintf(full, sizeof full, "%s%s", ema ? "ema." : "", name);
  orr_hash_stream_update(s, name, strlen(name) + 1);
  for (uint64_t at = 0, n; at < bytes; at += n) {
    n = bytes - at < most ? bytes - at : most;
    ORR_TRY(ckpt_read(r, ema ? "optim" : "model", full, at, (size_t)n, chunk));
    orr_hash_stream_update(s, chunk, (size_t)n);
  }
  return ORR_OK;
}

orr_code train_base_hash(ckpt_reader *r, bool ema, orr_hash_hex *out) {
  enum { BYTES = 4 << 20 };
  float *chunk = orr_malloc(BYTES);
  orr_hash_stream *s = orr_hash_stream_create();
  orr_code rc =
      chunk && s ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "%s: out of memory", ckpt_reader_path(r));
  for (int i = 0; rc == ORR_OK && i < ckpt_reader_count(r, "model"); i++)
    rc = hash_tensor(r, ema, i, chunk, BYTES, s);
  if (rc == ORR_OK) *out = orr_hash_to_hex(orr_hash_stream_digest(s));
  orr_hash_stream_destroy(s);
  orr_free(chunk);
  return rc;
}

orr_code train_base_is(const ckpt_reader *adapter, const orr_hash_hex *hash, const char *path) {
  const char *wanted = json_string_value(json_object_get(ckpt_reader_meta(adapter), "base_hash"));
  if (!wanted)
    ORR_WARN("%s does not say which weights it is an adapter of; %s is taken",
             ckpt_reader_path(adapter), path);
  ORR_CHECK(!wanted || strcmp(wanted, hash->s) == 0, ORR_EINVAL,
            "%s is an adapter of weights %s, but %s holds weights %s: give the base that it was "
            "trained on",
            ckpt_reader_path(adapter), wanted, path, hash->s);
  return ORR_OK;
}
