#include "train/bench/ops.h"

#include <stdio.h>
#include <string.h>

#include "kernels/kern.h"
#include "base/args.h"
#include "train/bench/op_bench.h"
#include "train/bench/optimizer.h"

static const train_op_sizes presets[] = {{"small", 8, 16, 68, 4, 4, 256, 768, 1000, 7000000},
                                         {"1b", 1, 64, 288, 30, 3, 1920, 5120, 4096, 100000000}};
enum {
  PRESETS = sizeof presets / sizeof *presets,
  XENT_ROWS = 1024,
  HEAD_WIDTH = TRAIN_OP_HEAD_WIDTH
};

// clang-format off
#define BENCH_OPS(X)                                                                               \
  X(matmul_fwd) X(matmul_bwd_x) X(matmul_bwd_w) X(attention_fwd) X(attention_bwd) X(rmsnorm_fwd)   \
  X(rmsnorm_bwd) X(qknorm_rope_fwd) X(qknorm_rope_bwd) X(swiglu_fwd) X(swiglu_bwd) X(xent_stats)   \
  X(xent_grad) X(adamw) X(muon_blend) X(muon_norm) X(muon_apply) X(sumsq) X(fingerprint) X(gather_rows) X(cast) X(copy)
// clang-format on
#define RUN_OP(op)                                                                                 \
  static orr_code run_##op(kern *k, const void *args) {                                            \
    return kern_##op(k, args);                                                                     \
  }
BENCH_OPS(RUN_OP)
#undef RUN_OP

#define MEASURE(b, op, shape, unit, work, ...)                                                     \
  ORR_TRY(train_op_bench_measure((b), #op, (shape), run_##op, &(kern_##op##_args)__VA_ARGS__,      \
                                 (unit), (work)))

static orr_code bench_matmul(train_op_bench *b, int64_t M, int64_t N, int64_t K) {
  const train_op_shape named = train_op_shape_of("", &(const int64_t[4]){M, N, K});
  const char *shape = named.text;
  const double flops = 2.0 * (double)(M * N * K);
  const kern_dtype type = b->type;
  // The logits stay float32.
  const kern_dtype y_type = N == b->of->codes ? KERN_F32 : type;
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

// Of a block, the head (a chunk), and, at the small preset, of models of its size.
static orr_code bench_matmuls(train_op_bench *b) {
  const train_op_sizes *z = b->of;
  const int64_t rows = b->rows, D = z->width, F = z->hidden,
                qkv = (z->heads + 2 * z->kv_heads) * HEAD_WIDTH, o = z->heads * HEAD_WIDTH;
  const int64_t shapes[][3] = {
      {rows, qkv, D}, {rows, D, o}, {rows, 2 * F, D}, {rows, D, F}, {XENT_ROWS, z->codes, D}};
  static const int64_t narrow[][3] = {{4, 768, 256}, {4, 256, 256},  {4, 1536, 256},
                                      {4, 256, 768}, {1, 384, 128},  {1, 768, 128},
                                      {1, 576, 192}, {1, 1152, 192}, {1, 192, 576}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    ORR_TRY(bench_matmul(b, shapes[i][0], shapes[i][1], shapes[i][2]));
  for (size_t i = 0; z == presets && i < sizeof narrow / sizeof *narrow; i++)
    ORR_TRY(bench_matmul(b, rows / narrow[i][0], narrow[i][1], narrow[i][2]));
  return ORR_OK;
}

// One block's attention. In a time block position t of sequence (clip, n) is row (clip T + t) N +
// n.
static orr_code bench_attention(train_op_bench *b, bool time) {
  const train_op_sizes *z = b->of;
  const int64_t L = time ? z->frames : z->tokens, seqs = b->rows / L;
  const kern_sequences sequences = {.seqs = seqs,
                                    .L = L,
                                    .inner = time ? z->tokens : 1,
                                    .outer_stride = time ? z->frames * z->tokens : z->tokens,
                                    .inner_stride = 1,
                                    .pos_stride = time ? z->tokens : 1,
                                    .causal = time};
  const int64_t ld = z->heads * HEAD_WIDTH;
  const double product = 2.0 * (double)(seqs * z->heads * L * L * HEAD_WIDTH);
  const train_op_shape named =
      train_op_shape_of(time               ? "time "
                        : b->own_attention ? "space, own "
                                           : "space ",
                        &(const int64_t[4]){seqs, L, z->heads, HEAD_WIDTH});
  const char *shape = named.text;
  float *lse = b->t[4];
  MEASURE(b, attention_fwd, shape, "GFLOP/s", 2 * product,
          {.type = b->type,
           .seq = sequences,
           .H = z->heads,
           .G = z->kv_heads,
           .K = HEAD_WIDTH,
           .q = b->t[0],
           .k = b->t[1],
           .v = b->t[2],
           .ldq = ld,
           .ldk = ld,
           .ldv = ld,
           .ldo = ld,
           .o = b->t[3],
           .lse = lse});
  MEASURE(b, attention_bwd, shape, "GFLOP/s", 5 * product,
          {.type = b->type,
           .seq = sequences,
           .H = z->heads,
           .G = z->kv_heads,
           .K = HEAD_WIDTH,
           .q = b->t[0],
           .k = b->t[1],
           .v = b->t[2],
           .o = b->t[3],
           .do_ = b->t[5],
           .ldq = ld,
           .ldk = ld,
           .ldv = ld,
           .ldo = ld,
           .dq = b->t[6],
           .dk = (char *)b->t[7] + b->buffer_bytes / 2,
           .dv = b->t[7],
           .lddq = ld,
           .lddk = ld,
           .lddv = ld,
           .lse = lse});
  return ORR_OK;
}

// Norms, rotary embedding and SwiGLU of one block.
static orr_code bench_block_ops(train_op_bench *b) {
  const kern_dtype type = b->type;
  const train_op_sizes *z = b->of;
  const int64_t qk = z->heads + z->kv_heads;
  const double e = (double)kern_dtype_size(type), column = (double)b->rows * e;
  const train_op_shape norm = train_op_shape_of("", &(const int64_t[4]){b->rows, z->width}),
                       heads = train_op_shape_of("", &(const int64_t[4]){b->rows, qk, HEAD_WIDTH}),
                       hidden = train_op_shape_of("", &(const int64_t[4]){b->rows, z->hidden});
  float *w = b->t[6], *rstd = b->t[4], *dw = b->t[7];
  MEASURE(b, rmsnorm_fwd, norm.text, "GB/s", column * (double)z->width * 2,
          {.type = type,
           .M = b->rows,
           .D = z->width,
           .x = b->t[0],
           .w = w,
           .y = b->t[1],
           .rstd = rstd});
  MEASURE(b, rmsnorm_bwd, norm.text, "GB/s", column * (double)z->width * 4,
          {.type = type,
           .M = b->rows,
           .D = z->width,
           .dy = b->t[0],
           .x = b->t[1],
           .w = w,
           .rstd = rstd,
           .add = b->t[2],
           .dx = b->t[2],
           .dw = dw});
  MEASURE(b, qknorm_rope_fwd, heads.text, "GB/s", column * (double)(qk * HEAD_WIDTH) * 2,
          {.type = type,
           .M = b->rows,
           .H = z->heads,
           .G = z->kv_heads,
           .K = HEAD_WIDTH,
           .qkv = b->t[0],
           .q_w = w,
           .k_w = w,
           .cos = b->table,
           .sin = b->table,
           .pos_div = 1,
           .pos_mod = z->tokens,
           .qk = b->t[1],
           .rstd = rstd});
  MEASURE(b, qknorm_rope_bwd, heads.text, "GB/s", column * (double)(qk * HEAD_WIDTH) * 3,
          {.type = type,
           .M = b->rows,
           .H = z->heads,
           .G = z->kv_heads,
           .K = HEAD_WIDTH,
           .qkv = b->t[0],
           .q_w = w,
           .k_w = w,
           .cos = b->table,
           .sin = b->table,
           .rstd = rstd,
           .pos_div = 1,
           .pos_mod = z->tokens,
           .dqk = b->t[1],
           .dqkv = b->t[2],
           .dq_w = dw,
           .dk_w = dw + HEAD_WIDTH});
  MEASURE(b, swiglu_fwd, hidden.text, "GB/s", column * (double)z->hidden * 3,
          {.type = type, .M = b->rows, .F = z->hidden, .gu = b->t[0], .h = b->t[1]});
  MEASURE(
      b, swiglu_bwd, hidden.text, "GB/s", column * (double)z->hidden * 5,
      {.type = type, .M = b->rows, .F = z->hidden, .gu = b->t[0], .dh = b->t[1], .dgu = b->t[2]});
  return ORR_OK;
}

// Muon apart from its products, which are those of matrices.
static orr_code bench_muon(train_op_bench *b, const char *shape) {
  const int64_t n = b->of->params;
  const double e = (double)kern_dtype_size(b->type);
  MEASURE(b, muon_blend, shape, "GB/s", (double)n * 16,
          {.n = n, .g = b->t[3], .m = b->t[5], .momentum = 0.95f, .verdict = &b->numbers->verdict});
  MEASURE(b, muon_norm, shape, "GB/s", (double)n * (4 + e),
          {.type = b->type, .n = n, .g = b->t[3], .sumsq = &b->numbers->loss, .x = b->t[0]});
  MEASURE(b, muon_apply, shape, "GB/s", (double)n * (8 + e + 2),
          {.type = b->type,
           .n = n,
           .x = b->t[0],
           .w = b->t[2],
           .w_bf16 = b->t[6],
           .gain = 0.2f,
           .weight_decay = 0.1f,
           .rates = &b->numbers->rates,
           .verdict = &b->numbers->verdict});
  return ORR_OK;
}

// The loss and the optimizer.
static orr_code bench_step_ops(train_op_bench *b) {
  const kern_dtype type = b->type;
  const train_op_sizes *z = b->of;
  const int64_t n = z->params, V = z->codes;
  const train_op_shape flat = train_op_shape_of("", &(const int64_t[4]){n}),
                       chunk = train_op_shape_of("", &(const int64_t[4]){XENT_ROWS, V}),
                       wide = train_op_shape_of("", &(const int64_t[4]){b->rows, z->width});
  const double e = (double)kern_dtype_size(type), logits = (double)XENT_ROWS * (double)V;
  float *largest = b->t[4], *sum = largest + XENT_ROWS, *target = sum + XENT_ROWS;
  MEASURE(b, xent_stats, chunk.text, "GB/s", logits * 4,
          {.M = XENT_ROWS,
           .V = V,
           .logits = b->t[3],
           .target = b->index,
           .largest = largest,
           .sum = sum,
           .target_logit = target});
  MEASURE(b, xent_grad, chunk.text, "GB/s", logits * (4 + e),
          {.type = type,
           .M = XENT_ROWS,
           .V = V,
           .logits = b->t[3],
           .target = b->index,
           .largest = largest,
           .sum = sum,
           .target_logit = target,
           .z_loss = 1e-4f,
           .scale = &b->numbers->scale,
           .loss_sum = &b->numbers->loss,
           .dlogits = b->t[0]});
  MEASURE(b, adamw, flat.text, "GB/s", (double)n * (7 * 4 + 2),
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
  ORR_TRY(bench_muon(b, flat.text));
  MEASURE(b, sumsq, flat.text, "GB/s", (double)n * 4,
          {.n = n, .x = b->t[3], .sum = &b->numbers->loss});
  MEASURE(b, fingerprint, flat.text, "GB/s", (double)n * 4,
          {.n = n, .x = b->t[3], .sum = &b->numbers->fingerprint});
  MEASURE(
      b, gather_rows, wide.text, "GB/s", (double)(b->rows * z->width) * 2 * e,
      {.type = type, .M = b->rows, .D = z->width, .x = b->t[0], .index = b->index, .y = b->t[1]});
  MEASURE(b, cast, flat.text, "GB/s", (double)n * 6,
          {.n = n, .from = KERN_F32, .to = KERN_BF16, .x = b->t[3], .y = b->t[0]});
  return ORR_OK;
}

static orr_code bench_all(train_op_bench *b) {
  const train_op_shape all = train_op_shape_of("", &(const int64_t[4]){b->rows, 2 * b->of->hidden});
  MEASURE(b, copy, all.text, "GB/s", 2.0 * (double)b->buffer_bytes,
          {.dst = b->t[0], .src = b->t[1], .bytes = b->buffer_bytes, .way = KERN_COPY_WITHIN});
  ORR_TRY(bench_matmuls(b));
  ORR_TRY(bench_attention(b, false));
  b->own_attention = b->home->device_memory; // where a library may have computed those
  if (b->own_attention) ORR_TRY(bench_attention(b, false));
  ORR_TRY(bench_attention(b, true));
  ORR_TRY(bench_block_ops(b));
  return bench_step_ops(b);
}

orr_code train_cmd_bench_ops(int argc, char **argv) {
  static const char *const devices[] = {"auto", "cpu", "cuda"};
  static const orr_option options[] = {
      {"threads", "N", "threads; 0 = all cores", 0},
      {"device", "auto|cpu|cuda", "where ops run (cpu)", 0},
      {"precision", "auto|bf16|fp32", "type of activations (auto)", 0},
      {"isa", "auto|avx2|avx512|avx512_bf16|amx", "of the CPU (auto)", 0},
      {"preset", "small|1b", "whose sizes (small)", 0},
      {0}};
  static const orr_command command = {"bench ops", "", 0, 0, "Times every op.", options};
  orr_args args;
  train_op_bench b = {0};
  int64_t threads = 0;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  ORR_TRY(orr_args_i64(&args, "threads", 0, 4096, &threads));
  const char *precision = orr_args_text(&args, "precision", "auto");
  const bool automatic = strcmp(precision, "auto") == 0, bf16 = strcmp(precision, "bf16") == 0;
  ORR_CHECK(automatic || bf16 || strcmp(precision, "fp32") == 0, ORR_ECONFIG,
            "bench ops: precision '%s'; give auto, bf16 or fp32", precision);
  ORR_TRY(kern_isa_read("bench ops: --isa", orr_args_text(&args, "isa", "auto"), &b.isa));
  const char *device = orr_args_text(&args, "device", "cpu");
  while (b.device < 3 && strcmp(device, devices[b.device]) != 0) b.device++;
  ORR_CHECK(b.device < 3, ORR_ECONFIG, "bench ops: device '%s'; give auto, cpu or cuda", device);
  const char *preset = orr_args_text(&args, "preset", "small");
  int i = 0;
  while (i < PRESETS && strcmp(preset, presets[i].name) != 0) i++;
  ORR_CHECK(i < PRESETS, ORR_ECONFIG, "bench ops: preset '%s'; give small or 1b", preset);
  b.of = &presets[i];
  b.threads = (int)threads;
  train_bench_optimizer counts;
  ORR_TRY(train_bench_optimizer_count(preset, &counts));
  b.optimizer = train_bench_optimizer_report(&counts);
  orr_code rc = train_op_bench_create(&b);
  if (rc == ORR_OK) b.type = bf16 || (automatic && b.home->bf16_pays) ? KERN_BF16 : KERN_F32;
  if (rc == ORR_OK) rc = bench_all(&b);
  if (rc == ORR_OK) rc = train_op_bench_print(&b);
  train_op_bench_release(&b);
  return rc;
}
