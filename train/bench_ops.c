// Ops one by one, median of several runs, with warm caches as in a step. Matrix products and
// attention are given in floating-point operations a second; ops that only pass over memory in
// bytes a second, and as the share of a copy that moves as many bytes (up to what a tensor holds)
// on the same device in the same minute: small ones stay in its caches, those of a copy as well.
#include "train/bench_ops.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "kernels/kern.h"
#include "train/args.h"
#include "train/bench.h"

// One clip batch of the small preset: B 8, T 16, N 68.
enum { CLIPS = 8, FRAMES = 16, TOKENS = 68, ROWS = CLIPS * FRAMES * TOKENS, WIDEST = 1536 };
enum { HEADS = 4, HEAD_WIDTH = 64, WIDTH = 256, HIDDEN = 768, CODES = 1000, XENT_ROWS = 1024 };
enum { BUFFERS = 8, WARM_RUNS = 2, LEAST_RUNS = 5, MOST_RUNS = 100, DEVICE_RUNS = 10 };
#define RUN_MS       120.0
#define BUFFER_BYTES ((size_t)ROWS * WIDEST * sizeof(float))

typedef orr_code (*op_run)(kern *k, const void *args);
// clang-format off
#define BENCH_OPS(X)                                                                               \
  X(matmul_fwd) X(matmul_bwd_x) X(matmul_bwd_w) X(attention_fwd) X(attention_bwd) X(rmsnorm_fwd)   \
  X(rmsnorm_bwd) X(qknorm_rope_fwd) X(qknorm_rope_bwd) X(swiglu_fwd) X(swiglu_bwd) X(xent_stats)   \
  X(xent_grad) X(adamw) X(sumsq) X(fingerprint) X(gather_rows) X(cast) X(copy)
// clang-format on
#define RUN_OP(op)                                                                                 \
  static orr_code run_##op(kern *k, const void *args) {                                            \
    return kern_##op(k, args);                                                                     \
  }
BENCH_OPS(RUN_OP)
#undef RUN_OP

// The numbers that ops read from, or leave in, the device's memory.
typedef struct {
  kern_verdict verdict;
  kern_adamw_rates rates;
  float scale;
  double loss;
  uint64_t fingerprint;
} numbers;

typedef struct {
  kern_dtype type;
  kern_device device;
  int threads;
  kern *home;       // whose memory the tensors lie in
  void *t[BUFFERS]; // tensors of `type`, or float32: ROWS * WIDEST floats each
  float *table;     // cos, sin
  int32_t *index;   // ROWS
  numbers *numbers;
  json_t *ops;
} bench;

// Median time of a run. A device is given several runs at a time, so that their starts hide behind
// one another as in a step.
static double median_ms(kern *k, op_run run, const void *args, orr_code *rc) {
  const int each = k->apart ? DEVICE_RUNS : 1;
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

// Bytes a second of a copy within device memory that reads and writes `bytes` together.
static orr_code copy_rate(const bench *b, kern *k, double bytes, double *gb_s) {
  orr_code rc = ORR_OK;
  kern_copy_args a = {.dst = b->t[0], .src = b->t[1], .way = KERN_COPY_WITHIN};
  a.bytes = bytes / 2 < (double)BUFFER_BYTES ? (size_t)(bytes / 2) : BUFFER_BYTES;
  const double ms = median_ms(k, run_copy, &a, &rc);
  *gb_s = 2.0 * (double)a.bytes / (ms * 1e6);
  return rc;
}

static orr_code report(bench *b, kern *k, json_t *row, double work, double rate) {
  double copy;
  ORR_CHECK(row && json_array_append_new(b->ops, row) == 0, ORR_ENOMEM,
            "bench: no memory for the report");
  if (!json_object_get(row, "gb_s")) {
    fprintf(stderr, "\n");
    return ORR_OK;
  }
  ORR_TRY(copy_rate(b, k, work, &copy));
  fprintf(stderr, "  %5.2f of a copy's %.1f\n", rate / copy, copy);
  ORR_CHECK(json_object_set_new(row, "copy_gb_s", json_real(copy)) == 0 &&
                json_object_set_new(row, "of_copy", json_real(rate / copy)) == 0,
            ORR_ENOMEM, "bench: no memory for the report");
  return ORR_OK;
}

// Plans, runs and reports one op. work: floating-point operations, or bytes for the memory-bound.
static orr_code measure(bench *b, const char *op, const char *shape, op_run run, const void *args,
                        const char *unit, double work) {
  orr_code rc;
  kern *k;
  ORR_TRY(kern_open(
      &(kern_setup){.device = b->device, .threads = b->threads, .node_ranks = 1, .tune = true},
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

#define MEASURE(b, op, shape, unit, work, ...)                                                     \
  ORR_TRY(measure((b), #op, (shape), run_##op, &(kern_##op##_args)__VA_ARGS__, (unit), (work)))

static orr_code bench_matmul(bench *b, int64_t M, int64_t N, int64_t K) {
  char shape[48];
  snprintf(shape, sizeof shape, "%" PRId64 "x%" PRId64 "x%" PRId64, M, N, K);
  const double flops = 2.0 * (double)(M * N * K);
  const kern_dtype type = b->type;
  // The logits stay float32.
  const kern_dtype y_type = N == CODES ? KERN_F32 : type;
  MEASURE(b, matmul_fwd, shape, "GFLOP/s", flops,
          {.type = type,
           .y_type = y_type,
           .M = M,
           .N = N,
           .K = K,
           .x = b->t[0],
           .w = b->t[1],
           .y = b->t[2]});
  MEASURE(b, matmul_bwd_x, shape, "GFLOP/s", flops,
          {.type = type, .M = M, .N = N, .K = K, .dy = b->t[0], .w = b->t[1], .dx = b->t[2]});
  MEASURE(b, matmul_bwd_w, shape, "GFLOP/s", flops,
          {.type = type, .M = M, .N = N, .K = K, .dy = b->t[0], .x = b->t[1], .dw = b->t[3]});
  return ORR_OK;
}

static orr_code bench_matmuls(bench *b) {
  static const int64_t shapes[][3] = {
      {ROWS, 768, 256},     {ROWS, 256, 256},     {ROWS, 1536, 256},     {ROWS, 256, 768},
      {ROWS / 4, 768, 256}, {ROWS / 4, 256, 256}, {ROWS / 4, 1536, 256}, {ROWS / 4, 256, 768},
      {1024, CODES, 256},   {ROWS, 384, 128},     {ROWS, 768, 128},      {ROWS, 576, 192},
      {ROWS, 1152, 192},    {ROWS, 192, 576},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    ORR_TRY(bench_matmul(b, shapes[i][0], shapes[i][1], shapes[i][2]));
  return ORR_OK;
}

// One block's attention. In a time block position t of sequence (clip, n) is row (clip T + t) N +
// n.
static orr_code bench_attention(bench *b, bool time) {
  enum { LD = HEADS * HEAD_WIDTH };
  const int64_t L = time ? FRAMES : TOKENS, seqs = ROWS / L;
  const int64_t inner = time ? TOKENS : 1, outer = time ? FRAMES * TOKENS : TOKENS;
  const int64_t pos = time ? TOKENS : 1;
  const double product = 2.0 * (double)(seqs * HEADS * L * L * HEAD_WIDTH);
  const char *shape = time ? "time 544x16x4x64" : "space 128x68x4x64";
  float *lse = b->t[4];
  MEASURE(b, attention_fwd, shape, "GFLOP/s", 2 * product,
          {.type = b->type,
           .seqs = seqs,
           .L = L,
           .H = HEADS,
           .G = HEADS,
           .K = HEAD_WIDTH,
           .inner = inner,
           .outer_stride = outer,
           .inner_stride = 1,
           .pos_stride = pos,
           .q = b->t[0],
           .k = b->t[1],
           .v = b->t[2],
           .ldq = LD,
           .ldk = LD,
           .ldv = LD,
           .ldo = LD,
           .causal = time,
           .o = b->t[3],
           .lse = lse});
  MEASURE(b, attention_bwd, shape, "GFLOP/s", 5 * product,
          {.type = b->type,
           .seqs = seqs,
           .L = L,
           .H = HEADS,
           .G = HEADS,
           .K = HEAD_WIDTH,
           .inner = inner,
           .outer_stride = outer,
           .inner_stride = 1,
           .pos_stride = pos,
           .q = b->t[0],
           .k = b->t[1],
           .v = b->t[2],
           .o = b->t[3],
           .do_ = b->t[5],
           .ldq = LD,
           .ldk = LD,
           .ldv = LD,
           .ldo = LD,
           .dq = b->t[6],
           .dk = b->t[6],
           .dv = b->t[7],
           .lddq = LD,
           .lddk = LD,
           .lddv = LD,
           .causal = time,
           .lse = lse});
  return ORR_OK;
}

// Norms, rotary embedding and SwiGLU of one block.
static orr_code bench_block_ops(bench *b) {
  const kern_dtype type = b->type;
  const double e = (double)kern_dtype_size(type), row = ROWS * e;
  float *w = b->t[6], *rstd = b->t[4], *dw = b->t[7];
  MEASURE(b, rmsnorm_fwd, "8704x256", "GB/s", row * WIDTH * 2,
          {.type = type, .M = ROWS, .D = WIDTH, .x = b->t[0], .w = w, .y = b->t[1], .rstd = rstd});
  MEASURE(b, rmsnorm_bwd, "8704x256", "GB/s", row * WIDTH * 4,
          {.type = type,
           .M = ROWS,
           .D = WIDTH,
           .dy = b->t[0],
           .x = b->t[1],
           .w = w,
           .rstd = rstd,
           .add = b->t[2],
           .dx = b->t[2],
           .dw = dw});
  MEASURE(b, qknorm_rope_fwd, "8704x8x64", "GB/s", row * 2 * HEADS * HEAD_WIDTH * 2,
          {.type = type,
           .M = ROWS,
           .H = HEADS,
           .G = HEADS,
           .K = HEAD_WIDTH,
           .qkv = b->t[0],
           .q_w = w,
           .k_w = w,
           .cos = b->table,
           .sin = b->table,
           .pos_div = 1,
           .pos_mod = TOKENS,
           .qk = b->t[1],
           .rstd = rstd});
  MEASURE(b, qknorm_rope_bwd, "8704x8x64", "GB/s", row * 2 * HEADS * HEAD_WIDTH * 3,
          {.type = type,
           .M = ROWS,
           .H = HEADS,
           .G = HEADS,
           .K = HEAD_WIDTH,
           .qkv = b->t[0],
           .q_w = w,
           .k_w = w,
           .cos = b->table,
           .sin = b->table,
           .rstd = rstd,
           .pos_div = 1,
           .pos_mod = TOKENS,
           .dqk = b->t[1],
           .dqkv = b->t[2],
           .dq_w = dw,
           .dk_w = dw + HEAD_WIDTH});
  MEASURE(b, swiglu_fwd, "8704x768", "GB/s", row * HIDDEN * 3,
          {.type = type, .M = ROWS, .F = HIDDEN, .gu = b->t[0], .h = b->t[1]});
  MEASURE(b, swiglu_bwd, "8704x768", "GB/s", row * HIDDEN * 5,
          {.type = type, .M = ROWS, .F = HIDDEN, .gu = b->t[0], .dh = b->t[1], .dgu = b->t[2]});
  return ORR_OK;
}

// The loss and the optimizer.
static orr_code bench_step_ops(bench *b) {
  const kern_dtype type = b->type;
  const int64_t n = 7 * 1000 * 1000;
  const double e = (double)kern_dtype_size(type), logits = (double)XENT_ROWS * CODES;
  float *largest = b->t[4], *sum = largest + XENT_ROWS, *target = sum + XENT_ROWS;
  MEASURE(b, xent_stats, "1024x1000", "GB/s", logits * 4,
          {.M = XENT_ROWS,
           .V = CODES,
           .logits = b->t[3],
           .target = b->index,
           .largest = largest,
           .sum = sum,
           .target_logit = target});
  MEASURE(b, xent_grad, "1024x1000", "GB/s", logits * (4 + e),
          {.type = type,
           .M = XENT_ROWS,
           .V = CODES,
           .logits = b->t[3],
           .target = b->index,
           .largest = largest,
           .sum = sum,
           .target_logit = target,
           .z_loss = 1e-4f,
           .scale = &b->numbers->scale,
           .loss_sum = &b->numbers->loss,
           .dlogits = b->t[0]});
  MEASURE(b, adamw, "7000000", "GB/s", (double)n * (7 * 4 + 2),
          {.n = n,
           .w = b->t[2],
           .g = b->t[3],
           .m = b->t[5],
           .v = b->t[7],
           .w_bf16 = b->t[6],
           .beta1 = 0.9f,
           .beta2 = 0.95f,
           .eps = 1e-8f,
           .weight_decay = 0.1f,
           .rates = &b->numbers->rates,
           .verdict = &b->numbers->verdict});
  MEASURE(b, sumsq, "7000000", "GB/s", (double)n * 4,
          {.n = n, .x = b->t[3], .sum = &b->numbers->loss});
  MEASURE(b, fingerprint, "7000000", "GB/s", (double)n * 4,
          {.n = n, .x = b->t[3], .sum = &b->numbers->fingerprint});
  MEASURE(b, gather_rows, "8704x256", "GB/s", ROWS * WIDTH * 2 * e,
          {.type = type, .M = ROWS, .D = WIDTH, .x = b->t[0], .index = b->index, .y = b->t[1]});
  MEASURE(b, cast, "7000000", "GB/s", (double)n * 6,
          {.n = n, .from = KERN_F32, .to = KERN_BF16, .x = b->t[3], .y = b->t[0]});
  return ORR_OK;
}

// Host memory `from` into new device memory.
static orr_code place(bench *b, const void *from, size_t bytes, void **out) {
  ORR_TRY(kern_alloc(b->home, KERN_DEVICE, bytes, "bench", out));
  ORR_TRY(kern_copy(b->home, &(kern_copy_args){*out, from, bytes, KERN_COPY_IN}));
  return kern_sync(b->home); // the caller goes on to write to `from`
}

static orr_code place_tensors(bench *b, void *staging) {
  numbers few = {.verdict = {.scale = 1.0f}, .scale = 1e-3f};
  int32_t *index = staging;
  uint16_t *half = staging;
  memset(staging, 0, TOKENS * HEAD_WIDTH * sizeof(float));
  ORR_TRY(place(b, staging, TOKENS * HEAD_WIDTH * sizeof(float), (void **)&b->table));
  for (int64_t i = 0; i < ROWS; i++) index[i] = (int32_t)(i * 7 % CODES);
  ORR_TRY(place(b, index, ROWS * sizeof *index, (void **)&b->index));
  ORR_TRY(kern_adamw_rates_of(1e-4, 0.9, 0.95, 10, &few.rates));
  ORR_TRY(place(b, &few, sizeof few, (void **)&b->numbers));
  // Ordinary positive values whichever type an op takes them for: both halves of a float32 are
  // a bfloat16 near 0.1.
  for (int64_t j = 0; j < 2 * (int64_t)ROWS * WIDEST; j++)
    half[j] = (uint16_t)(0x3dc0 + j * 37 % 61);
  for (int i = 0; i < BUFFERS; i++) ORR_TRY(place(b, half, BUFFER_BYTES, &b->t[i]));
  return ORR_OK;
}

static orr_code bench_create(bench *b) {
  ORR_TRY(kern_create(b->device, b->threads, &b->home));
  ORR_TRY(kern_commit(b->home));
  b->ops = json_array();
  void *staging = orr_malloc(BUFFER_BYTES);
  orr_code rc = b->ops && staging ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "bench: no memory for tensors");
  if (rc == ORR_OK) rc = place_tensors(b, staging);
  orr_free(staging);
  return rc;
}

static void bench_release(bench *b) {
  if (b->home) {
    for (int i = 0; i < BUFFERS; i++) kern_free(b->home, KERN_DEVICE, b->t[i]);
    kern_free(b->home, KERN_DEVICE, b->numbers);
    kern_free(b->home, KERN_DEVICE, b->index);
    kern_free(b->home, KERN_DEVICE, b->table);
  }
  kern_destroy(b->home);
  json_decref(b->ops);
}

static orr_code bench_all(bench *b) {
  MEASURE(b, copy, "8704x1536", "GB/s", 2.0 * (double)BUFFER_BYTES,
          {.dst = b->t[0], .src = b->t[1], .bytes = BUFFER_BYTES, .way = KERN_COPY_WITHIN});
  ORR_TRY(bench_matmuls(b));
  ORR_TRY(bench_attention(b, false));
  ORR_TRY(bench_attention(b, true));
  ORR_TRY(bench_block_ops(b));
  return bench_step_ops(b);
}

static orr_code print_json(const bench *b) {
  const kern *k = b->home;
  return train_bench_print(json_pack(
      "{s:s, s:s, s:i, s:s, s:s, s:O, s:O}", "bench", "ops", "device", k->table->name, "threads",
      k->threads, "precision", b->type == KERN_BF16 ? "bf16" : "fp32", "isa", k->isa, "copy_gb_s",
      json_object_get(json_array_get(b->ops, 0), "gb_s"), "ops", b->ops));
}

orr_code train_cmd_bench_ops(int argc, char **argv) {
  static const char *const devices[] = {"auto", "cpu", "cuda"};
  static const train_option options[] = {{"threads", "N", "threads; 0 = all cores", 0},
                                         {"device", "auto|cpu|cuda", "where ops run (cpu)", 0},
                                         {"precision", "P", "bf16 or fp32 (bf16)", 0},
                                         {0}};
  static const train_command command = {"bench ops", "", 0, 0, "times every op", options};
  train_args args;
  bench b = {.type = KERN_BF16};
  int64_t threads = 0;
  ORR_TRY(train_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  ORR_TRY(train_args_i64(&args, "threads", 0, 4096, &threads));
  const char *precision = train_args_text(&args, "precision", "bf16");
  ORR_CHECK(strcmp(precision, "bf16") == 0 || strcmp(precision, "fp32") == 0, ORR_ECONFIG,
            "bench ops: precision '%s'; give bf16 or fp32", precision);
  b.type = strcmp(precision, "bf16") == 0 ? KERN_BF16 : KERN_F32;
  const char *device = train_args_text(&args, "device", "cpu");
  while (b.device < 3 && strcmp(device, devices[b.device]) != 0) b.device++;
  ORR_CHECK(b.device < 3, ORR_ECONFIG, "bench ops: device '%s'; give auto, cpu or cuda", device);
  b.threads = (int)threads;
  orr_code rc = bench_create(&b);
  if (rc == ORR_OK) rc = bench_all(&b);
  if (rc == ORR_OK) rc = print_json(&b);
  bench_release(&b);
  return rc;
}
