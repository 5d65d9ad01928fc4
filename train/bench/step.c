#include "train/bench/step.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/sort.h"
#include "configs/config.h"
#include "dist/comm.h"
#include "dist/world.h"
#include "base/args.h"
#include "base/clock.h"
#include "train/bench/bench.h"
#include "train/bench/preset.h"
#include "train/bench/synthetic.h"
#include "train/plan/estimate.h"
#include "train/model/precision.h"
#include "train/setup/device.h"
#include "train/timing/marks.h"
#include "train/step/peak.h"
#include "train/step/step.h"

static const orr_option options[] = {
    {"preset", "small|1b", "size of the model (default small: 8 blocks of width 256)", 0},
    {"precision", "auto|bf16|fp32", "type of matmul inputs and activations (default auto)", 0},
    {"device", "auto|cpu|cuda", "where tensors live", 0},
    {"isa", "auto|avx2|avx512|avx512_bf16|amx", "instruction set of the CPU's arithmetic", 0},
    {"clips", "N", "clips a step, over all ranks", 0},
    {"micro-batch", "N", "clips a rank runs at once; 0 = all of its share", 0},
    {"tp", "N", "ranks of the tensor axis (default 1)", 0},
    {"cp", "N", "ranks of the context axis (default 1)", 0},
    {"zero", "0|1|2|3", "what replicas share out, as dist.zero (default 0)", 0},
    {"overlap", "on|off|both", "replicas communicate while they compute; both: in turn", 0},
    {"threads", "N", "CPU threads of a rank; 0 shares the cores", 0},
    {"warmup", "N", "steps before the clock starts (default 3)", 0},
    {"steps", "N", "steps timed (default 5); the median counts", 0},
    {"peak-tflops", "X",
     "rate to hold the step against besides the measured one (the data sheet's)", 0},
    {"set", "KEY=VALUE", "override one knob of the preset", ORR_OPTION_REPEATED},
    {"machine", "FILE", "foretell the step from that machine file, too (docs/plan.md)", 0},
    {"recompute", NULL, "run each block's forward pass again in the backward pass", 0},
    {"eager", NULL, "start every kernel anew instead of replaying a CUDA graph", 0},
    {0}};
static const orr_command command = {"bench step", "", 0, 0, "Times whole training steps.", options};

// One figure a step.
typedef struct {
  int64_t n;
  double *ms;
  double *exposed_ms;        // in all calls between replicas
  double *cpu_ms;            // computing time of the thread that runs the step
  double *part[TRAIN_TIMED]; // of the step
} timing;

// A step that was issued, until its time is known.
typedef struct {
  timing *t; // NULL = not timed
  double exposed_ms, cpu_ms;
  bool issued;
} pending_step;

typedef struct {
  cfg *c;
  dist_world *world;
  train_axes axes;
  kern *k;
  train_step work;
  data_clip_batch *batch;
  int64_t warmup, steps;
  const char *overlap;
  const char *machine;     // file to foretell from; NULL = none
  train_estimate foretold; // by it
  kern_dtype act;          // of activations
  double peak, sheet; // FLOP/s: measured here, and of the data sheet or --peak-tflops (0 = unknown)
  timing with, without; // of what replicas say to each other overlapping with the step
  pending_step pending;
  int64_t step; // issued so far
} bench;

static orr_code read_settings(const orr_args *a, bench *b) {
  ORR_TRY(cfg_create(&b->c));
  ORR_TRY(train_bench_preset(orr_args_text(a, "preset", "small"), b->c));
  char text[128];
  snprintf(text, sizeof text, "run.precision=%s", orr_args_text(a, "precision", "auto"));
  ORR_TRY(cfg_set(b->c, text));
  snprintf(text, sizeof text, "run.device=%s", orr_args_text(a, "device", "auto"));
  ORR_TRY(cfg_set(b->c, text));
  snprintf(text, sizeof text, "run.isa=%s", orr_args_text(a, "isa", "auto"));
  ORR_TRY(cfg_set(b->c, text));
  ORR_TRY(orr_args_i64(a, "clips", 1, 1048576, &b->c->train.batch));
  ORR_TRY(orr_args_i64(a, "micro-batch", 0, 1048576, &b->c->train.micro_batch));
  ORR_TRY(orr_args_i64(a, "threads", 0, 4096, &b->c->run.threads));
  ORR_TRY(orr_args_i64(a, "tp", 1, 1024, &b->c->dist.tp));
  ORR_TRY(orr_args_i64(a, "cp", 1, 1024, &b->c->dist.cp));
  ORR_TRY(orr_args_i64(a, "zero", 0, 3, &b->c->dist.zero));
  b->overlap = orr_args_text(a, "overlap", "on");
  ORR_CHECK(strcmp(b->overlap, "on") == 0 || strcmp(b->overlap, "off") == 0 ||
                strcmp(b->overlap, "both") == 0,
            ORR_ECONFIG, "--overlap is '%s': wanted on, off or both", b->overlap);
  if (orr_args_flag(a, "recompute")) b->c->train.recompute = CFG_RECOMPUTE_ALL;
  for (int i = 0; orr_args_nth(a, "set", i); i++) ORR_TRY(cfg_set(b->c, orr_args_nth(a, "set", i)));
  b->machine = orr_args_text(a, "machine", NULL);
  // what was captured overlaps as it did then
  b->c->run.capture = !orr_args_flag(a, "eager") && strcmp(b->overlap, "both") != 0;
  b->warmup = 3; // as it is, and two captures
  b->steps = 5;
  ORR_TRY(orr_args_i64(a, "warmup", 0, 1000000, &b->warmup));
  ORR_TRY(orr_args_f64(a, "peak-tflops", 0.0, 1e9, &b->sheet));
  return orr_args_i64(a, "steps", 1, 1000000, &b->steps);
}

static orr_code timing_create(timing *t, int64_t steps) {
  t->ms = orr_calloc((3 + TRAIN_TIMED) * (size_t)steps, sizeof *t->ms);
  ORR_CHECK(t->ms, ORR_ENOMEM, "bench: out of memory");
  t->exposed_ms = t->ms + steps;
  t->cpu_ms = t->exposed_ms + steps;
  for (int i = 0; i < TRAIN_TIMED; i++) t->part[i] = t->ms + (3 + i) * steps;
  return ORR_OK;
}

static orr_code foretell(bench *b) {
  train_machine m;
  orr_code rc = train_machine_read(b->machine, &m);
  if (rc == ORR_OK) rc = train_estimate_step(&b->work, &m, &b->foretold);
  train_machine_release(&m);
  return rc;
}

static orr_code prepare(bench *b) {
  cfg *c = b->c;
  ORR_TRY(train_device_open(c, b->world, &b->k));
  b->act = train_precision(c);
  train_axes_init(&b->axes, &b->world->grid, b->world);
  ORR_TRY(train_axes_use_device(&b->axes, b->k, b->world, c));
  ORR_TRY(train_step_plan(&b->work, c, &b->axes, b->k));
  train_device_tell_attention(b->world, b->k);
  if (b->machine) ORR_TRY(foretell(b));
  ORR_TRY(train_peak_plan(b->k, b->act));
  ORR_TRY(train_step_commit(&b->work));
  ORR_TRY(train_peak_measure(b->k, b->act, &b->peak));
  b->sheet = b->sheet > 0.0 ? 1e12 * b->sheet : train_peak_data_sheet(b->k, b->act);
  ORR_TRY(train_state_fill(&b->work.state, 1));
  ORR_TRY(timing_create(&b->with, b->steps));
  ORR_TRY(timing_create(&b->without, b->steps));
  return train_bench_synthetic(c, &b->world->grid, b->work.clips, &b->batch);
}

static int end_mark(int64_t step) {
  return TRAIN_MARK_END + (int)(step & 1);
}

// The time of step number `step`, from the end of the one before to its own.
static orr_code note_step(bench *b, int64_t step) {
  timing *t = b->pending.t;
  train_step_result x;
  double ms;
  if (!b->pending.issued) return ORR_OK;
  b->pending.issued = false;
  ORR_TRY(train_step_results(&b->work, &x));
  ORR_TRY(kern_await(b->k, end_mark(step)));
  ORR_TRY(kern_elapsed(b->k, end_mark(step - 1), end_mark(step), &ms));
  if (!t) return ORR_OK;
  t->ms[t->n] = ms;
  for (int i = 0; i < TRAIN_TIMED; i++) t->part[i][t->n] = x.timed_ms[i];
  t->cpu_ms[t->n] = b->pending.cpu_ms;
  t->exposed_ms[t->n++] = b->pending.exposed_ms;
  return ORR_OK;
}

// One step, timed into t (NULL = not at all); it runs while the next one is issued, as in training.
static orr_code one_step(bench *b, timing *t) {
  const dist_comm *replicas = b->world->axis[DIST_AXIS_REPLICA];
  const double before_ms = dist_comm_traffic(replicas).ms;
  const train_step_request q = {
      .step = ++b->step, .lr = 1e-4, .most_loss = INFINITY, .most_norm = INFINITY};
  const int64_t cpu_ns = orr_clock_cpu_ns();
  ORR_TRY(train_step_run(&b->work, b->batch, &q));
  const double cpu_ms = 1e-6 * (double)(orr_clock_cpu_ns() - cpu_ns);
  const double exposed_ms = dist_comm_traffic(replicas).ms - before_ms;
  ORR_TRY(note_step(b, b->step - 1));
  b->pending = (pending_step){.t = t, .exposed_ms = exposed_ms, .cpu_ms = cpu_ms, .issued = true};
  return kern_mark(b->k, end_mark(b->step));
}

static json_t *parts_of(timing *t) {
  json_t *j = json_object();
  for (int i = 0; i < TRAIN_TIMED; i++)
    json_object_set_new(j, train_timed_name((train_timed)i),
                        json_real(orr_median_f64(t->part[i], t->n)));
  return j;
}

// What the step is held against besides the measured rate; null where nobody says.
static bool add_sheet(const bench *b, double flops, json_t *j) {
  const double sheet = b->sheet * b->world->grid.ranks;
  return json_object_set_new(j, "sheet_tflops",
                             sheet > 0.0 ? json_real(sheet / 1e12) : json_null()) == 0 &&
         json_object_set_new(j, "mfu_sheet",
                             sheet > 0.0 ? json_real(flops / sheet) : json_null()) == 0;
}

// "with" is what is printed under the plain names; where both were timed, the other follows.
static orr_code print_result(bench *b, const char *name) {
  timing *t = b->with.n ? &b->with : &b->without;
  const double ms = orr_median_f64(t->ms, t->n), clips = (double)b->c->train.batch, s = 1e-3 * ms;
  const double flops = clips * b->work.stage->flops_per_clip / s;
  ORR_TRY(train_peak_raise(b->k, b->act, flops / b->world->grid.ranks, &b->peak));
  json_t *j = json_pack(
      "{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:I, s:f, s:s, "
      "s:f}",
      "bench", "step", "preset", name, "precision",
      b->c->run.precision == CFG_PRECISION_BF16 ? "bf16" : "fp32", "device", b->k->table->name,
      "isa", b->k->isa, "ranks", b->world->grid.ranks, "threads", b->k->threads, "step_ms", ms,
      "step_ms_min", t->ms[0], "tokens_per_s", clips * b->work.stage->tokens_per_clip / s,
      "matmul_tflops", flops / 1e12, "peak_tflops", b->peak * b->world->grid.ranks / 1e12, "mfu",
      flops / (b->peak * b->world->grid.ranks), "parts_ms", parts_of(t), "captured",
      (json_int_t)train_capture_captured(b->work.replay), "comm_ms",
      orr_median_f64(t->part[TRAIN_TIMED_COMMUNICATION], t->n), "overlap", b->overlap, "exposed_ms",
      orr_median_f64(t->exposed_ms, t->n));
  bool whole = j != NULL && add_sheet(b, flops, j);
  if (whole)
    whole = json_object_set_new(j, "cpu_ms", json_real(orr_median_f64(t->cpu_ms, t->n))) == 0;
  if (whole && b->machine)
    whole = json_object_set_new(j, "foretold_ms", json_real(1e3 * b->foretold.step_s)) == 0;
  if (whole && b->with.n && b->without.n) {
    json_t *other = json_pack("{s:f, s:f}", "step_ms", orr_median_f64(b->without.ms, b->without.n),
                              "exposed_ms", orr_median_f64(b->without.exposed_ms, b->without.n));
    whole = json_object_set_new(j, "without_overlap", other) == 0;
  }
  if (whole) return train_bench_print(j);
  json_decref(j);
  return train_bench_print(NULL);
}

// One step in every mode asked for, in turn, so that a busy moment hits all of them alike.
static orr_code one_round(bench *b, bool timed) {
  for (int overlap = 1; overlap >= 0; overlap--) {
    if (strcmp(b->overlap, overlap ? "off" : "on") == 0) continue;
    train_step_overlap(&b->work, overlap);
    ORR_TRY(one_step(b, !timed ? NULL : overlap ? &b->with : &b->without));
  }
  return ORR_OK;
}

// The slowest rank's time is the step's.
static orr_code slowest(dist_comm *all, timing *t) {
  ORR_TRY(dist_all_reduce(all, t->ms, t->n, DIST_F64, DIST_MAX));
  for (int i = 0; i < TRAIN_TIMED; i++)
    ORR_TRY(dist_all_reduce(all, t->part[i], t->n, DIST_F64, DIST_MAX));
  return dist_all_reduce(all, t->exposed_ms, t->n, DIST_F64, DIST_MAX);
}

static orr_code run(bench *b, const char *name) {
  const cfg *c = b->c;
  ORR_TRY(dist_world_split_shards(b->world, (int)c->dist.tp, (int)c->dist.cp, 0,
                                  c->dist.zero ? (int)c->dist.shard : 0));
  dist_comm *all = b->world->axis[DIST_AXIS_WORLD];
  ORR_TRY(dist_agree(all, prepare(b), "prepare the bench"));
  ORR_TRY(kern_mark(b->k, end_mark(0)));
  for (int64_t i = 0; i < b->warmup + b->steps; i++) {
    ORR_TRY(train_bench_end_all(b->world, one_round(b, i >= b->warmup)));
    ORR_TRY(dist_barrier(all));
  }
  ORR_TRY(note_step(b, b->step));
  ORR_TRY(slowest(all, &b->with));
  ORR_TRY(slowest(all, &b->without));
  return b->world->grid.rank == 0 ? print_result(b, name) : ORR_OK;
}

orr_code train_cmd_bench_step(int argc, char **argv) {
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  bench b = {0};
  ORR_TRY(dist_world_open(&b.world));
  orr_log_setup(ORR_LOG_INFO, b.world->grid.rank, b.world->grid.ranks);
  orr_code rc =
      dist_agree(b.world->axis[DIST_AXIS_WORLD], read_settings(&args, &b), "read settings");
  if (rc == ORR_OK) rc = run(&b, orr_args_text(&args, "preset", "small"));
  data_clip_batch_destroy(b.batch);
  orr_free(b.without.ms);
  orr_free(b.with.ms);
  train_step_leave_device(&b.work, b.world);
  train_step_release(&b.work);
  kern_destroy(b.k);
  cfg_destroy(b.c);
  dist_world_close(b.world);
  return rc;
}
