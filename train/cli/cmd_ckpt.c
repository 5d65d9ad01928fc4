// `orrery ckpt inspect|verify|export CKPT`: what is in a checkpoint, whether it is whole, and its
// weights for other tools. Local. CKPT is a step-* folder, a run's ckpt/ or the run's folder.
// ORR_ECORRUPT for a damaged checkpoint.
#include "train/cli/cmd.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "checkpoints/checkpoint.h"
#include "checkpoints/export.h"
#include "base/args.h"
#include "train/infer/loaded_model.h"
#include "train/save/adapter_file.h"
#include "train/save/base.h"
#include "train/save/token_maker.h"
#include "train/step/adapter.h"

static const orr_option options[] = {
    {"config", NULL, "inspect: print the configuration that wrote it, and nothing else",
     ORR_OPTION_ONCE},
    {"json", "FILE", "inspect, verify: write what was found there", ORR_OPTION_ONCE},
    {"out", "FILE", "export: the safetensors file to write; with --adapter a folder",
     ORR_OPTION_ONCE},
    {"adapter", NULL, "export: the adapter of a run with train.lora_rank, in PEFT's format",
     ORR_OPTION_ONCE},
    {"merge", NULL, "export: the weights of such a run, its adapter merged into its base",
     ORR_OPTION_ONCE},
    {"dtype", "bf16|f32", "export: type of its tensors (bf16)", ORR_OPTION_ONCE},
    {"ema", NULL, "export: the moving average instead of the last weights", ORR_OPTION_ONCE},
    {0},
};
static const orr_command command = {
    "ckpt",
    "inspect|verify|export CHECKPOINT",
    2,
    2,
    "CHECKPOINT is a step-* folder, or a run's folder or its ckpt/: the latest good one then.\n"
    "inspect: step, configuration, layout, files, and the tensors with their statistics.\n"
    "verify:  reads everything and compares the checksums.\n"
    "export:  the model's weights as one safetensors file; train.init_from takes it, too.",
    options,
};

// -- statistics -----------------------------------------------------------------------------

typedef struct {
  int64_t count, bad; // bad = NaN or infinite, left out of the others
  double sum, squares, least, most;
} stats;

static void stats_add(stats *s, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(x[i])) {
      s->bad++;
      continue;
    }
    s->sum += x[i];
    s->squares += (double)x[i] * x[i];
    s->least = fmin(s->least, x[i]);
    s->most = fmax(s->most, x[i]);
  }
  s->count += n;
}

static orr_code tensor_stats(ckpt_reader *r, const char *file, const char *name, int64_t count,
                             stats *s) {
  enum { CHUNK = 16384 };
  float x[CHUNK];
  *s = (stats){.least = INFINITY, .most = -INFINITY};
  for (int64_t at = 0; at < count; at += CHUNK) {
    int64_t n = count - at < CHUNK ? count - at : CHUNK;
    ORR_TRY(ckpt_read(r, file, name, (uint64_t)at * 4, (size_t)n * 4, x));
    stats_add(s, x, n);
  }
  return ORR_OK;
}

// -- inspect --------------------------------------------------------------------------------

static void shape_text(char *out, size_t size, int ndim, const int64_t *shape) {
  size_t at = (size_t)snprintf(out, size, "[");
  for (int d = 0; d < ndim; d++)
    at += (size_t)snprintf(out + at, size - at, "%s%" PRId64, d ? ", " : "", shape[d]);
  snprintf(out + at, size - at, "]");
}

static orr_code tensor_json(ckpt_reader *r, const char *file, int i, json_t *list) {
  const char *name;
  int ndim;
  int64_t shape[4], count = 1;
  char text[96];
  stats s;
  ORR_TRY(ckpt_reader_tensor(r, file, i, &name, &ndim, shape));
  for (int d = 0; d < ndim; d++) count *= shape[d];
  ORR_TRY(tensor_stats(r, file, name, count, &s));
  int64_t good = s.count - s.bad;
  double mean = good ? s.sum / (double)good : 0,
         variance = good ? s.squares / (double)good - mean * mean : 0;
  shape_text(text, sizeof text, ndim, shape);
  json_t *j = json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f}", "file", file, "name", name,
                        "shape", text, "count", (json_int_t)count, "not_finite", (json_int_t)s.bad,
                        "mean", mean, "std", sqrt(fmax(variance, 0)), "min", good ? s.least : 0,
                        "max", good ? s.most : 0);
  ORR_CHECK(json_array_append_new(list, j) == 0, ORR_ENOMEM, "%s: out of memory",
            ckpt_reader_path(r));
  return ORR_OK;
}

// The manifest's files with their sizes, read again as plain JSON.
static orr_code files_json(const ckpt_reader *r, json_t *out) {
  orr_path path;
  json_t *manifest, *files, *file;
  size_t i;
  ORR_TRY(orr_fs_join(path, sizeof path, ckpt_reader_path(r), "manifest.json"));
  ORR_TRY(orr_json_load(path, &manifest));
  orr_code rc = orr_json_get_array(manifest, path, "files", &files);
  if (rc == ORR_OK)
    json_array_foreach(files, i, file) json_array_append_new(
        out, json_pack("{s:O, s:O, s:I}", "name", json_object_get(file, "name"), "bytes",
                       json_object_get(file, "bytes"), "extents",
                       (json_int_t)json_array_size(json_object_get(file, "extents"))));
  json_decref(manifest);
  return rc;
}

// Everything inspect knows, as one object.
static orr_code describe(ckpt_reader *r, json_t **out) {
  orr_code rc;
  json_t *files = json_array(), *tensors = json_array();
  ORR_TRY_GOTO(files_json(r, files), drop);
  for (int i = 0; i < ckpt_reader_count(r, "model"); i++)
    ORR_TRY_GOTO(tensor_json(r, "model", i, tensors), drop);
  for (int i = 0; i < ckpt_reader_count(r, "optim"); i++)
    ORR_TRY_GOTO(tensor_json(r, "optim", i, tensors), drop);
  *out = json_pack("{s:s, s:I, s:O, s:o, s:o}", "path", ckpt_reader_path(r), "step",
                   (json_int_t)ckpt_reader_step(r), "meta", ckpt_reader_meta(r), "files", files,
                   "tensors", tensors);
  ORR_CHECK(*out, ORR_ENOMEM, "%s: out of memory", ckpt_reader_path(r));
  return ORR_OK;
drop:
  json_decref(tensors);
  json_decref(files);
  return rc;
}

enum { META_MAX = 60 }; // characters; the guard's window has thousands

static void print_meta(const json_t *meta) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)meta, key, value) {
    if (strcmp(key, "config") == 0) continue; // long: --config prints it
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (json_is_string(value))
      printf("%-12s %s\n", key, json_string_value(value));
    else if (text && strlen(text) > META_MAX)
      printf("%-12s %.*s... (--json has all of it)\n", key, META_MAX, text);
    else
      printf("%-12s %s\n", key, text ? text : "?");
    free(text);
  }
}

static void print_description(const json_t *d) {
  json_t *item;
  size_t i;
  int64_t weights = 0;
  printf("%-12s %s\n%-12s %" JSON_INTEGER_FORMAT "\n", "path",
         json_string_value(json_object_get(d, "path")), "step",
         json_integer_value(json_object_get(d, "step")));
  print_meta(json_object_get(d, "meta"));
  json_array_foreach(json_object_get(d, "files"), i, item)
      printf("%-12s %s, %.3f MB, %" JSON_INTEGER_FORMAT " extents\n", "file",
             json_string_value(json_object_get(item, "name")),
             (double)json_integer_value(json_object_get(item, "bytes")) / 1e6,
             json_integer_value(json_object_get(item, "extents")));
  printf("\n%-44s %-18s %11s %11s %11s %11s\n", "tensor", "shape", "mean", "std", "min", "max");
  json_array_foreach(json_object_get(d, "tensors"), i, item) {
    json_int_t bad = json_integer_value(json_object_get(item, "not_finite"));
    printf("%-44s %-18s %11.4g %11.4g %11.4g %11.4g",
           json_string_value(json_object_get(item, "name")),
           json_string_value(json_object_get(item, "shape")),
           json_real_value(json_object_get(item, "mean")),
           json_real_value(json_object_get(item, "std")),
           json_real_value(json_object_get(item, "min")),
           json_real_value(json_object_get(item, "max")));
    if (bad) printf("  %" JSON_INTEGER_FORMAT " not finite", bad);
    printf("\n");
    if (strcmp(json_string_value(json_object_get(item, "file")), "model") == 0)
      weights += json_integer_value(json_object_get(item, "count"));
  }
  printf("\n%" PRId64 " weights in the model\n", weights);
}

static orr_code print_config(const ckpt_reader *r) {
  const json_t *config = json_object_get(ckpt_reader_meta(r), "config");
  ORR_CHECK(config, ORR_ENOTFOUND, "%s: its manifest holds no configuration", ckpt_reader_path(r));
  if (json_is_string(config)) {
    fputs(json_string_value(config), stdout);
    return ORR_OK;
  }
  json_dumpf(config, stdout, JSON_INDENT(2));
  putchar('\n');
  return ORR_OK;
}

static orr_code inspect(ckpt_reader *r, const orr_args *a) {
  json_t *d;
  const char *file = orr_args_text(a, "json", NULL);
  if (orr_args_flag(a, "config")) return print_config(r);
  ORR_TRY(describe(r, &d));
  print_description(d);
  orr_code rc = file ? orr_json_store(file, d) : ORR_OK;
  json_decref(d);
  return rc;
}

// -- verify, export -------------------------------------------------------------------------

static orr_code verify(ckpt_reader *r, const orr_args *a) {
  const char *file = orr_args_text(a, "json", NULL);
  ORR_TRY(ckpt_verify(r));
  printf("%s: whole, step %" PRId64 "\n", ckpt_reader_path(r), ckpt_reader_step(r));
  if (!file) return ORR_OK;
  json_t *j = json_pack("{s:s, s:I, s:b}", "path", ckpt_reader_path(r), "step",
                        (json_int_t)ckpt_reader_step(r), "whole", 1);
  orr_code rc = orr_json_store(file, j);
  json_decref(j);
  return rc;
}

// Weights of a model in memory, as the exporter asks for them.
static orr_code give_merged(void *ctx, int tensor, uint64_t first, size_t bytes, float *out) {
  const train_state *s = ctx;
  memcpy(out, (const char *)(s->weights.master + s->params.list[tensor].at) + first, bytes);
  return ORR_OK;
}

static orr_code export_model(ckpt_reader *r, train_loaded_model *m, ckpt_export_options *o,
                             const char *out, uint64_t *bytes) {
  ckpt_tensor *tensors = NULL;
  ORR_TRY(train_params_tensors(&m->state.params, &tensors));
  o->tensors = tensors;
  o->count = m->state.params.count;
  o->read = give_merged;
  o->ctx = &m->state;
  const orr_code rc = ckpt_export_as(r, out, o, bytes);
  orr_free(tensors);
  return rc;
}

// The adapter on its base, as one model.
static orr_code write_merged(ckpt_reader *r, const char *out, ckpt_export_options *o,
                             uint64_t *bytes) {
  kern *k = NULL;
  train_loaded_model *m = NULL;
  ORR_TRY(train_kern_open("cpu", 0, &k));
  orr_code rc = train_loaded_model_open(ckpt_reader_path(r), CFG_STAGE_DYNAMICS, o->ema, k, &m);
  if (rc == ORR_OK && !train_adapter_is_on(m->c))
    rc = ORR_FAIL(ORR_EINVAL, "%s: its run trained no adapter; export without --merge",
                  ckpt_reader_path(r));
  if (rc == ORR_OK) rc = export_model(r, m, o, out, bytes);
  train_loaded_model_close(m);
  kern_destroy(k);
  return rc;
}

// What train.init_from asks of a file beside its weights.
static orr_code export_with_words(ckpt_reader *r, const char *out, ckpt_export_options *o,
                                  bool merged, uint64_t *bytes) {
  char *branches = NULL;
  const char *more[5];
  int n = 0;
  const train_token_maker taught = train_token_maker_taught(r);
  ORR_TRY(train_base_branches(r, &branches));
  if (branches) more[n++] = "orrery.branches", more[n++] = branches;
  if (taught.s[0]) more[n++] = "orrery.tokens_by", more[n++] = taught.s;
  more[n] = NULL;
  o->more = more;
  const orr_code rc = merged ? write_merged(r, out, o, bytes) : ckpt_export_as(r, out, o, bytes);
  free(branches);
  return rc;
}

static orr_code export_adapter(ckpt_reader *r, const orr_args *a, const char *out) {
  ORR_TRY(train_adapter_file_write(r, out, orr_args_flag(a, "ema")));
  printf("%s: the %s adapter of step %" PRId64 "\n", out,
         orr_args_flag(a, "ema") ? "averaged" : "last", ckpt_reader_step(r));
  return ORR_OK;
}

static orr_code export_weights(ckpt_reader *r, const orr_args *a) {
  const char *out, *dtype = orr_args_text(a, "dtype", "bf16");
  uint64_t bytes;
  ORR_TRY(orr_args_require(a, "out", &out));
  if (orr_args_flag(a, "adapter")) return export_adapter(r, a, out);
  bool half = strcmp(dtype, "bf16") == 0;
  ORR_CHECK(half || strcmp(dtype, "f32") == 0, ORR_ECONFIG,
            "orrery ckpt export: --dtype %s, wanted bf16 or f32", dtype);
  ckpt_export_options o = {.dtype = half ? CKPT_EXPORT_BF16 : CKPT_EXPORT_F32,
                           .ema = orr_args_flag(a, "ema")};
  ORR_CHECK(
      orr_args_flag(a, "merge") || !json_object_get(ckpt_reader_meta(r), "base_hash"), ORR_EINVAL,
      "%s: its run trained an adapter: --adapter exports that alone, --merge the model with it",
      ckpt_reader_path(r));
  ORR_TRY(export_with_words(r, out, &o, orr_args_flag(a, "merge"), &bytes));
  printf("%s: %s weights of step %" PRId64 " in %s, %.3f MB\n", out,
         orr_args_flag(a, "ema") ? "averaged" : "last", ckpt_reader_step(r), dtype,
         (double)bytes / 1e6);
  return ORR_OK;
}

orr_code train_cmd_ckpt(int argc, char **argv) {
  static const struct {
    const char *name;
    orr_code (*run)(ckpt_reader *r, const orr_args *a);
  } verbs[] = {{"inspect", inspect}, {"verify", verify}, {"export", export_weights}};
  enum { VERBS = sizeof verbs / sizeof *verbs };
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  int v = 0;
  while (v < VERBS && strcmp(args.operand[0], verbs[v].name) != 0) v++;
  ORR_CHECK(v < VERBS, ORR_ECONFIG, "orrery ckpt: got '%s', wanted inspect, verify or export",
            args.operand[0]);
  ckpt_reader *r;
  ORR_TRY(ckpt_open(args.operand[1], &r));
  orr_code rc = verbs[v].run(r, &args);
  ckpt_close(r);
  return rc;
}
