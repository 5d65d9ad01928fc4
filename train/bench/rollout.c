#include "train/bench/rollout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/sort.h"
#include "train/bench/bench.h"
#include "train/bench/preset.h"
#include "train/engine/engine.h"
#include "train/infer/world_model.h"
#include "train/model/packed.h"
#include "train/step/peak.h"

static const orr_option options[] = {
    {"preset", "small|1b", "a model of this size with random weights (default small)", 0},
    {"precision", "bf16|fp32", "type of matmul inputs and activations of a preset (default fp32)",
     0},
    {"isa", "NAME", "avx2, avx512, ...: take the paths of a CPU that has no more", 0},
    {"steps", "K", "decoding passes a frame (a checkpoint's own; 4)", 0},
    {"window", "N", "frames a time block sees (a checkpoint's own; 16)", 0},
    {"sessions", "N", "sessions at once; may be given several times (1, 2, 4, 8)",
     ORR_OPTION_REPEATED},
    {"frames", "N", "frames timed of each session, after the window is full (default 32)", 0},
    TRAIN_WORLD_MODEL_OPTIONS,
    {0}};
static const orr_command command = {
    "bench rollout",
    "[CHECKPOINT]",
    0,
    1,
    "Times frames of sessions in a world model: decoded and, of a checkpoint, as pixels.",
    options};

enum { MOST_SESSIONS = 64 };

typedef struct {
  const char *preset; // NULL: a checkpoint
  cfg *c;             // of the preset
  kern *k;
  train_world_model m;     // of the checkpoint
  train_state state;       // of the preset
  train_dynamics_params p; //
  train_dynamics_dims d;
  const train_dynamics_params *params;
  const train_weights *weights;
  train_codec *codec; // NULL: no pixels
  int64_t steps, window, frames;
  int64_t sessions[16];
  int count;
  double peak; // FLOP/s
  // a batch
  float *action;   // [sessions,2A]
  int32_t *tokens; // [sessions,S]
  uint8_t *pixels; // [sessions,frame]
  double *ms;      // [frames]
} bench;

static orr_code read_numbers(const orr_args *a, bench *b) {
  static const int64_t usual[] = {1, 2, 4, 8};
  const char *text;
  b->frames = 32;
  ORR_TRY(orr_args_i64(a, "steps", 1, 1024, &b->steps));
  ORR_TRY(orr_args_i64(a, "window", 1, 4096, &b->window));
  ORR_TRY(orr_args_i64(a, "frames", 2, 1000000, &b->frames));
  for (; b->count < 16 && (text = orr_args_nth(a, "sessions", b->count)) != NULL; b->count++) {
    char *end;
    b->sessions[b->count] = strtol(text, &end, 10);
    ORR_CHECK(*text && !*end && b->sessions[b->count] >= 1 &&
                  b->sessions[b->count] <= MOST_SESSIONS,
              ORR_ECONFIG, "--sessions is '%s': wanted 1 to %d", text, (int)MOST_SESSIONS);
  }
  if (b->count) return ORR_OK;
  memcpy(b->sessions, usual, sizeof usual);
  b->count = 4;
  return ORR_OK;
}

// The kern of a bench, with the probe of its matmul rate planned.
static orr_code open_kern(const orr_args *a, bench *b, kern_dtype act) {
  kern_setup setup;
  ORR_TRY(train_bench_setup(a, &setup));
  ORR_TRY(kern_open(&setup, &b->k));
  ORR_TRY(train_peak_plan(b->k, act));
  ORR_TRY(kern_commit(b->k));
  return train_peak_measure(b->k, act, &b->peak);
}

static orr_code open_preset(const orr_args *a, bench *b) {
  char text[64];
  ORR_TRY(cfg_create(&b->c));
  ORR_TRY(train_bench_preset(b->preset, b->c));
  snprintf(text, sizeof text, "run.precision=%s", orr_args_text(a, "precision", "fp32"));
  ORR_TRY(cfg_set(b->c, text));
  train_dynamics_dims_from(b->c, &b->d);
  ORR_TRY(open_kern(a, b, b->d.block.act));
  train_state_init(&b->state, b->k, b->d.block.act, false, false);
  ORR_TRY(train_dynamics_list(&b->d, &b->state.params, &b->p));
  train_state_place(&b->state);
  ORR_TRY(train_state_commit(&b->state));
  train_state_place(&b->state);
  ORR_TRY(train_state_fill(&b->state, 1));
  ORR_TRY(train_packed_dynamics(b->k, &b->d, &b->p, &b->state.weights));
  b->params = &b->p;
  b->weights = &b->state.weights;
  if (!b->steps) b->steps = 4;
  if (!b->window) b->window = 16;
  return ORR_OK;
}

static orr_code open_checkpoint(const orr_args *a, bench *b) {
  ORR_TRY(open_kern(a, b, KERN_F32));
  ORR_TRY(train_world_model_open_on(a, a->operand[0], b->k, &b->m));
  const train_loaded_model *m = b->m.dynamics;
  b->d = m->dynamics;
  b->params = &m->dynamics_p;
  b->weights = &m->state.weights;
  if (!b->steps) b->steps = m->c->eval.steps;
  if (!b->window) b->window = train_engine_window(m->c, INT64_MAX);
  return train_codec_create(b->m.tokenizer, MOST_SESSIONS, &b->codec);
}

static orr_code take_memory(bench *b) {
  const size_t frame = b->codec ? (size_t)(b->d.S * b->m.tokenizer->tokenizer.P) : 1;
  b->action = orr_calloc(MOST_SESSIONS * 2 * (size_t)b->d.A, sizeof *b->action);
  b->tokens = orr_calloc(MOST_SESSIONS * (size_t)b->d.S, sizeof *b->tokens);
  b->pixels = orr_malloc(MOST_SESSIONS * frame);
  b->ms = orr_calloc((size_t)b->frames, sizeof *b->ms);
  ORR_CHECK(b->action && b->tokens && b->pixels && b->ms, ORR_ENOMEM, "bench: out of memory");
  return ORR_OK;
}

// Other actions in every frame, as of somebody who turns all the time.
static void give_actions(bench *b, int64_t n, int64_t frame, train_engine_frame *f) {
  const int64_t A = b->d.A;
  for (int64_t i = 0; i < n; i++) {
    float *to = b->action + i * 2 * A;
    for (int64_t j = 0; j < A; j++) {
      to[j] = orr_rng_normal(1, ORR_STREAM_EVAL, (uint64_t)(frame * n + i), (uint64_t)j);
      to[A + j] = 1.0f;
    }
    f[i] = (train_engine_frame){.session = (int32_t)i,
                                .has_action = frame > 0,
                                .action = to,
                                .tokens = b->tokens + i * b->d.S};
  }
}

static orr_code one_frame(bench *b, train_engine *e, int64_t n, int64_t frame) {
  train_engine_frame f[MOST_SESSIONS];
  give_actions(b, n, frame, f);
  ORR_TRY(train_engine_decode(e, f, n));
  if (b->codec) ORR_TRY(train_codec_decode(b->codec, b->tokens, n, b->pixels));
  ORR_TRY(train_engine_commit(e));
  return kern_sync(b->k);
}

// Multiplications and additions of one frame: its passes with the head and the one that keeps it.
static double flops(const bench *b) {
  const train_block_dims *d = &b->d.block;
  const double block = (double)(d->D * (2 * d->H + 2 * d->G) * d->K + 3 * d->D * d->F);
  return 2.0 * ((double)(b->d.layers * b->d.N * (b->steps + 1)) * block +
                (double)(b->steps * b->d.S * d->D * b->d.V));
}

static orr_code time_sessions(bench *b, int64_t n, json_t *out) {
  train_engine *e = NULL;
  orr_code rc;
  ORR_TRY(train_engine_create(
      b->k, &b->d, b->params, b->weights,
      &(train_engine_options){.sessions = n, .batch = n, .window = b->window, .steps = b->steps},
      &e));
  for (int64_t i = 0; i < n; i++) {
    const train_engine_settings s = {.steps = b->steps,
                                     .temperature = 1.0,
                                     .choice_temperature = 1.0,
                                     .seed = 1,
                                     .sample = (uint64_t)i};
    ORR_TRY_GOTO(train_engine_begin(e, (int32_t)i, &s), out);
  }
  double total = 0.0;
  for (int64_t t = 0; t < b->window + b->frames; t++) {
    const double begin = orr_clock_ms();
    ORR_TRY_GOTO(one_frame(b, e, n, t), out);
    if (t < b->window) continue;
    total += b->ms[t - b->window] = orr_clock_ms() - begin;
  }
  orr_sort_f64(b->ms, b->frames);
  const double rate = 1e3 * (double)(n * b->frames) / total;
  json_array_append_new(out, json_pack("{s:I, s:f, s:f, s:f, s:f}", "sessions", (json_int_t)n,
                                       "frames_per_s", rate, "ms_p50", b->ms[b->frames / 2],
                                       "ms_p99", b->ms[(int64_t)(0.99 * (double)(b->frames - 1))],
                                       "matmul_share", rate * flops(b) / b->peak));
  ORR_INFO("%" PRId64 " sessions: %.1f frames/s", n, rate);
  rc = ORR_OK;
out:
  train_engine_destroy(e);
  return rc;
}

static orr_code run(const orr_args *a, bench *b) {
  if (a->operands) {
    ORR_CHECK(!orr_args_text(a, "preset", NULL) && !orr_args_text(a, "precision", NULL),
              ORR_ECONFIG, "bench rollout: --preset and --precision are for no CHECKPOINT");
  } else {
    b->preset = orr_args_text(a, "preset", "small");
  }
  ORR_TRY(read_numbers(a, b));
  ORR_TRY(b->preset ? open_preset(a, b) : open_checkpoint(a, b));
  ORR_TRY(take_memory(b));
  json_t *all = json_array();
  orr_code rc = ORR_OK;
  for (int i = 0; i < b->count && rc == ORR_OK; i++) rc = time_sessions(b, b->sessions[i], all);
  if (rc != ORR_OK) {
    json_decref(all);
    return rc;
  }
  return train_bench_print(
      json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:b, s:f, s:f, s:o}", "bench", "rollout",
                "model", b->preset ? b->preset : b->m.dynamics->path, "precision",
                b->d.block.act == KERN_BF16 ? "bf16" : "fp32", "device", b->k->table->name, "isa",
                b->k->isa, "threads", b->k->threads, "steps", (json_int_t)b->steps, "window",
                (json_int_t)b->window, "pixels", b->codec != NULL, "frame_gflop", flops(b) / 1e9,
                "matmul_tflops", b->peak / 1e12, "runs", all));
}

orr_code train_cmd_bench_rollout(int argc, char **argv) {
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  bench b = {0};
  const orr_code rc = run(&args, &b);
  orr_free(b.ms);
  orr_free(b.pixels);
  orr_free(b.tokens);
  orr_free(b.action);
  train_codec_destroy(b.codec);
  train_packed_release(&b.state.weights);
  if (b.preset && b.k) train_state_release(&b.state);
  orr_free(b.p.blocks);
  train_world_model_close(&b.m);
  kern_destroy(b.k);
  cfg_destroy(b.c);
  return rc;
}
