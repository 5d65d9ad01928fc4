// Medians of several runs, with warm caches as in a step. Matrix products and attention are given
// in floating-point operations a second; ops that only pass over memory in bytes a second, and as
// the share of a copy that moves as many bytes (up to what a tensor holds) on the same device in
// the same minute: small ones stay in its caches, those of a copy as well.
#include "train/bench/op_bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "train/bench/bench.h"

enum { WARM_RUNS = 2, LEAST_RUNS = 5, MOST_RUNS = 100, DEVICE_RUNS = 10 };
#define RUN_MS 120.0

train_op_shape train_op_shape_of(const char *before, const int64_t (*n)[4]) {
  train_op_shape t;
  int at = snprintf(t.text, sizeof t.text, "%s", before);
  for (int i = 0; i < 4 && (*n)[i]; i++)
    at += snprintf(t.text + at, sizeof t.text - (size_t)at, "%s%" PRId64, i ? "x" : "", (*n)[i]);
  return t;
}

// Median time of a run. A device is given several runs at a time, so that their starts hide under
// one another as in a step.
static double median_ms(kern *k, train_op_run run, const void *args, orr_code *rc) {
  const int each = k->device_memory ? DEVICE_RUNS : 1;
  double ms[MOST_RUNS], spent = 0, took = 0;
  int n = 0;
  for (int i = 0; i < WARM_RUNS && *rc == ORR_OK; i++) *rc = run(k, args);
  while (*rc == ORR_OK && n < MOST_RUNS && (n < LEAST_RUNS || spent < RUN_MS)) {
    *rc = kern_mark(k, 0);
    for (int i = 0; i < each && *rc == ORR_OK; i++) *rc = run(k, args);
    if (*rc == ORR_OK) *rc = kern_mark(k, 1);
    if (*rc == ORR_OK) *rc = kern_await(k, 1);
    if (*rc == ORR_OK) *rc = kern_elapsed(k, 0, 1, &took);
    ms[n++] = took / each;
    spent += took;
  }
  if (*rc != ORR_OK) return 0;
  return orr_median_f64(ms, n);
}

static orr_code run_copy(kern *k, const void *args) {
  return kern_copy(k, args);
}

// Bytes a second of a copy within device memory that reads and writes `bytes` together.
static orr_code copy_rate(const train_op_bench *b, kern *k, double bytes, double *gb_s) {
  orr_code rc = ORR_OK;
  kern_copy_args a = {.dst = b->t[0], .src = b->t[1], .way = KERN_COPY_WITHIN};
  a.bytes = bytes / 2 < (double)b->buffer_bytes ? (size_t)(bytes / 2) : b->buffer_bytes;
  const double ms = median_ms(k, run_copy, &a, &rc);
  *gb_s = 2.0 * (double)a.bytes / (ms * 1e6);
  return rc;
}

static orr_code report(train_op_bench *b, kern *k, json_t *row, double work, double rate) {
  double copy;
  ORR_CHECK(row && json_array_append_new(b->ops, row) == 0, ORR_ENOMEM,
            "bench: out of memory for the report");
  if (!json_object_get(row, "gb_s")) {
    fprintf(stderr, "\n");
    return ORR_OK;
  }
  ORR_TRY(copy_rate(b, k, work, &copy));
  fprintf(stderr, "  %5.2f of a copy's %.1f\n", rate / copy, copy);
  ORR_CHECK(json_object_set_new(row, "copy_gb_s", json_real(copy)) == 0 &&
                json_object_set_new(row, "of_copy", json_real(rate / copy)) == 0,
            ORR_ENOMEM, "bench: out of memory for the report");
  return ORR_OK;
}

orr_code train_op_bench_measure(train_op_bench *b, const char *op, const char *shape,
                                train_op_run run, const void *args, const char *unit, double work) {
  orr_code rc;
  kern *k;
  ORR_TRY(kern_open(
      &(kern_setup){.device = b->device,
                    .isa = b->isa,
                    .threads = b->threads,
                    .node_ranks = 1,
                    .tune = true,
                    .attention = b->own_attention ? KERN_ATTENTION_OWN : KERN_ATTENTION_AUTO},
      &k));
  ORR_TRY_GOTO(run(k, args), destroy);
  ORR_TRY_GOTO(kern_commit(k), destroy);
  const double ms = median_ms(k, run, args, &rc), rate = work / (ms * 1e6);
  if (rc != ORR_OK) goto destroy;
  fprintf(stderr, "%-18s %-18s %9.3f ms %8.1f %s", op, shape, ms, rate, unit);
  json_t *row = json_pack("{s:s, s:s, s:f, s:f}", "op", op, "shape", shape, "ms", ms,
                          strcmp(unit, "GB/s") == 0 ? "gb_s" : "gflop_s", rate);
  ORR_TRY_GOTO(report(b, k, row, work, rate), destroy);
destroy:
  kern_destroy(k);
  return rc;
}

// Host memory `from` into new device memory.
static orr_code place(train_op_bench *b, const void *from, size_t bytes, void **out) {
  ORR_TRY(kern_alloc(b->home, KERN_DEVICE, bytes, "bench", out));
  ORR_TRY(kern_copy(b->home, &(kern_copy_args){*out, from, bytes, KERN_COPY_IN}));
  return kern_sync(b->home); // the caller goes on to write to `from`
}

static orr_code place_tensors(train_op_bench *b, void *staging) {
  train_op_numbers few = {.verdict = {.scale = 1.0f}, .scale = 1e-3f};
  int32_t *index = staging;
  uint16_t *half = staging;
  const size_t table = (size_t)(b->of->tokens * TRAIN_OP_HEAD_WIDTH) * sizeof(float);
  memset(staging, 0, table);
  ORR_TRY(place(b, staging, table, (void **)&b->table));
  for (int64_t i = 0; i < b->rows; i++) index[i] = (int32_t)(i * 7 % b->of->codes);
  ORR_TRY(place(b, index, (size_t)b->rows * sizeof *index, (void **)&b->index));
  ORR_TRY(kern_adamw_rates_of(1e-4, 0.9, 0.95, 10, &few.rates));
  ORR_TRY(place(b, &few, sizeof few, (void **)&b->numbers));
  // Ordinary positive values whichever type an op takes them for: both halves of a float32 are
  // a bfloat16 near 0.1.
  for (int64_t j = 0; j < (int64_t)(b->buffer_bytes / sizeof *half); j++)
    half[j] = (uint16_t)(0x3dc0 + j * 37 % 61);
  for (int i = 0; i < TRAIN_OP_TENSORS; i++) ORR_TRY(place(b, half, b->buffer_bytes, &b->t[i]));
  return ORR_OK;
}

orr_code train_op_bench_create(train_op_bench *b) {
  b->rows = b->of->clips * b->of->frames * b->of->tokens;
  b->buffer_bytes = (size_t)(b->rows * 2 * b->of->hidden) * sizeof(float);
  ORR_TRY(kern_open(
      &(kern_setup){.device = b->device, .isa = b->isa, .threads = b->threads, .node_ranks = 1},
      &b->home));
  ORR_TRY(kern_commit(b->home));
  b->ops = json_array();
  void *staging = orr_malloc(b->buffer_bytes);
  orr_code rc =
      b->ops && staging ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "bench: out of memory for tensors");
  if (rc == ORR_OK) rc = place_tensors(b, staging);
  orr_free(staging);
  return rc;
}

void train_op_bench_release(train_op_bench *b) {
  if (b->home) {
    for (int i = 0; i < TRAIN_OP_TENSORS; i++) kern_free(b->home, KERN_DEVICE, b->t[i]);
    kern_free(b->home, KERN_DEVICE, b->numbers);
    kern_free(b->home, KERN_DEVICE, b->index);
    kern_free(b->home, KERN_DEVICE, b->table);
  }
  kern_destroy(b->home);
  json_decref(b->optimizer);
  json_decref(b->ops);
}

orr_code train_op_bench_print(const train_op_bench *b) {
  const kern *k = b->home;
  return train_bench_print(
      json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:O, s:O, s:O}", "bench", "ops", "preset",
                b->of->name, "device", k->table->name, "threads", k->threads, "precision",
                b->type == KERN_BF16 ? "bf16" : "fp32", "isa", k->isa, "copy_gb_s",
                json_object_get(json_array_get(b->ops, 0), "gb_s"), "ops", b->ops, "optimizer",
                b->optimizer));
}
