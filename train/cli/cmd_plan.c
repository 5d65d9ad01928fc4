// `orrery plan`: which layouts of a configuration fit a machine, and how long they take
// (docs/plan.md). Local.
#include "train/cli/cmd.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/log.h"
#include "base/fs.h"
#include "configs/config.h"
#include "train/cli/config_args.h"
#include "train/cli/plan_failures.h"
#include "train/model/precision.h"
#include "train/plan/layouts.h"

static const orr_option options[] = {
    {"gpus", "N", "ranks, one a GPU", 0},
    {"memory", "GB", "of a GPU, 1e9 bytes; default: the machine file's", 0},
    {"machine", "FILE", "what the machine can do (configs/machines/, orrery bench machine --out)",
     0},
    {"set", "KEY=VALUE", "override one knob of the configuration", ORR_OPTION_REPEATED},
    {"tp", "N", "look at layouts of this dist.tp alone", 0},
    {"cp", "N", "of this dist.cp alone", 0},
    {"zero", "0|1|2|3", "of this dist.zero alone", 0},
    {"price", "USD", "of a GPU for an hour: the table tells what train.steps cost, too", 0},
    {"top", "N", "layouts to show (default 12)", 0},
    {"json", "FILE", "write all that fit there", 0},
    TRAIN_PLAN_FAILURE_OPTIONS,
    {0}};
static const orr_command command = {
    "plan",
    "CONFIG.yaml",
    1,
    1,
    "Lists the layouts that fit, with their bytes and the time of a step on that machine.",
    options};

typedef struct {
  cfg *c;
  train_machine m;
  train_plan_request q;
  train_plan plan;
  double price; // USD of a GPU for an hour; 0: not told
  int64_t top;
} planning;

static double exposed_of(const train_estimate *t) {
  double s = 0.0;
  for (int a = 0; a < DIST_AXES; a++) s += t->exposed_s[a];
  return s;
}

static double days_of(const planning *p, const train_plan_row *r) {
  return r->time.step_s * (double)p->c->train.steps / 86400.0;
}

static double mwh_of(const planning *p, const train_plan_row *r) {
  return days_of(p, r) * 24.0 * p->m.watts * p->q.ranks * 1e-6;
}

static double usd_of(const planning *p, const train_plan_row *r) {
  return days_of(p, r) * 24.0 * p->price * p->q.ranks;
}

static const char *recompute_word(int r) {
  static const char *const words[] = {"none", "cheap", "all"};
  return words[r];
}

static void print_row(const planning *p, const train_plan_row *r) {
  const train_layout *l = &r->layout;
  const double *phase = r->time.phase_s;
  printf("%4d %3d %5d %4d %5d %5" PRId64 " %-9s %15" PRIu64
         " %7.1f %9.1f %8.1f %8.1f %7.1f %7.1f %7.1f "
         "%5.1f%% %8.2f",
         l->tp, l->cp, l->dp, l->zero, l->shard, l->micro, recompute_word(l->recompute), r->bytes,
         (double)r->bytes / 1e9, 1e3 * r->time.step_s, 1e3 * phase[TRAIN_TIMED_FORWARD],
         1e3 * phase[TRAIN_TIMED_BACKWARD], 1e3 * phase[TRAIN_TIMED_COMMUNICATION],
         1e3 * phase[TRAIN_TIMED_OPTIMIZER], 1e3 * exposed_of(&r->time), 1e2 * r->mfu,
         days_of(p, r));
  if (p->m.watts > 0.0) printf(" %8.2f", mwh_of(p, r));
  if (p->price > 0.0) printf(" %11.0f", usd_of(p, r));
  printf("\n");
}

static void print_table(const planning *p) {
  printf("  tp  cp    dp zero shard micro recompute           bytes      GB   step ms  forward "
         "backward   "
         "comm.  optim. exposed    MFU     days%s%s\n",
         p->m.watts > 0.0 ? "      MWh" : "", p->price > 0.0 ? "         USD" : "");
  for (int i = 0; i < p->plan.count && i < p->top; i++) print_row(p, &p->plan.rows[i]);
}

// Where one layout loses most against another: a phase, or waiting for an axis.
static void print_difference(const train_plan_row *best, const train_plan_row *other) {
  const char *what = "its ops";
  double most = 0.0;
  char words[64];
  for (int i = 0; i < TRAIN_TIMED; i++) {
    const double d = other->time.phase_s[i] - best->time.phase_s[i];
    if (d <= most) continue;
    most = d;
    snprintf(words, sizeof words, "the phase '%s'", train_timed_name((train_timed)i));
    what = words;
  }
  for (int a = 0; a < DIST_AXES; a++) {
    const double d = other->time.exposed_s[a] - best->time.exposed_s[a];
    if (d < 0.5 * most || d <= 0.0) continue;
    most = d;
    snprintf(words, sizeof words, "waiting over %s", dist_axis_name((dist_axis)a));
    what = words;
  }
  printf("%.1f %% longer, most of it (%.1f ms) in %s\n",
         1e2 * (other->time.step_s / best->time.step_s - 1.0), 1e3 * most, what);
}

static void print_why(const planning *p) {
  const train_plan_row *best = &p->plan.rows[0];
  const train_layout *l = &best->layout;
  printf("\nbest: --set dist.tp=%d --set dist.cp=%d --set dist.zero=%d --set dist.shard=%d --set "
         "train.micro_batch=%" PRId64 " --set train.recompute=%s\n",
         l->tp, l->cp, l->zero, l->shard, l->micro, recompute_word(l->recompute));
  printf(
      "  %d of %d layouts that were planned fit; it waits %.1f %% of a step for collectives, and "
      "%.0f GB a rank stay free\n",
      p->plan.count, p->plan.planned, 1e2 * exposed_of(&best->time) / best->time.step_s,
      (p->q.memory - (double)best->bytes) / 1e9);
  for (int i = 1; i < p->plan.count; i++) {
    const train_plan_row *r = &p->plan.rows[i];
    if (r->layout.tp == l->tp && r->layout.cp == l->cp && r->layout.zero == l->zero) continue;
    printf("  the next that shares out otherwise, tp %d cp %d zero %d, takes ", r->layout.tp,
           r->layout.cp, r->layout.zero);
    print_difference(best, r);
    return;
  }
}

static json_t *row_json(const planning *p, const train_plan_row *r) {
  json_t *phases = json_object(), *exposed = json_object();
  const train_layout *l = &r->layout;
  for (int i = 0; i < TRAIN_TIMED; i++)
    json_object_set_new(phases, train_timed_name((train_timed)i),
                        json_real(1e3 * r->time.phase_s[i]));
  for (int a = 0; a < DIST_AXES; a++)
    if (r->time.moving_s[a] > 0.0)
      json_object_set_new(exposed, dist_axis_name((dist_axis)a),
                          json_real(1e3 * r->time.exposed_s[a]));
  return json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:s, s:I, s:f, s:o, s:o, s:f, s:f, s:f, s:f}",
                   "tp", l->tp, "cp", l->cp, "dp", l->dp, "zero", l->zero, "shard", l->shard,
                   "micro_batch", (json_int_t)l->micro, "recompute", recompute_word(l->recompute),
                   "bytes", (json_int_t)r->bytes, "step_ms", 1e3 * r->time.step_s, "phase_ms",
                   phases, "exposed_ms", exposed, "mfu", r->mfu, "days", days_of(p, r), "mwh",
                   mwh_of(p, r), "usd", usd_of(p, r));
}

static orr_code write_json(const planning *p, const char *path) {
  json_t *rows = json_array();
  for (int i = 0; i < p->plan.count; i++)
    json_array_append_new(rows, row_json(p, &p->plan.rows[i]));
  json_t *j =
      json_pack("{s:s, s:b, s:i, s:f, s:f, s:f, s:o}", "machine", p->m.name, "measured",
                (int)p->m.measured, "gpus", p->q.ranks, "memory_gb", p->q.memory / 1e9,
                "step_tflop", p->plan.flops / 1e12, "step_tokens", p->plan.tokens, "layouts", rows);
  char *text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
  json_decref(j);
  ORR_CHECK(text, ORR_ENOMEM, "%s: out of memory", path);
  const orr_code rc = orr_fs_write_atomic(path, text, strlen(text));
  free(text);
  return rc;
}

static orr_code check_fit(const planning *p) {
  const train_plan_row *least = &p->plan.least;
  const train_layout *l = &least->layout;
  ORR_CHECK(p->plan.planned > 0 || !p->plan.refused[0], ORR_ECONFIG,
            "plan: no layout is possible: %s", p->plan.refused);
  ORR_CHECK(p->plan.count > 0 || least->bytes == 0, ORR_ECONFIG,
            "plan: nothing fits %.1f GB on %d GPUs; the smallest layout, tp %d cp %d dp %d zero %d "
            "micro-batch %" PRId64
            " recompute %s, takes %.1f GB: more GPUs, a smaller model, shorter "
            "clips, or a smaller train.batch",
            p->q.memory / 1e9, p->q.ranks, l->tp, l->cp, l->dp, l->zero, l->micro,
            recompute_word(l->recompute), (double)least->bytes / 1e9);
  ORR_CHECK(p->plan.count > 0, ORR_ECONFIG,
            "plan: nothing fits %.1f GB on %d GPUs: weights and states alone are larger in every "
            "layout; more GPUs, or a smaller model",
            p->q.memory / 1e9, p->q.ranks);
  return ORR_OK;
}

static orr_code read_request(const orr_args *args, planning *p) {
  const char *machine;
  int64_t gpus = 0;
  double memory = 0.0;
  p->top = 12;
  ORR_TRY(orr_args_require(args, "machine", &machine));
  ORR_TRY(train_machine_read(machine, &p->m));
  ORR_TRY(orr_args_i64(args, "gpus", 1, 1 << 24, &gpus));
  ORR_CHECK(gpus > 0, ORR_ECONFIG, "plan: --gpus N is missing: how many ranks there will be");
  ORR_TRY(orr_args_f64(args, "memory", 1e-6, 1e9, &memory));
  ORR_TRY(orr_args_f64(args, "price", 0.0, 1e6, &p->price));
  ORR_TRY(orr_args_i64(args, "top", 1, 1 << 20, &p->top));
  ORR_CHECK(memory > 0.0 || p->m.memory > 0.0, ORR_ECONFIG,
            "plan: --memory GB is missing, and %s does not tell it", machine);
  int64_t tp = 0, cp = 0, zero = -1;
  ORR_TRY(orr_args_i64(args, "tp", 1, 1024, &tp));
  ORR_TRY(orr_args_i64(args, "cp", 1, 1024, &cp));
  ORR_TRY(orr_args_i64(args, "zero", 0, 3, &zero));
  ORR_TRY(cfg_create(&p->c));
  ORR_TRY(train_config_args(args, args->operand[0], true, p->c));
  if (p->c->run.precision == CFG_PRECISION_AUTO)
    p->c->run.precision = p->m.on_device ? CFG_PRECISION_BF16 : CFG_PRECISION_FP32;
  p->q = (train_plan_request){.c = p->c,
                              .m = &p->m,
                              .ranks = (int)gpus,
                              .memory = memory > 0.0 ? 1e9 * memory : p->m.memory,
                              .tp = (int)tp,
                              .cp = (int)cp,
                              .zero = (int)zero};
  return ORR_OK;
}

static orr_code run(const orr_args *args, planning *p) {
  ORR_TRY(read_request(args, p));
  ORR_TRY(train_plan_make(&p->q, &p->plan));
  ORR_TRY(check_fit(p));
  printf("%s%s, %d ranks of %.1f GB; a step: %.3g TFLOP, %.0f tokens in %.0f clips; %" PRId64
         " steps\n\n",
         p->m.name, p->m.measured ? "" : " (published figures)", p->q.ranks, p->q.memory / 1e9,
         p->plan.flops / 1e12, p->plan.tokens, p->plan.clips, p->c->train.steps);
  print_table(p);
  print_why(p);
  const char *json = orr_args_text(args, "json", NULL);
  if (json) ORR_TRY(write_json(p, json));
  return train_plan_failures(args, p->plan.rows[0].time.step_s, p->q.ranks,
                             days_of(p, &p->plan.rows[0]));
}

orr_code train_cmd_plan(int argc, char **argv) {
  orr_args args;
  planning p = {0};
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  const orr_code rc = run(&args, &p);
  train_plan_release(&p.plan);
  train_machine_release(&p.m);
  cfg_destroy(p.c);
  return rc;
}
